"""Reads a declared column in records as they come: under every spelling that becomes it, or where it is looked up."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from invoices_assets.source.columns.column import TIMED, Column
from invoices_assets.source.naming import normalized
from invoices_assets.source.values.exact_json import Unreadable
from invoices_assets.source.values.paths import MISSING, at_keys, found_by, is_query

# Written by servers that store "no date" as a zero date, as MySQL does, or as an empty text (Dolibarr).
NO_DATE = re.compile(r"(?:0000-00-00(?:[T ]00:00(?::00(?:\.0+)?)?Z?)?)?")


def is_no_date(value: Any) -> bool:
    """Whether a value in the place of a date says that there is none."""
    return value is None or (isinstance(value, str) and NO_DATE.fullmatch(value.strip()) is not None)


def looked_up(column: Column, record: Any) -> Any:
    """The first value of a derived column's fields that is not null; None where there is none.

    Raises:
        Unreadable: a JSONPath finds several values, and which one is meant is not said.
    """
    for source in column.sources:
        found = _found(source, record)
        if len(found) > 1:
            raise Unreadable(f"finds {len(found)} values, and which one is meant is not said")
        value = found[0] if found else None
        if value is not None and not (column.kind in TIMED and is_no_date(value)):
            return value
    return None


def field_reader(columns: Mapping[str, Column], column: Column, field: str) -> Callable[[Any], Any]:
    """Returns what reads the value of a column in a record; None where the record has none.

    Parameters:
        columns: all that are declared, by their normalized names.
        column: the one to be read.
        field: the API's name of it, which is looked at first.
    """
    moved = {other.sources[0] for other in columns.values() if other.x_from}
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

    def look_up(record: Any) -> Any:
        try:
            return looked_up(column, record)
        except Unreadable:
            return None  # such a record is rejected

    return look_up if column.is_derived else find


def has_field(value: Any, path: str) -> bool:
    """Whether a record has a field, also within the items of a list."""
    if isinstance(value, list):
        return any(has_field(item, path) for item in value)
    if not isinstance(value, dict):
        return False
    if _found(path, value) not in ([], [[]]):
        return True
    key, _, rest = path.partition(".")
    found = next((inner for name, inner in value.items() if key in (name, normalized(str(name)))), MISSING)
    return found is not MISSING and (not rest or has_field(found, rest))


def _found(source: str, record: Any) -> list[Any]:
    """What stands where an `x-from` leads: at a key, at a dotted path, or all that a JSONPath finds."""
    if isinstance(record, dict) and source in record:
        return [record[source]]
    if is_query(source):
        return found_by(source, record)
    value = at_keys(record, source.split("."))
    return [] if value is MISSING else [value]


def _spelled_otherwise(record: Mapping[str, Any], name: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The fields of a record that become a column, and their places; within objects, too."""
    for key, value in record.items():
        column = normalized(key)
        if column == name:
            yield (key,), value
        elif isinstance(value, dict) and name.startswith(f"{column}__"):
            for place, inner in _spelled_otherwise(value, name[len(column) + 2 :]):
                yield (key, *place), inner
