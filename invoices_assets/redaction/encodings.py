"""How a secret may be spelled where it turns up.

It may be there as it is, percent-encoded, in base64, or escaped for JSON, Python or HTML. It is found by a
pattern that allows every spelling of each of its characters, so that mixtures (a percent-encoded URL inside
JSON inside a log line) are found like the pure forms.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from functools import cached_property
from itertools import groupby

SHORTEST_IN_TEXT = 4
"""Characters. A shorter secret is found only as a whole query value (`=abc`): it would blacken all logs."""

SHORTEST_IN_DATA = 8
"""Characters. A shorter one could stand in an invoice by chance, and an invoice is never to be altered."""

SHORTEST_NUMBER_IN_DATA = 12
"""Digits. A shorter number could be an amount, an identifier or a telephone number."""

_PERCENT = "%(?:25){0,4}"
_BACKSLASH = rf"(?:\\|{_PERCENT}5[cC])"
_ESCAPE = rf"{_BACKSLASH}{{1,8}}"
_AMPERSAND = rf"(?:&|{_ESCAPE}u0026|{_PERCENT}26)(?:amp;){{0,4}}"
_ENTITIES = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}
_BASE64_EDGE = r"[A-Za-z0-9+/_-]?"
_SHORTEST_BASE64 = 5
_ENDS_QUERY_VALUE = r"(?=$|[&\s\"'#<>()\[\]{},;\\])"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z_-]{1,19}")


class Encoding:
    """One pattern in which a secret may be written.

    Parameters:
        source: the regular expression; pure ASCII except for characters of the secret itself.
        probe: a text that every match holds; with it, finding nothing, which is usual, is cheap.
        in_data: whether it may be replaced in the bodies of answers.
    """

    def __init__(self, source: str, probe: str, *, in_data: bool) -> None:
        self._source = source
        self.probe = probe
        self.probe_bytes = probe.encode()
        self.in_data = in_data

    @cached_property
    def in_text(self) -> re.Pattern[str]:
        return re.compile(self._source)

    @cached_property
    def in_bytes(self) -> re.Pattern[bytes]:
        return re.compile(self._source.encode("utf-8", "surrogatepass"))


def values_of(secret: str) -> list[str]:
    """The secret and its secret parts: of `Token abc` also `abc`, of `Basic …` what is encoded."""
    values = [secret]
    parts = secret.split()
    if len(parts) == 1:
        values.append(parts[0])
    elif len(parts) == 2 and _SCHEME.fullmatch(parts[0]):
        values.append(parts[1])
        if parts[0].lower() == "basic":
            values.append(_decoded(parts[1]))
    else:
        values += [part for part in parts if len(part) >= SHORTEST_IN_DATA]
    values += [value.strip("\"',") for part in parts for _, found, value in [part.partition("=")] if found]
    return list(dict.fromkeys(value for value in values if value == secret or len(value) >= SHORTEST_IN_TEXT))


def findable_in_data(value: str) -> bool:
    """Whether a value is too long to stand in an invoice by chance."""
    return len(value) >= (SHORTEST_NUMBER_IN_DATA if value.isdigit() else SHORTEST_IN_DATA)


def encodings_of(value: str) -> Iterator[Encoding]:
    """Every pattern for one value."""
    if len(value) < SHORTEST_IN_TEXT:
        yield Encoding(f"(?<==){_written(value)}{_ENDS_QUERY_VALUE}", _probe(value), in_data=False)
        return
    in_data = findable_in_data(value)
    yield Encoding(_written(value), _probe(value), in_data=in_data)
    yield from _base64(value.encode("utf-8", "surrogatepass"), in_data=in_data)
    if not value.isascii() and max(value) <= "\xff":
        yield from _base64(value.encode("latin-1"), in_data=in_data)


def _decoded(encoded: str) -> str:
    try:
        return b64decode(encoded, validate=True).decode()
    except ValueError:
        return ""


def _probe(value: str) -> str:
    """The longest run of characters that no encoding changes."""
    return max(re.findall(r"[A-Za-z0-9]+", value), key=len, default="")


def _written(value: str) -> str:
    sources = []
    for char, run in groupby(value):
        count = len(list(run))
        if char == "\\":
            sources.append(_backslashes(count))
        else:
            sources.append(_character(char) * count)
    return "".join(sources)


def _backslashes(count: int) -> str:
    """A run of backslashes, of which each level of escaping makes twice as many.

    One pattern for the whole run: one for each backslash would let a run be split in exponentially many ways.
    """
    one = f"(?:{_BACKSLASH}|{_AMPERSAND}#0{{0,6}}92;|{_AMPERSAND}#[xX]0{{0,6}}5[cC];)"
    source = f"(?:{one}{{{4 * count}}})?"
    for times in (2 * count, count):
        source = f"(?:{one}{{{times}}}{source})?"
    return f"{one}{{{count}}}{source}"


def _character(char: str) -> str:
    if char.isascii() and char.isalnum():
        return char
    code = ord(char)
    units = char.encode("utf-16-be", "surrogatepass")
    utf8 = char.encode("utf-8", "surrogatepass")
    ways = [
        f"{_BACKSLASH}{{0,8}}{re.escape(char)}",
        "".join(f"{_PERCENT}{_hex(byte)}" for byte in utf8),
        "".join(f"{_ESCAPE}x{_hex(byte)}" for byte in utf8),
        "".join(f"{_ESCAPE}u{_hex(high)}{_hex(low)}" for high, low in zip(units[::2], units[1::2], strict=True)),
        f"{_AMPERSAND}#0{{0,6}}{code};",
        f"{_AMPERSAND}#[xX]0{{0,6}}{''.join(_either_case(digit) for digit in f'{code:x}')};",
    ]
    if char in _ENTITIES:
        ways.append(f"{_AMPERSAND}{_ENTITIES[char]};")
    if char == " ":
        ways.append(r"\+")
    if char in "\n\r\t":
        ways.append(f"{_ESCAPE}{ {10: 'n', 13: 'r', 9: 't'}[code] }")
    if 0x7F < code <= 0xFF:
        ways += [f"{_PERCENT}{_hex(code)}", f"{_ESCAPE}x{_hex(code)}"]
    if code > 0xFFFF:
        ways.append(f"{_ESCAPE}U{''.join(_either_case(digit) for digit in f'{code:08x}')}")
    return f"(?:{'|'.join(ways)})"


def _hex(byte: int) -> str:
    return "".join(_either_case(digit) for digit in f"{byte:02x}")


def _either_case(digit: str) -> str:
    return digit if digit.isdigit() else f"[{digit}{digit.upper()}]"


def _base64(value: bytes, *, in_data: bool) -> Iterator[Encoding]:
    """The part of the base64 text that is the same whatever stands before and after the secret.

    Three bytes make four characters, so a secret inside a longer text, such as `user:secret`, has one of
    three encodings_of; the characters at its edges also depend on its neighbours and are matched as any.
    """
    for before in range(3):
        encoded = b64encode(b"\0" * before + value).decode()
        inner = encoded[-(-8 * before // 6) : 8 * (before + len(value)) // 6]
        if len(inner) >= _SHORTEST_BASE64:
            written = "".join({"+": _plus, "/": _slash}.get(char, char) for char in inner)
            edge = _BASE64_EDGE if before else ""
            source = f"{edge}{written}{_BASE64_EDGE}(?:=|{_PERCENT}3[dD]){{0,2}}"
            # Inside a longer text a body holds it only as the header sent, which is a secret of its own.
            yield Encoding(source, _probe(inner), in_data=in_data and before == 0)


_plus = rf"(?:[+-]|{_PERCENT}2[bB]|{_ESCAPE}u002[bB])"
_slash = rf"(?:{_BACKSLASH}{{0,8}}/|_|{_PERCENT}2[fF]|{_ESCAPE}u002[fF])"
