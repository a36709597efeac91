"""Columns whose values are looked up in each record: a JSONPath that picks from a list, or the first of several fields.

What is found takes the place of the column's first field, so that the record then goes the way of all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from invoices_assets.source.columns.column import Column
from invoices_assets.source.columns.fields import looked_up
from invoices_assets.source.values.exact_json import Unread, Unreadable, json_text
from invoices_assets.source.values.paths import at_keys, is_query


def filled_in(columns: Sequence[Column], record: Any) -> Any:
    """A record with what was found for its derived columns; the one that came is left as it is."""
    filled = record
    for column in columns if type(record) is dict else ():
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
