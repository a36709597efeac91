"""The way to read the primary key of a record: one text for one record, wherever a record is told from another.

A key is what its columns store of it. So it is found under every spelling that becomes the column, and the
number 1, the number 1.0 and the text 1 are one key.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from invoices_assets.source.columns.column import NUMERIC, Column
from invoices_assets.source.columns.fields import field_reader
from invoices_assets.source.resource import ResourceSpec
from invoices_assets.source.values.exact_json import Unreadable
from invoices_assets.source.values.numbers import MOST_DIGITS, exact_number, plain_text


def keys_of(spec: ResourceSpec) -> Callable[[Sequence[Any]], list[Any]]:
    """Returns a function that gives the key of each record of a page; None where a part is missing or empty.

    The key of one column is its text, such as `inv_7`, `1` or `1.5`; one of several is a tuple of theirs. Without
    a column all records have one key, the empty tuple.
    """
    readers = [
        _reader(spec, spec.columns.get(name, Column(name=name)), field)
        for name, field in zip(spec.primary_key, spec.key_fields, strict=True)
    ]

    def keys(records: Sequence[Any]) -> list[Any]:
        parts = [read(records) for read in readers]
        if len(parts) == 1:
            return parts[0]
        if not parts:
            return [()] * len(records)
        return [None if None in key else key for key in zip(*parts, strict=True)]

    return keys


def written(key: str | tuple[str, ...] | None) -> str | None:
    """A key as one text, as `invoices_rejected.key` has it: that of several columns is a JSON list, `["FR", "7"]`."""
    return json.dumps(key, ensure_ascii=False) if isinstance(key, tuple) else key


def parts_of(key: str, width: int) -> list[str | None]:
    """The texts of which `written` has made this one, for so many columns."""
    return [key] if width == 1 else [key_text(part) for part in json.loads(key, parse_float=Decimal)]


def key_text(value: Any, *, is_number: bool = False) -> str | None:
    """The text of one part of a key; None where it is missing, empty, or no single value.

    Parameters:
        is_number: the column is one of numbers, so that the text `01` is the number 1.
    """
    if is_number and type(value) is str:
        with contextlib.suppress(Unreadable):
            value = exact_number(value)
    if type(value) is str:
        return value or None
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is int:
        return str(value)
    return plain_text(value) if type(value) is Decimal else None


def key_values(column: Column, values: Sequence[Any]) -> Sequence[Any]:
    """The values of a key column, with one value for one key, so that it has one row id.

    Parameters:
        column: what they become.
        values: as they came.

    Returns:
        texts for a column of text, whole numbers or decimals for one of numbers, else the values themselves;
        None where there is none.
    """
    kinds = set(map(type, values))
    if column.kind == "text":
        return values if kinds == {str} and "" not in values else [key_text(value) for value in values]
    if column.kind in NUMERIC and kinds != {int}:
        return [_number(value) for value in values]
    return [None if value == "" else value for value in values]


def _reader(spec: ResourceSpec, column: Column, field: str) -> Callable[[Sequence[Any]], list[str | None]]:
    """Reads one part of the key; the field as it is declared first, which most records have."""
    is_number = column.kind in NUMERIC
    find = field_reader(spec.columns, column, field)

    def read(records: Sequence[Any]) -> list[str | None]:
        try:
            values = [record[field] for record in records]
        except (KeyError, TypeError):
            values = [None]
        if None in values:
            values = [find(record) for record in records]
        if not is_number and set(map(type, values)) == {str} and "" not in values:
            return values
        return [key_text(value, is_number=is_number) for value in values]

    return read


def _number(value: Any) -> Any:
    try:
        text = plain_text(exact_number(value))
    except Unreadable:
        return None if key_text(value) is None else value
    is_whole = len(text) <= MOST_DIGITS and text.removeprefix("-").isdecimal()
    return int(text) if is_whole else Decimal(text)
