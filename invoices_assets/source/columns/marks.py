"""dlt's hints that say which records count: `hard_delete` marks a deletion, `dedup_sort` tells versions apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from invoices_assets.source.columns.column import Column

_UNORDERED = ("bool", "json", "binary")


@dataclass(frozen=True)
class Marks:
    """The columns of the main table that have one of the two hints; None where none has.

    In the source file:

        columns:
          deleted: {data_type: bool, hard_delete: true}      # a record with it true is a tombstone
          removed_at: {data_type: timestamp, hard_delete: true}  # one with it not null, for every other type
          version: {data_type: bigint, dedup_sort: desc}     # of those with one key the highest counts

    Parameters:
        tombstone: a record with a value there marks its key as deleted, and is no row.
        version: the order of records that have one key; without it the last one that came counts.
    """

    tombstone: Column | None = None
    version: Column | None = None

    @property
    def fields(self) -> list[str]:
        """The API's own names of both."""
        return [source for column in (self.tombstone, self.version) if column for source in column.sources]


NO_MARKS = Marks()


def read_marks(columns: Mapping[str, Column], primary_key: tuple[str, ...]) -> Marks:
    """The marks among declared columns.

    Raises:
        ValueError: a hint stands where it cannot be followed.
    """
    return Marks(
        _only("hard_delete", [column for column in columns.values() if column.hard_delete], primary_key),
        _only("dedup_sort", [column for column in columns.values() if column.dedup_sort], primary_key),
    )


def _only(hint: str, found: list[Column], primary_key: tuple[str, ...]) -> Column | None:
    if not found:
        return None
    column = found[0]
    if len(found) > 1:
        raise ValueError(f"both `{column.name}` and `{found[1].name}` have `{hint}`; one column can have it.")
    if column.name in primary_key:
        raise ValueError(f"column `{column.name}` is of the primary key and so cannot have `{hint}`.")
    if "__" in column.name:
        raise ValueError(
            f"column `{column.name}` has `{hint}`, which only a column of the main table can have; if its field is "
            f"there, give it a name of its own: `{{x-from: {column.name.replace('__', '.')}}}`."
        )
    if hint == "dedup_sort" and column.kind in (None, *_UNORDERED):
        raise ValueError(f"column `{column.name}` has `{hint}` and so needs a `data_type` that has an order.")
    return column
