"""The primary key of a record, in the API's own spelling."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dlt.common.normalizers.naming.snake_case import NamingConvention


def identities_of(key_fields: Sequence[str]) -> Callable[[Sequence[Any]], list[str | None]]:
    """Returns a function that gives the identity of each record of a page, None where one has none.

    Parameters:
        key_fields: the API's own names of the primary key, for example `["id"]`.
    """
    readers = [_field_reader(field) for field in key_fields]

    def identities(records: Sequence[Any]) -> list[str | None]:
        fields = [[read(record) for record in records] for read in readers]
        if len(fields) == 1:
            return [value if value is None or type(value) is str else str(value) for value in fields[0]]
        return [None if None in key else "\x1f".join(map(str, key)) for key in zip(*fields, strict=True)]

    return identities


def _field_reader(field: str) -> Callable[[Any], Any]:
    """Reads a field as it is spelled, as dlt would normalize its name, or as a dotted path."""
    normalize = NamingConvention().normalize_identifier
    spelled = field

    def read(record: Any) -> Any:
        nonlocal spelled
        if not isinstance(record, dict):
            return None
        value = record.get(spelled)
        if value is None and spelled not in record:
            spelled = next((key for key in record if normalize(key) == normalize(field)), field)
            value = record.get(spelled)
        if value is None and "." in field:
            value = record
            for part in field.split("."):
                value = value.get(part) if isinstance(value, dict) else None
        return value

    return read
