"""What a written text means: one small decoder for each way in which programs write a text inside another.

A secret is not looked for by its spellings, of which there is no end, but in what a text means: each decoder is
tried on it, and on what it gave, so mixtures (a percent-encoded URL inside JSON inside HTML) need no rule of their
own. Each character of a decoded text knows where it stands in the original.
"""

from __future__ import annotations

import html
import re
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

DEEPEST = 4
"""Levels of writing inside writing that are undone."""


@dataclass(frozen=True)
class DecodedText:
    """What a text says after some decoding.

    Parameters:
        text: the decoded text; bytes stand as Latin-1, one character each.
        starts, ends: for each character, where what it was decoded from begins and ends in the original.
    """

    text: str
    starts: Sequence[int]
    ends: Sequence[int]

    @classmethod
    def of(cls, text: str, start: int, end: int) -> DecodedText:
        """A stretch of a text as it is written."""
        text = text[start:end]
        return cls(text, range(start, start + len(text)), range(start + 1, start + len(text) + 1))

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The stretch of the original that a stretch of this text was decoded from."""
        return self.starts[start], self.ends[end - 1]


Decoder = Callable[[DecodedText], Iterator[DecodedText]]


def readings(reading: DecodedText) -> Iterator[DecodedText]:
    """The text as it is, then everything that it may mean, the likely first; each once."""
    yield reading
    seen = {reading.text}
    level = [reading]
    for _ in range(DEEPEST):
        deeper: list[DecodedText] = []
        for meant in (meant for shallow in level for decode in DECODERS for meant in decode(shallow)):
            if meant.text not in seen:
                seen.add(meant.text)
                deeper.append(meant)
                yield meant
        level = deeper


def _replacing(pattern: str, meaning: Callable[[str], str]) -> Decoder:
    """A decoder that puts in place of each match of a pattern what it means."""
    compiled = re.compile(pattern, re.DOTALL)

    def decode(reading: DecodedText) -> Iterator[DecodedText]:
        texts: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        at = 0
        for match in compiled.finditer(reading.text):
            begin, end = match.span()
            meant = meaning(match[0])
            first, last = reading.span(begin, end)
            texts += reading.text[at:begin], meant
            starts += [*reading.starts[at:begin], *[first] * len(meant)]
            ends += [*reading.ends[at:begin], *[last] * len(meant)]
            at = end
        if at:
            texts.append(reading.text[at:])
            yield DecodedText("".join(texts), [*starts, *reading.starts[at:]], [*ends, *reading.ends[at:]])

    return decode


_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{6,}")
_FROM_URL_ALPHABET = str.maketrans("-_", "+/")


def _backslash(escape: str) -> str:
    return chr(int(escape[2:], 16)) if len(escape) > 2 else _CONTROLS.get(escape[1], escape[1])


def _base64(reading: DecodedText) -> Iterator[DecodedText]:
    """Each run read from each of its first four characters: what stands before may be of the alphabet as well."""
    runs = list(_BASE64.finditer(reading.text))
    for skip in range(4) if runs else ():
        text = ""
        starts: list[int] = []
        ends: list[int] = []
        for run in runs:
            written, at = run[0][skip:].translate(_FROM_URL_ALPHABET), run.start() + skip
            written = written[: len(written) - (len(written) % 4 == 1)]
            decoded = b64decode(written + "=" * (-len(written) % 4)).decode("latin-1")
            text += decoded + "\n"
            starts += [reading.starts[at + 8 * index // 6] for index in range(len(decoded))]
            ends += [reading.ends[at + (8 * index + 7) // 6] for index in range(len(decoded))]
            starts.append(reading.ends[run.end() - 1])
            ends.append(reading.ends[run.end() - 1])
        yield DecodedText(text, starts, ends)


DECODERS: tuple[Decoder, ...] = (
    # %2F: RFC 3986, section 2.1. A `+` for a space (HTML forms) is seen where texts are compared.
    _replacing(r"%[0-9A-Fa-f]{2}", lambda escape: chr(int(escape[1:], 16))),
    # \/ \u00fc \n: RFC 8259, section 7; and \xfc, \U0001f600, \': Python's string literals
    _replacing(r"\\(?:u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|U00(?:0[0-9A-Fa-f]|10)[0-9A-Fa-f]{4}|.)", _backslash),
    # &amp; &#47; &#x2f: HTML, section "Character references"
    _replacing(r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});?", html.unescape),
    # <b>, </b>, <!-- -->: HTML, section "Elements"; a tag in the middle of a text is not shown
    _replacing(r"</?[A-Za-z!][^<>]*>", lambda _: ""),
    # UTF-16 read byte by byte, RFC 2781: of Latin letters every second byte is zero
    _replacing("\0", lambda _: ""),
    # aGVsbG8=, with + and / or, for URLs, with - and _: RFC 4648, sections 4 and 5
    _base64,
)
