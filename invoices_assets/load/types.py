"""The types of columns, in Arrow and DuckDB, and which of them can become which without loss."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pyarrow as pa

VARCHAR = "VARCHAR"
TIMESTAMPTZ = "TIMESTAMP WITH TIME ZONE"
DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")
# digits before the point that any value of these types can need
_INTEGER_DIGITS = {"TINYINT": 3, "SMALLINT": 5, "INTEGER": 10, "BIGINT": 19}
_INTEGER_DIGITS |= {"UTINYINT": 3, "USMALLINT": 5, "UINTEGER": 10, "UBIGINT": 20}
_OTHERS = {pa.string(): VARCHAR, pa.null(): VARCHAR, pa.bool_(): "BOOLEAN", pa.date32(): "DATE"}
_OTHERS |= {pa.int8(): "TINYINT", pa.int16(): "SMALLINT", pa.int32(): "INTEGER", pa.int64(): "BIGINT"}
_OTHERS |= {pa.float64(): "DOUBLE", pa.binary(): "BLOB"}
_STAMPS = {"s": "TIMESTAMP_S", "ms": "TIMESTAMP_MS"}


def duckdb_type(arrow: pa.DataType) -> str:
    """The DuckDB type that holds every value of the Arrow type `arrow`.

    Raises:
        ValueError: the converter never makes such a column.
    """
    if pa.types.is_decimal(arrow):
        return f"DECIMAL({arrow.precision},{arrow.scale})"
    if pa.types.is_timestamp(arrow):
        return TIMESTAMPTZ if arrow.tz else _STAMPS.get(arrow.unit, "TIMESTAMP")
    if pa.types.is_time(arrow):
        return "TIME"
    if arrow not in _OTHERS:
        raise ValueError(f"no warehouse type for the Arrow type {arrow}")
    return _OTHERS[arrow]


def common_type(types: Iterable[str]) -> str:
    """The type of a column that came with several `types`: one that holds all values as they are, or text."""
    found = set(types)
    if len(found) == 1:
        return found.pop()
    for candidate in found:
        if all(other == candidate or widens(other, candidate) for other in found):
            return candidate
    return VARCHAR


def widens(old: str, new: str) -> bool:
    """Whether every value of `old` is the same value in the numeric type `new`, or in a finer one of timestamps."""
    if new == "TIMESTAMP":
        return old in _STAMPS.values()
    target = DECIMAL.fullmatch(new)
    if target is None:
        return old in _INTEGER_DIGITS and new in _INTEGER_DIGITS and _INTEGER_DIGITS[old] < _INTEGER_DIGITS[new]
    before, scale = int(target[1]) - int(target[2]), int(target[2])
    if old in _INTEGER_DIGITS:
        return before >= _INTEGER_DIGITS[old]
    source = DECIMAL.fullmatch(old)
    return source is not None and before >= int(source[1]) - int(source[2]) and scale >= int(source[2])


def can_become_text(old: str) -> bool:
    """Whether the values of `old` have one exact text. Not so DOUBLE: its digits are not those of the API."""
    return old in ("BOOLEAN", "JSON", "DATE", TIMESTAMPTZ, VARCHAR, "HUGEINT") or (
        old in _INTEGER_DIGITS or DECIMAL.fullmatch(old) is not None
    )


def text_of(column: str, old: str) -> str:
    """SQL for the text of `column` of the type `old`; numbers as plain digits without trailing zeros."""
    match = DECIMAL.fullmatch(old)
    if match and int(match[2]) > 0:
        return f"rtrim(rtrim(CAST({column} AS VARCHAR), '0'), '.')"
    if old == TIMESTAMPTZ:
        return f"strftime({column} AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ')"
    return f"CAST({column} AS VARCHAR)"
