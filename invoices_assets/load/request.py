"""What a load is to do with a proven sweep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from invoices_assets.load.sql import literal
from invoices_assets.load.types import TIMESTAMPTZ


class Scope(Enum):
    """What a sweep covers, and so what it means that a record is not in it."""

    PART = "part"
    """Nothing: only some of the records were asked for."""
    EVERYTHING = "everything"
    """The API no longer has it; its row is left alone."""
    EVERYTHING_MARK_DELETED = "everything, mark deleted"
    """The API no longer has it; its row gets the time in `deleted_at`."""

    @property
    def is_everything(self) -> bool:
        """Whether the sweep has every record of the API."""
        return self is not Scope.PART


Moment = datetime | int | Decimal
"""A change stamp that can be compared: a moment in the zone of the API's stamps, or a number."""


@dataclass(frozen=True)
class Stretch:
    """A stretch of the change stamps in the main table.

    Parameters:
        column: of the stamp.
        start: where it begins.
        end: the last stamp in it; None for all that come.
        unstamped: whether records without a stamp belong to it.
    """

    column: str
    start: Moment
    end: Moment | None = None
    unstamped: bool = False


@dataclass(frozen=True)
class KnownState:
    """What dlt's state holds of a resource.

    Parameters:
        state: empty if there is none, or no row that it could be about.
        doubt: why its cursor must not be relied on; None where it may.
        loads: the ids of all loads.
    """

    state: Mapping[str, Any] = field(default_factory=dict)
    doubt: str | None = None
    loads: frozenset[str] = frozenset()


@dataclass(frozen=True)
class LoadRequest:
    """What a load is to do.

    Parameters:
        scope: what the sweep covers.
        state: merged into dlt's state of the resource, committed with the rows; None leaves it alone.
        max_deleted_share: the largest believable share of the live rows that a sweep of everything lacks, 0 to 1;
            None where a sweep that marks no deletions may lack any.
        asked: what a sweep of everything has asked for, where that is less: only rows in it can be found deleted.
        refreshed: what an incremental refresh would have asked for instead of everything; the records of the
            sweep before it were missed by earlier refreshes.
        overlap: what an incremental sweep has asked for again, of whose rows some have to come back.
        seen: what was known when the sweep began; None where nobody looked.
        now: the time for `deleted_at` and `rejected_at`; the clock's by default.
    """

    scope: Scope = Scope.PART
    state: Mapping[str, Any] | None = None
    max_deleted_share: float | None = None
    asked: Stretch | None = None
    refreshed: Stretch | None = None
    overlap: Stretch | None = None
    seen: KnownState | None = None
    now: datetime | None = None

    @property
    def moment(self) -> datetime:
        """The time of the load, in UTC."""
        return (self.now or datetime.now(UTC)).astimezone(UTC)


def bound(value: Moment, kind: str) -> str | None:
    """A moment or number as SQL that compares with a column of the DuckDB type `kind`; None where none does."""
    if not isinstance(value, datetime):
        return str(value) if kind.startswith("DECIMAL") or kind.endswith("INT") or kind == "INTEGER" else None
    if kind == TIMESTAMPTZ:
        return f"CAST({literal(value.isoformat())} AS {kind})"
    if kind.startswith("TIMESTAMP"):
        return f"CAST({literal(value.astimezone(UTC).replace(tzinfo=None).isoformat())} AS TIMESTAMP)"
    return f"CAST({literal(value.date().isoformat())} AS DATE)" if kind == "DATE" else None
