"""What becomes of the records of a few pages: tables, and records that are in none of them."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa


@dataclass(frozen=True)
class RejectedRecord:
    """A record that cannot be stored as declared.

    Parameters:
        key: the text of its primary key; None where it has none.
        raw: its JSON text, with exact numbers.
        reason: one sentence without a full stop.
    """

    key: str | None
    raw: str
    reason: str


@dataclass
class NormalizedBatch:
    """A batch of records as tables.

    Parameters:
        tables: table name -> rows, the root table first; only tables that have rows.
        rejected: the records that are in none of the tables, in the order they came.
        remarks: sentence -> the number of rows it is true of.
    """

    tables: dict[str, pa.Table] = field(default_factory=dict)
    rejected: list[RejectedRecord] = field(default_factory=list)
    remarks: dict[str, int] = field(default_factory=dict)

    @property
    def has_an_id_twice(self) -> bool:
        """Whether two records have the same primary key."""
        ids = next((table["_dlt_id"] for table in self.tables.values()), pa.array([]))
        return len(ids.unique()) < len(ids)
