"""A declared column of a resource: dlt's own hints and the `x-` hints, checked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pyarrow as pa
from dlt.common.data_types.typing import TDataType
from dlt.common.destination import DestinationCapabilitiesContext
from dlt.common.libs.pyarrow import get_py_arrow_datatype
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from invoices_assets.errors import SourceError
from invoices_assets.source.naming import normalized
from invoices_assets.source.values.paths import is_query

EPOCHS = {"epoch_s": 0, "epoch_ms": -3}
"""The `x-format`s that count from 1970-01-01T00:00:00Z, and the power of ten of a second that they count."""

NUMERIC = ("decimal", "bigint", "double", "wei")
"""The data types of numbers."""

DECIMAL_DIGITS = 38
"""The most that DuckDB and Arrow have room for."""

# Each default stands alone, as in the table that dlt would create (dlt.destinations.type_mapping).
_DIGITS = {"decimal": {"precision": DECIMAL_DIGITS, "scale": 9}, "wei": {"precision": DECIMAL_DIGITS, "scale": 0}}
TIMED = ("date", "timestamp")
_MICROSECOND_DIGITS = 6
_ANY_DESTINATION = DestinationCapabilitiesContext.generic_capabilities()


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
          line_items: {x-table: true}                                              # a list, whose rows are an asset
          gross: {data_type: decimal, x-sum-of: line_items.amount}                 # what a check adds up
          customer__email: {x-pii: true}                                           # masked in previews

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
        x_pii: its values are of a person, and masked wherever rows are shown.
        x_table: it is a list, whose rows are a table and an asset of their own.
        x_sum_of: normalized path of the column of a child table that adds up to this one.
        x_tolerance: by how much that sum may be off, in the unit of the column.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    name: str
    kind: TDataType | None = None
    precision: int | None = Field(default=None, ge=0)
    scale: int | None = Field(default=None, ge=0)
    nullable: bool = True
    timezone: bool = True
    description: str | None = None
    hard_delete: bool = False
    dedup_sort: Literal["asc", "desc"] | None = None
    x_from: str | tuple[str, ...] | None = None
    x_scale: int | None = Field(default=None, ge=-DECIMAL_DIGITS, le=DECIMAL_DIGITS)
    x_format: str | None = None
    x_timezone: str | None = None
    x_pii: bool = False
    x_table: bool = False
    x_sum_of: str | None = None
    x_tolerance: Decimal = Field(default=Decimal(0), ge=0)

    @cached_property
    def arrow_type(self) -> pa.DataType:
        """The Arrow type, the one that dlt has for this data type."""
        kind = "decimal" if self.kind == "wei" else self.kind or "text"
        size = {"precision": self.precision, "scale": self.scale} if kind != "binary" else {}
        hints: Any = {"data_type": kind, "timezone": self.timezone, **size}
        return get_py_arrow_datatype(hints, _ANY_DESTINATION, "UTC")

    @cached_property
    def deciding(self) -> dict[str, Any]:
        """What decides the values, and whether they must be there; empty where hints tell only what it means."""
        telling = {"name", "description", "x_pii", "x_table", "x_sum_of", "x_tolerance"}
        return self.model_dump(exclude_defaults=True, exclude=telling)

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

    @field_validator("x_tolerance", mode="before")
    @classmethod
    def _is_an_amount(cls, tolerance: Any) -> Any:
        # as it is written: YAML gives a float, whose shortest text is that
        is_number = isinstance(tolerance, int | float) and not isinstance(tolerance, bool)
        return Decimal(str(tolerance)) if is_number else tolerance

    @field_validator("x_sum_of")
    @classmethod
    def _is_in_a_child_table(cls, path: str | None) -> str | None:
        place = None if path is None else "__".join(map(normalized, path.replace("__", ".").split(".")))
        if place is not None and "__" not in place:
            raise ValueError
        return place

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
        # dlt also takes a dotted path with the root of a JSONPath in front
        sources = tuple(each if is_query(each) else each.removeprefix("$.") for each in sources)
        return sources if len(sources) > 1 else sources[0]

    @model_validator(mode="after")
    def _is_consistent(self) -> Column:
        for wrong in self._contradictions():
            raise ValueError(wrong)
        return self

    def _contradictions(self) -> Iterator[str]:
        precision, scale = self.precision or 0, self.scale or 0
        if self.kind in ("timestamp", "time") and precision > _MICROSECOND_DIGITS:
            yield f"`precision` {precision}; stamps are kept to the microsecond, which is {_MICROSECOND_DIGITS}"
        if self.kind in _DIGITS and not 1 <= precision <= DECIMAL_DIGITS:
            yield f"`precision` {precision}; a decimal has 1 to {DECIMAL_DIGITS} digits"
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
        if self.x_table and (self.kind is not None or self.x_from):
            yield "`x-table`, which a list without `data_type` and `x-from` can have; its rows are a table"
        if self.x_sum_of is not None and (self.kind not in NUMERIC or "__" in self.name):
            yield "`x-sum-of`, which a column of the main table with the data type of a number can have"
        if self.x_tolerance and self.x_sum_of is None:
            yield "`x-tolerance`, which needs an `x-sum-of`"
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
