"""Finds where in a text a secret stands, however it is written, and looks closely only where one may be."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from itertools import islice

from invoices_assets.redaction.encodings import DecodedText, readings
from invoices_assets.redaction.values import folded, patterns_of, probes_of

_MOST_WRITTEN_PER_CHARACTER = 20
_FEW = 100
_LETTER = "(?:3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa])"
_LETTER_IN_DECIMAL = "0*(?:4[89]|5[0-7]|6[5-9]|[78][0-9]|90|9[7-9]|1[01][0-9]|12[0-2])(?![0-9])"
_ODDLY_WRITTEN = (
    ("%", re.compile(rf"%(?:25)*(?:{_LETTER}|5[cC](?:%5[cC]){{0,9}}[uxU]|26(?:#|%23))")),
    ("\\", re.compile(rf"\\(?:u00|x|U000000)(?:{_LETTER}|26(?:#|\\u0023)|25{_LETTER}|5[cC][uxU])")),
    ("&", re.compile(rf"&(?:amp;)*#(?:{_LETTER_IN_DECIMAL}|[xX]0*{_LETTER}|(?:37|38|92|[xX](?:25|26|5[cC]));)")),
    ("<", re.compile(r"<(?<=[0-9A-Za-z]<)[^<>]*>(?:<[^<>]*>)*(?=[0-9A-Za-z])")),
    ("\0", re.compile(r"\0(?<=[0-9A-Za-z]\0)(?=[0-9A-Za-z])")),
)
"""Letters and digits written in a way that hides them, which programs do to no harmless text; and what they begin
with, so that a text without any is done with at once."""


class SecretFinder:
    """Finds secrets in texts.

    Most texts hold none. So those parts of a secret that programs do not encode, its longest run of letters and
    digits, and what base64 makes of that, are looked for first; only around them a text is decoded.

    Parameters:
        values: what is to be found.
        in_base64: whether also inside of a longer text in base64, as in `user:secret`.
    """

    def __init__(self, values: Collection[str], *, in_base64: bool = True) -> None:
        # the longest first, so that nothing of it stays beside a shorter one inside it
        longest_first = sorted(values, key=lambda value: (-len(value), value))
        patterns = [pattern for value in longest_first for pattern in patterns_of(value)]
        self._pattern = re.compile("|".join(patterns))
        self._reach = 64 + _MOST_WRITTEN_PER_CHARACTER * max(map(len, values), default=0)
        # What holds a longer value also holds the shorter one inside it, so looking for that is enough.
        least = [value for value in values if not any(other in value for other in values if other != value)]
        self.probes: dict[str, set[tuple[str, ...]]] = {}
        for probe, others in (pair for value in least for pair in probes_of(value, in_base64)):
            self.probes.setdefault(probe, set()).add(others)

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where secrets stand, in order and apart from each other."""
        found: list[tuple[int, int]] = []
        for start, end, places in self._windows(self._places(text)):
            for span in sorted(self._look(DecodedText.of(text, start, end), places)):
                if found and span[0] < found[-1][1]:
                    found[-1] = (found[-1][0], max(found[-1][1], span[1]))
                else:
                    found.append(span)
        return found

    def _places(self, text: str) -> list[tuple[int, int]]:
        """Where a secret may be."""
        places: list[tuple[int, int]] = []
        for probe, neighbours in self.probes.items():
            if not probe:
                return [(0, len(text))]
            for at in _occurrences(probe, text):
                end = at + len(probe)
                near = range(max(0, at - self._reach), end + self._reach)
                if any(all(text.find(run, near.start, near.stop) >= 0 for run in runs) for runs in neighbours):
                    places.append((at, end))
        if self.probes:
            places += _written_oddly(text)
        return places

    def _windows(self, places: list[tuple[int, int]]) -> Iterator[tuple[int, int, list[tuple[int, int]]]]:
        """Stretches of text that hold any secret around these places wholly, however it is written."""
        start = end = 0
        inside: list[tuple[int, int]] = []
        for place in sorted(places):
            if inside and place[0] - self._reach > end:
                yield start, end, inside
                inside = []
            if not inside:
                start = max(0, place[0] - self._reach)
            inside.append(place)
            end = max(end, place[1] + self._reach)
        if inside:
            yield start, end, inside

    def _look(self, reading: DecodedText, places: list[tuple[int, int]]) -> set[tuple[int, int]]:
        found: set[tuple[int, int]] = set()
        for meant in readings(reading):
            for match in self._pattern.finditer(folded(meant.text)):
                span = meant.span(*match.span(match.lastindex or 0))
                found.add(span)
                places = [place for place in places if not (span[0] <= place[0] and place[1] <= span[1])]
            if not places:
                break
        return found


def _occurrences(wanted: str, text: str) -> Iterator[int]:
    at = text.find(wanted)
    while at >= 0:
        yield at
        at = text.find(wanted, at + len(wanted))


def _written_oddly(text: str) -> Iterator[tuple[int, int]]:
    for beginning, pattern in _ODDLY_WRITTEN:
        if beginning not in text:
            continue
        # one search for each is quick where they are few, as in most bodies
        begun = list(islice(_occurrences(beginning, text), _FEW))
        yield from (match.span() for match in (pattern.match(text, at) for at in begun) if match)
        if len(begun) == _FEW:
            yield from (match.span() for match in pattern.finditer(text, begun[-1] + 1))
