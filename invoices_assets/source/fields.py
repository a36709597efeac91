"""Reads a declared column in records as they come: under every spelling that becomes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from invoices_assets.source.columns import Column
from invoices_assets.source.naming import normalized
from invoices_assets.source.paths import MISSING, at_keys


def field_reader(columns: Mapping[str, Column], column: Column, field: str) -> Callable[[Any], Any]:
    """Returns what reads the value of a column in a record; None where the record has none.

    Parameters:
        columns: all that are declared, by their normalized names.
        column: the one to be read.
        field: the API's name of it, which is looked at first.
    """
    moved = {other.x_from for other in columns.values() if other.x_from}
    places: dict[tuple[str, ...], None] = {(field,): None}
    if column.x_from:
        places[tuple(field.split("."))] = None

    def find(record: Any) -> Any:
        for place in places:
            value = at_keys(record, place)
            if value is not MISSING and value is not None:
                return value
        for place, value in _spelled_otherwise(record, column.name) if isinstance(record, dict) else ():
            if value is not None and ".".join(place) not in moved:
                places[place] = None
                return value
        return None

    return find


def _spelled_otherwise(record: Mapping[str, Any], name: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The fields of a record that become a column, and their places; within objects, too."""
    for key, value in record.items():
        column = normalized(key)
        if column == name:
            yield (key,), value
        elif isinstance(value, dict) and name.startswith(f"{column}__"):
            for place, inner in _spelled_otherwise(value, name[len(column) + 2 :]):
                yield (key, *place), inner
