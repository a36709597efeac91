"""The declared columns of a resource: dlt's own hints and the four `x-` hints, read once and checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
from dlt.common.data_types.typing import DATA_TYPES

from invoices_assets.source.naming import RESERVED_PREFIX, normalized

EPOCHS = {"epoch_s": 0, "epoch_ms": -3}
"""The `x-format`s that count from 1970-01-01T00:00:00Z, and the power of ten of a second that they count."""

_OURS = ("x-from", "x-scale", "x-format", "x-timezone")
_OF_DLT = (
    "x-annotation x-normalizer x-nested-type x-original-name x-row-version x-active-record-timestamp "
    "x-valid- x-athena- x-bigquery- x-clickhouse- x-databricks- x-iceberg- x-lance- x-lancedb- "
    "x-postgres- x-qdrant- x-snowflake- x-weaviate-"
)
_DLT_PREFIXES = tuple(_OF_DLT.split())
_NUMERIC = ("decimal", "bigint", "double", "wei")
_TIMED = ("date", "timestamp")
_MAX_DIGITS = 38
_MICROSECOND_DIGITS = 6


@dataclass(frozen=True)
class Column:
    """A column as declared. Undeclared fields get one of these as well, see `UNDECLARED`.

    Parameters:
        name: the normalized, flattened path from the root record, such as `customer__name` or, for a column
            of a child table, `line_items__amount`.
        kind: dlt's data type; None where the hint leaves the type open.
        precision: digits of a decimal, bits of a bigint, or digits of a second of a timestamp or time.
        scale: digits after the point of a decimal.
        nullable: False makes a record without the value a rejected one.
        timezone: of a timestamp: True stores an instant in UTC, False a stamp without zone.
        description: dlt's own hint, for the column schema.
        x_from: the vendor's field, a key of the record or a dotted path.
        x_scale: power of ten that each number is multiplied by, -2 for integer cents.
        x_format: a strptime format, `epoch_s` or `epoch_ms`.
        x_timezone: IANA name of the zone of stamps that carry none.
    """

    name: str
    kind: str | None = None
    precision: int | None = None
    scale: int | None = None
    nullable: bool = True
    timezone: bool = True
    description: str | None = None
    x_from: str | None = None
    x_scale: int | None = None
    x_format: str | None = None
    x_timezone: str | None = None

    @cached_property
    def arrow_type(self) -> pa.DataType:
        """The Arrow type, the one that dlt has for this data type (dlt.common.libs.pyarrow)."""
        if self.kind in ("decimal", "wei"):
            return pa.decimal128(self.precision, self.scale)
        if self.kind == "bigint":
            bits = self.precision or 64
            return {8: pa.int8(), 16: pa.int16(), 32: pa.int32()}.get(_rounded_up(bits, (8, 16, 32)), pa.int64())
        if self.kind == "timestamp":
            return pa.timestamp({0: "s", 3: "ms", 6: "us"}[self.second_digits], "UTC" if self.timezone else None)
        if self.kind == "time":
            return {0: pa.time32("s"), 3: pa.time32("ms"), 6: pa.time64("us")}[self.second_digits]
        simple = {"double": pa.float64(), "bool": pa.bool_(), "date": pa.date32(), "binary": pa.binary()}
        return simple.get(self.kind or "text", pa.string())

    @cached_property
    def second_digits(self) -> int:
        """Digits after the seconds that a timestamp or time keeps: 0, 3 or 6."""
        return 6 if self.precision is None else _rounded_up(self.precision, (0, 3, 6))

    @cached_property
    def zone(self) -> ZoneInfo | None:
        """The zone of stamps without one; None where the declaration names none."""
        return ZoneInfo(self.x_timezone) if self.x_timezone else None


UNDECLARED = {
    "text": Column("", "text"),
    "a number": Column("", "decimal", _MAX_DIGITS, 9),
    "true or false": Column("", "bool"),
    "json": Column("", "json"),
}
"""What an undeclared field becomes, by the shape that its values have."""


def parse_columns(columns: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None) -> dict[str, Column]:
    """Reads the `columns` of a resource.

    Parameters:
        columns: column name -> hints, or dlt's other spelling, a list of hints that each have a `name`.

    Returns:
        normalized flattened name -> Column, in the order of the declaration.

    Raises:
        ValueError: one sentence that names the column and what is wrong with it.
    """
    parsed: dict[str, Column] = {}
    sources: dict[str, str] = {}
    for written, hints in _named(columns or {}):
        column = _column(written, hints)
        if column.name in parsed:
            raise ValueError(f"Column `{written}` is declared twice: both names become `{column.name}`.")
        if column.x_from:
            other = sources.setdefault(column.x_from, written)
            if other != written:
                raise ValueError(f"Columns `{other}` and `{written}` both have `x-from` `{column.x_from}`.")
        parsed[column.name] = column
    return parsed


def _named(
    columns: Mapping[str, Any] | Sequence[Mapping[str, Any]],
) -> Iterable[tuple[str, Mapping[str, Any]]]:
    if isinstance(columns, Mapping):
        pairs = [(str(name), hints or {}) for name, hints in columns.items()]
    else:
        pairs = [(str(hints.get("name") or ""), hints) for hints in columns if isinstance(hints, Mapping)]
        if len(pairs) < len(columns) or not all(name for name, _ in pairs):
            raise ValueError("Each entry of a list of `columns` must be an object with a `name`.")
    for name, hints in pairs:
        if not isinstance(hints, Mapping):
            raise ValueError(f"Column `{name}` must have an object of hints, not {hints!r}.")
    return pairs


def _column(written: str, hints: Mapping[str, Any]) -> Column:
    def refuse(what: str) -> ValueError:
        return ValueError(f"Column `{written}` has {what}.")

    name = normalized(written)
    if name.startswith(RESERVED_PREFIX):
        raise refuse("a name that dlt keeps for itself")
    for hint in map(str, hints):
        if hint.startswith(("x-", "x_")) and hint not in _OURS and not hint.startswith(_DLT_PREFIXES):
            raise refuse(f"the unknown hint `{hint}`; known are {', '.join(_OURS)}")
    kind = hints.get("data_type")
    if kind is not None and kind not in DATA_TYPES:
        raise refuse(f"the unknown `data_type` {kind!r}; known are {', '.join(sorted(DATA_TYPES))}")
    for hint in ("nullable", "timezone"):
        if not isinstance(hints.get(hint), bool | None):
            raise refuse(f"`{hint}` {hints[hint]!r}; it must be true or false")
    precision, scale = _digits(kind, hints, refuse)
    return Column(
        name=name,
        kind=kind,
        precision=precision,
        scale=scale,
        nullable=hints.get("nullable") is not False,
        timezone=hints.get("timezone") is not False,
        description=hints.get("description"),
        x_from=_checked_from(hints, refuse),
        x_scale=_checked_scale(kind, hints, refuse),
        x_format=_checked_format(kind, hints, refuse),
        x_timezone=_checked_zone(kind, hints, refuse),
    )


def _digits(kind: str | None, hints: Mapping[str, Any], refuse: Any) -> tuple[int | None, int | None]:
    for hint in ("precision", "scale"):
        value = hints.get(hint)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
            raise refuse(f"`{hint}` {value!r}; it must be a whole number")
    precision, scale = hints.get("precision"), hints.get("scale")
    if kind in ("timestamp", "time") and precision is not None and precision > _MICROSECOND_DIGITS:
        raise refuse(f"`precision` {precision}; stamps are kept to the microsecond, which is 6")
    if kind not in ("decimal", "wei"):
        return precision, scale
    # Each default stands alone, as in the table that dlt would create (dlt.destinations.type_mapping).
    precision = _MAX_DIGITS if precision is None else precision
    scale = (9 if kind == "decimal" else 0) if scale is None else scale
    if not 1 <= precision <= _MAX_DIGITS:
        raise refuse(f"`precision` {precision}; a decimal has 1 to {_MAX_DIGITS} digits")
    if scale > precision:
        raise refuse(f"`scale` {scale}, which is more than its `precision` {precision}")
    return precision, scale


def _checked_from(hints: Mapping[str, Any], refuse: Any) -> str | None:
    source = hints.get("x-from")
    if source is not None and (not isinstance(source, str) or not source):
        raise refuse(f"`x-from` {source!r}; it must be the name of a field")
    return source


def _checked_scale(kind: str | None, hints: Mapping[str, Any], refuse: Any) -> int | None:
    scale = hints.get("x-scale")
    if scale is None:
        return None
    if isinstance(scale, bool) or not isinstance(scale, int) or abs(scale) > _MAX_DIGITS:
        raise refuse(f"`x-scale` {scale!r}; it must be a whole number, such as -2 for cents")
    if kind not in _NUMERIC:
        raise refuse(f"`x-scale`, which needs one of the data types {', '.join(_NUMERIC)}")
    return scale


def _checked_format(kind: str | None, hints: Mapping[str, Any], refuse: Any) -> str | None:
    form = hints.get("x-format")
    if form is None:
        return None
    if kind not in _TIMED:
        raise refuse("`x-format`, which needs the data type date or timestamp")
    if not isinstance(form, str) or (form not in EPOCHS and not _names_a_whole_day(form)):
        raise refuse(f"`x-format` {form!r}; it must be epoch_s, epoch_ms or a strptime format with day and year")
    return form


def _names_a_whole_day(form: str) -> bool:
    sample = datetime(2024, 11, 23, tzinfo=UTC)  # also for %z
    try:
        return datetime.strptime(sample.strftime(form), form).date() == sample.date()
    except ValueError:
        return False


def _checked_zone(kind: str | None, hints: Mapping[str, Any], refuse: Any) -> str | None:
    zone = hints.get("x-timezone")
    if zone is None:
        return None
    if kind not in _TIMED:
        raise refuse("`x-timezone`, which needs the data type timestamp or date")
    try:
        return ZoneInfo(zone).key
    except (LookupError, ValueError, TypeError, AttributeError, OSError):
        raise refuse(f"the unknown `x-timezone` {zone!r}; it must be an IANA name, Europe/Berlin") from None


def _rounded_up(value: int, steps: tuple[int, ...]) -> int:
    return next((step for step in steps if value <= step), steps[-1] + 1)
