"""Columns whose values are looked up in each record: a JSONPath that picks from a list, or the first of several fields.

What is found takes the place of the column's first field, so that the record then goes the way of all others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from invoices_assets.source.columns.column import Column
from invoices_assets.source.columns.fields import looked_up
from invoices_assets.source.values.exact_json import Unread, Unreadable, json_text
from invoices_assets.source.values.paths import at_keys, is_query


class Derived:
    """The derived columns of a resource; false where it has none.

    Parameters:
        columns: all that are declared.
    """

    def __init__(self, columns: Iterable[Column]) -> None:
        self._columns = [column for column in columns if column.is_derived]

    def __bool__(self) -> bool:
        return bool(self._columns)

    def filled_in(self, records: Sequence[Any]) -> list[Any]:
        """The records with what was found; those that came are left as they are."""
        return [self._filled_in(record) if type(record) is dict else record for record in records]

    def _filled_in(self, record: dict[str, Any]) -> dict[str, Any]:
        filled = record
        for column in self._columns:
            try:
                value = looked_up(column, record)
            except Unreadable as error:
                value = Unread(json_text(None), str(error))
            filled = _with(filled, _place(column.sources[0], record), value)
        return filled


def _place(source: str, record: dict[str, Any]) -> list[str]:
    """The keys that lead to a field, the last of which may be missing; else the field as one key."""
    keys = source.split(".")
    is_one = source in record or len(keys) == 1 or is_query(source)
    return [source] if is_one or not isinstance(at_keys(record, keys[:-1]), dict) else keys


def _with(record: dict[str, Any], keys: Sequence[str], value: Any) -> dict[str, Any]:
    first, *others = keys
    return {**record, first: _with(record[first], others, value) if others else value}
