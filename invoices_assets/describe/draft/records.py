"""Where an answer has its records, and what stands around them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from invoices_assets.describe.draft.names import LISTS, NO_LISTS
from invoices_assets.extract.claims import Claims, claims_of
from invoices_assets.source.values.paths import MISSING, at_keys, reader_of

_DEPTH = 4
Keys = tuple[str, ...]


@dataclass(frozen=True)
class Listed:
    """An answer that has a list.

    Parameters:
        records: the list; of objects, but where `columns` names what stands in lists instead.
        keys: that lead to it.
        document, headers, url: of the answer.
    """

    records: list[Any]
    keys: Keys
    document: Any
    headers: Mapping[str, str]
    url: str

    @property
    def claims(self) -> Claims:
        """What the answer says of the whole."""
        return claims_of(self.document, self.keys, self.headers, totals=True)

    @property
    def has_rows(self) -> bool:
        """Whether the records are lists of values beside a list `columns`, as those of Datasette."""
        columns = at_keys(self.document, (*self.keys[:-1], "columns")) if self.keys else MISSING
        return bool(self.records) and isinstance(self.records[0], list) and isinstance(columns, list)

    def around(self) -> Iterator[tuple[Keys, Any]]:
        """What stands around the records -> its keys; objects before what is in them."""
        if isinstance(self.document, dict):
            yield from _around(self.document, (), self.keys, _DEPTH)


def listed(document: Any, headers: Mapping[str, str], url: str, path: str) -> Listed | None:
    """The list of records of an answer; None where it has none.

    Parameters:
        path: that was asked for; its last part may be the name of the list.
    """
    name = path.rstrip("/").rpartition("/")[2]
    found = sorted(_lists(document, (), _DEPTH), key=lambda one: _rank(one[0], one[1], name))
    if not found or (not found[0][1] and not _is_known(found[0][0], name) and len(found) > 1):
        return None
    keys, records = found[0]
    page = Listed(records, keys, document, headers, url)
    is_of_objects = not records or isinstance(records[0], dict)
    return page if is_of_objects or page.has_rows else None


def path_of(keys: Keys, document: Any) -> str:
    """The keys as a path that the engine reads, such as `meta.total`, `@odata.count` or `$`."""
    if not keys:
        return "$"
    wanted = at_keys(document, keys)
    plain = ".".join(keys)
    if reader_of(plain)(document) is wanted:
        return plain
    return "$" + "".join(f"['{key}']" for key in keys)


def identities(field: str | None) -> Callable[[Sequence[Any]], list[str]]:
    """Returns what tells records apart: the value of a field, or all of a record where none is known."""

    def named(records: Sequence[Any]) -> list[str]:
        return [repr(record.get(field) if field and isinstance(record, dict) else record) for record in records]

    return named


def _lists(value: Any, keys: Keys, depth: int) -> Iterator[tuple[Keys, list[Any]]]:
    if isinstance(value, list):
        is_rows = bool(value) and all(isinstance(item, list) for item in value)
        if not value or is_rows or all(isinstance(item, dict) for item in value):
            yield keys, value
    elif isinstance(value, dict) and keys and keys[-1] in LISTS and "id" in value:
        yield keys, [value]  # some APIs leave the list out around a single record
    elif isinstance(value, dict) and depth:
        for key, inner in value.items():
            if key.lower() not in NO_LISTS:
                yield from _lists(inner, (*keys, key), depth - 1)


def _rank(keys: Keys, records: list[Any], name: str) -> tuple[Any, ...]:
    names = (name, *LISTS)
    place = names.index(keys[-1]) if keys and keys[-1] in names else len(names) * bool(keys)
    is_filled = bool(records) and isinstance(records[0], dict)
    return (not _is_known(keys, name), not is_filled, len(keys), place, -len(records))


def _is_known(keys: Keys, name: str) -> bool:
    return not keys or keys[-1] in (name, *LISTS)


def _around(inner: Mapping[str, Any], keys: Keys, records: Keys, depth: int) -> Iterator[tuple[Keys, Any]]:
    deeper = []
    for key, value in inner.items():
        place = (*keys, key)
        if place == records:
            continue
        yield place, value
        if isinstance(value, dict) and depth:
            deeper.append((value, place))
    for value, place in deeper:
        yield from _around(value, place, records, depth - 1)
