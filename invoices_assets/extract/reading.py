"""What a pass reads of single records: which one each is, which version of it, and whether it marks a deletion."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from invoices_assets.extract.watermark import stamp_reader_of
from invoices_assets.source.columns.column import TIMED, Column
from invoices_assets.source.columns.fields import field_reader
from invoices_assets.source.record_key import keys_of
from invoices_assets.source.resource import ResourceSpec
from invoices_assets.source.timestamps import stamp_reader
from invoices_assets.source.values.exact_json import Unreadable
from invoices_assets.source.values.numbers import flag


@dataclass(frozen=True)
class RecordReaders:
    """Reads records.

    Parameters:
        keys: gives the identity of each record of a page, None where one has none.
        stamp: gives the change stamp of a record; None where one that comes again is a contradiction.
        is_tombstone: tells whether a record marks a deletion; None where none does (`hard_delete`).
        version: gives what tells versions of a record apart; None where there is one of each (`dedup_sort`).
    """

    keys: Callable[[Sequence[Any]], list[Any]]
    stamp: Callable[[Any], Any] | None = None
    is_tombstone: Callable[[Any], bool] | None = None
    version: Callable[[Any], Any] | None = None


def reading_of(spec: ResourceSpec, *, changes_come_again: bool) -> RecordReaders:
    """The reading of a resource.

    Parameters:
        changes_come_again: a record that changes meanwhile may rightly come a second time.
    """
    tombstone, version = spec.marks.tombstone, spec.marks.version
    return RecordReaders(
        keys_of(spec),
        stamp_reader_of(spec, spec.cursor.path) if spec.cursor is not None and changes_come_again else None,
        None if tombstone is None else _tombstones(spec, tombstone),
        None if version is None else field_reader(spec.columns, version, version.sources[0]),
    )


def _tombstones(spec: ResourceSpec, column: Column) -> Callable[[Any], bool]:
    find = field_reader(spec.columns, column, column.sources[0])
    read: Callable[[Any], Any] = stamp_reader(column, exact=False) if column.kind in TIMED else str
    read = flag if column.kind == "bool" else read

    def is_tombstone(record: Any) -> bool:
        value = find(record)
        try:
            found = None if value is None else read(value)
        except Unreadable:
            return False  # such a record is rejected
        return found is not None and found is not False

    return is_tombstone
