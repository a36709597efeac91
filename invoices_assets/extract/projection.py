"""Reads of an answer only what a walk looks at: ids, change stamps and the total. It is many times quicker."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypedDict

import msgspec

from invoices_assets.extract.claims import WORDS


class Projection:
    """What to read of the answers of a resource.

    Parameters:
        keys: fields that every record must have, each a key of the record.
        stamps: fields that records may have.
        places: where the list of records may be: keys that lead to it, none for the document itself.
        others: keys that lead to other values of the document, such as the total.

    What `extract.claims` looks at is read besides, around each place.

    Raises:
        ValueError: one of the places is within another one.
    """

    def __init__(
        self,
        keys: Iterable[str],
        stamps: Iterable[str],
        places: Sequence[tuple[str, ...]],
        others: Iterable[tuple[str, ...]],
    ) -> None:
        self._keys = tuple(keys)
        record = _typed("Record", dict.fromkeys([*self._keys, *stamps], Any))
        wanted: dict[tuple[str, ...], Any] = dict.fromkeys(_outermost([*others, *_words_around(places)]), Any)
        # a type that is made at run time is none to a type checker
        wanted |= dict.fromkeys(places, list[record])  # type: ignore[valid-type]
        self._decode = msgspec.json.Decoder(_nested(wanted), float_hook=Decimal).decode

    def read(self, body: bytes) -> Any:
        """The document with nothing but these fields; None where it has another form, or is no JSON."""
        try:
            body.decode()  # what is skipped is not looked at as text
            return self._decode(body)
        except (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError):
            return None

    def is_enough(self, records: Iterable[Mapping[str, Any]]) -> bool:
        """Whether every record has its keys; else one may be spelled in another way."""
        return all(key in record for record in records for key in self._keys)


def _typed(name: str, fields: Mapping[str, Any]) -> Any:
    # a TypedDict is read into a plain dict, and what it does not name is skipped
    return TypedDict(name, dict(fields), total=False)  # type: ignore[operator]


def _words_around(places: Sequence[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    """Where the answer may say something of the whole: beside each key that leads to the records."""
    for place in places:
        for depth in range(len(place)):
            around = place[:depth]
            taken = {other[depth] for other in places if len(other) > depth and other[:depth] == around}
            yield from ((*around, word) for word in WORDS if word not in taken)


def _outermost(paths: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The paths that do not lead into the value of another one."""
    every = set(paths)
    return [path for path in paths if not any(path[:depth] in every for depth in range(1, len(path)))]


def _nested(wanted: Mapping[tuple[str, ...], Any]) -> Any:
    """The type of a document in which each path leads to a value of a type."""
    if () in wanted:
        if len(wanted) > 1:
            raise ValueError("a value is within another one")
        return wanted[()]
    inner: dict[str, dict[tuple[str, ...], Any]] = {}
    for path, kind in wanted.items():
        inner.setdefault(path[0], {})[path[1:]] = kind
    return _typed("Document", {key: _nested(paths) for key, paths in inner.items()})
