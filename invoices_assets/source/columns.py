"""The declared columns of a resource: dlt's own hints and the four `x-` hints, read once and checked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pyarrow as pa
from dlt.common.data_types.typing import DATA_TYPES
from dlt.common.destination import DestinationCapabilitiesContext
from dlt.common.libs.pyarrow import get_py_arrow_datatype
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from invoices_assets.errors import SourceError
from invoices_assets.source.naming import RESERVED_PREFIX, normalized
from invoices_assets.source.paths import is_query

EPOCHS = {"epoch_s": 0, "epoch_ms": -3}
"""The `x-format`s that count from 1970-01-01T00:00:00Z, and the power of ten of a second that they count."""

NUMERIC = ("decimal", "bigint", "double", "wei")
"""The data types of numbers."""

_HINTS = {
    "kind": "data_type",
    **{hint: hint for hint in ("precision", "scale", "nullable", "timezone", "description")},
    **{hint: hint for hint in ("hard_delete", "dedup_sort")},
    **{f"x_{hint}": f"x-{hint}" for hint in ("from", "scale", "format", "timezone")},
}
_OURS = tuple(hint for hint in _HINTS.values() if hint.startswith("x-"))
_OF_DLT = (
    "x-annotation x-normalizer x-nested-type x-original-name x-row-version x-active-record-timestamp "
    "x-valid- x-athena- x-bigquery- x-clickhouse- x-databricks- x-iceberg- x-lance- x-lancedb- "
    "x-postgres- x-qdrant- x-snowflake- x-weaviate-"
)
_DLT_PREFIXES = tuple(_OF_DLT.split())
_MAX_DIGITS = 38
# Each default stands alone, as in the table that dlt would create (dlt.destinations.type_mapping).
_DIGITS = {"decimal": {"precision": _MAX_DIGITS, "scale": 9}, "wei": {"precision": _MAX_DIGITS, "scale": 0}}
TIMED = ("date", "timestamp")
_MICROSECOND_DIGITS = 6
_ANY_DESTINATION = DestinationCapabilitiesContext.generic_capabilities()
_WRONG = {
    "kind": f"the unknown `data_type` {{!r}}; known are {', '.join(sorted(DATA_TYPES))}",
    "precision": "`precision` {!r}; it must be a whole number",
    "scale": "`scale` {!r}; it must be a whole number",
    "nullable": "`nullable` {!r}; it must be true or false",
    "timezone": "`timezone` {!r}; it must be true or false",
    "description": "`description` {!r}; it must be a text",
    "hard_delete": "`hard_delete` {!r}; it must be true or false",
    "dedup_sort": "`dedup_sort` {!r}; it must be asc or desc",
    "x_from": "`x-from` {!r}; it must be the name of a field, a JSONPath, or a list of such",
    "x_scale": "`x-scale` {!r}; it must be a whole number, such as -2 for cents",
    "x_format": "`x-format` {!r}; it must be epoch_s, epoch_ms or a strptime format with day and year",
    "x_timezone": "the unknown `x-timezone` {!r}; it must be an IANA name, Europe/Berlin",
}


class Column(BaseModel):
    """A column as declared. Undeclared fields get one of these as well, see `UNDECLARED`.

    In the source file:

        columns:
          total: {data_type: decimal, precision: 38, scale: 9, x-from: total_ttc}  # moved to the neutral name
          amount_due: {data_type: decimal, x-scale: -2}                            # integer cents to units
          issue_date: {data_type: date, x-format: "%d-%m-%Y", nullable: false}
          updated_at: {data_type: timestamp, x-timezone: Europe/Berlin}            # stamps without a zone
          line_items__amount: {data_type: decimal}                                 # of a child table
          changed: {data_type: timestamp, x-from: [date_updated, date_created]}    # the first that is not null
          vat: {data_type: text, x-from: "fields[?(@.name=='VAT')].value"}         # out of a list, by name

    Parameters:
        name: the normalized, flattened path from the root record, such as `customer__name` or, for a column
            of a child table, `line_items__amount`.
        kind: dlt's data type; None where the hint leaves the type open.
        precision: digits of a decimal, bits of a bigint, or digits of a second of a timestamp or time.
        scale: digits after the point of a decimal.
        nullable: False makes a record without the value a rejected one.
        timezone: of a timestamp: True stores an instant in UTC, False a stamp without zone.
        description: dlt's own hint, for the column schema.
        hard_delete: dlt's own hint, see `source.marks`; the column is a bool unless it says otherwise.
        dedup_sort: dlt's own hint, `asc` or `desc`, see there.
        x_from: the vendor's field, a key of the record, a dotted path or a JSONPath that finds one value at most;
            or several of these, of which the first that is not null counts. The first one gets the column's name,
            unless it is a JSONPath; what the others lead to stays in its own column, too.
        x_scale: power of ten that each number is multiplied by, -2 for integer cents.
        x_format: a strptime format, `epoch_s` or `epoch_ms`.
        x_timezone: IANA name of the zone of stamps that carry none.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    name: str
    kind: str | None = None
    precision: int | None = Field(default=None, ge=0)
    scale: int | None = Field(default=None, ge=0)
    nullable: bool = True
    timezone: bool = True
    description: str | None = None
    hard_delete: bool = False
    dedup_sort: Literal["asc", "desc"] | None = None
    x_from: str | tuple[str, ...] | None = None
    x_scale: int | None = Field(default=None, ge=-_MAX_DIGITS, le=_MAX_DIGITS)
    x_format: str | None = None
    x_timezone: str | None = None

    @cached_property
    def arrow_type(self) -> pa.DataType:
        """The Arrow type, the one that dlt has for this data type."""
        kind = "decimal" if self.kind == "wei" else self.kind or "text"
        size = {"precision": self.precision, "scale": self.scale} if kind != "binary" else {}
        hints: Any = {"data_type": kind, "timezone": self.timezone, **size}
        return get_py_arrow_datatype(hints, _ANY_DESTINATION, "UTC")

    @property
    def sources(self) -> tuple[str, ...]:
        """The fields that it may come from, as the API names them."""
        return self.x_from if isinstance(self.x_from, tuple) else (self.x_from or self.name,)

    @cached_property
    def is_derived(self) -> bool:
        """Whether its values are looked up, and not only moved."""
        return isinstance(self.x_from, tuple) or (self.x_from is not None and is_query(self.x_from))

    @cached_property
    def second_digits(self) -> int:
        """Digits after the seconds that a timestamp or time keeps: 0, 3 or 6."""
        return 6 if self.precision is None else next(digits for digits in (0, 3, 6) if self.precision <= digits)

    @cached_property
    def zone(self) -> ZoneInfo | None:
        """The zone of stamps without one; None where the declaration names none."""
        return ZoneInfo(self.x_timezone) if self.x_timezone else None

    @model_validator(mode="before")
    @classmethod
    def _with_digits(cls, hints: dict[str, Any]) -> dict[str, Any]:
        kind = {"kind": "bool"} if hints.get("hard_delete") is True else {}
        if isinstance(hints.get("x_from"), list):
            hints = {**hints, "x_from": tuple(hints["x_from"])}
        return {**kind, **_DIGITS.get(str(hints.get("kind")), {}), **hints}

    @field_validator("kind")
    @classmethod
    def _is_of_dlt(cls, kind: str | None) -> str | None:
        if kind is not None and kind not in DATA_TYPES:
            raise ValueError
        return kind

    @field_validator("x_timezone")
    @classmethod
    def _is_a_zone(cls, zone: str | None) -> str | None:
        try:
            return None if zone is None else ZoneInfo(zone).key
        except (LookupError, OSError):
            raise ValueError from None

    @field_validator("x_format")
    @classmethod
    def _names_a_whole_day(cls, form: str | None) -> str | None:
        if form is not None and form not in EPOCHS:
            sample = datetime(2024, 11, 23, tzinfo=UTC)  # also for %z
            if datetime.strptime(sample.strftime(form), form).date() != sample.date():
                raise ValueError
        return form

    @field_validator("x_from")
    @classmethod
    def _names_fields(cls, x_from: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        sources = x_from if isinstance(x_from, tuple) else (x_from or "",)
        if not sources or not all(map(_is_readable, sources)):
            raise ValueError
        return x_from[0] if isinstance(x_from, tuple) and len(x_from) == 1 else x_from

    @model_validator(mode="after")
    def _is_consistent(self) -> Column:
        for wrong in self._contradictions():
            raise ValueError(wrong)
        return self

    def _contradictions(self) -> Iterator[str]:
        precision, scale = self.precision or 0, self.scale or 0
        if self.kind in ("timestamp", "time") and precision > _MICROSECOND_DIGITS:
            yield f"`precision` {precision}; stamps are kept to the microsecond, which is {_MICROSECOND_DIGITS}"
        if self.kind in _DIGITS and not 1 <= precision <= _MAX_DIGITS:
            yield f"`precision` {precision}; a decimal has 1 to {_MAX_DIGITS} digits"
        if self.kind in _DIGITS and scale > precision:
            yield f"`scale` {scale}, which is more than its `precision` {precision}"
        if self.is_derived and "__" in self.name:
            yield f"`x-from` {self.x_from!r}, which a column of the main table can have; give it a name without `__`"
        if self.x_scale is not None and self.kind not in NUMERIC:
            yield f"`x-scale`, which needs one of the data types {', '.join(NUMERIC)}"
        if self.x_format is not None and self.kind not in TIMED:
            yield "`x-format`, which needs the data type date or timestamp"
        if "Z" in re.findall("%(.)", self.x_format or ""):
            yield f"`x-format` {self.x_format!r}; `%Z` reads only the zones of this machine: use %z or `x-timezone`"
        if self.x_timezone is not None and self.kind not in TIMED:
            yield "`x-timezone`, which needs the data type timestamp or date"


def _is_readable(path: str) -> bool:
    try:
        is_query(path)
    except SourceError:
        return False
    return bool(path)


UNDECLARED = {
    "text": Column(name="", kind="text"),
    "a number": Column(name="", kind="decimal"),
    "true or false": Column(name="", kind="bool"),
    "json": Column(name="", kind="json"),
}
"""What an undeclared field becomes, by the shape that its values have."""


def parse_columns(columns: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None) -> dict[str, Column]:
    """Reads the `columns` of a resource.

    Parameters:
        columns: column name -> hints, as `Column` shows, or dlt's other spelling, a list of hints that each
            have a `name`.

    Returns:
        normalized flattened name -> Column, in the order of the declaration.

    Raises:
        ValueError: one sentence that names the column and what is wrong with it.
    """
    parsed: dict[str, Column] = {}
    sources: dict[str, str] = {}
    for written, hints in named_hints(columns or {}):
        column = _column(written, hints)
        if column.name in parsed:
            raise ValueError(f"Column `{written}` is declared twice: both names become `{column.name}`.")
        if column.x_from:
            other = sources.setdefault(column.sources[0], written)
            if other != written:
                raise ValueError(f"Columns `{other}` and `{written}` both have `x-from` `{column.sources[0]}`.")
        parsed[column.name] = column
    return parsed


def named_hints(
    columns: Mapping[str, Any] | Sequence[Mapping[str, Any]],
) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """The columns as they are written, each with its hints; it raises `ValueError` where they have another form."""
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
    name = normalized(written)
    if name.startswith(RESERVED_PREFIX):
        raise ValueError(f"Column `{written}` has a name that dlt keeps for itself.")
    for hint in map(str, hints):
        if hint.startswith(("x-", "x_")) and hint not in _OURS and not hint.startswith(_DLT_PREFIXES):
            raise ValueError(f"Column `{written}` has the unknown hint `{hint}`; known are {', '.join(_OURS)}.")
    given = {field: hints[hint] for field, hint in _HINTS.items() if hints.get(hint) is not None}
    try:
        return Column(name=name, **given)
    except ValidationError as error:
        first = error.errors()[0]
        wrong = _WRONG[str(first["loc"][0])].format(first["input"]) if first["loc"] else str(first["ctx"]["error"])
        raise ValueError(f"Column `{written}` has {wrong}.") from None
