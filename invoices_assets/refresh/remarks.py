"""What has to be told of a sweep."""

from __future__ import annotations

from collections.abc import Collection

from invoices_assets.extract.sweep import SweepResult
from invoices_assets.extract.watermark import Watermark
from invoices_assets.load.spool import SpooledSweep
from invoices_assets.source.resource import ResourceSpec

TOMBSTONES = ("deleted", "is_deleted", "removed", "is_removed")
"""Columns by which running APIs say that a record is none any more."""


def remarks_on(spec: ResourceSpec, swept: SweepResult) -> list[str]:
    """One sentence for each oddity of what the API gave, with the number of rows."""
    remarks = {
        "records outside of the partition: the API ignores or widens its date window": swept.outside,
    }
    if spec.cursor is not None and swept.cursor is not None:
        remarks |= _cursor_remarks(spec.cursor.path, swept.cursor)
    return [f"{sentence} ({count} rows)" for sentence, count in remarks.items() if count]


def tombstones_in(spec: ResourceSpec, spooled: SpooledSweep) -> list[str]:
    """What is to be said of records that call themselves deleted, and are loaded like all others."""
    if spec.marks.tombstone is not None:
        return []
    counts = {name: spooled.true_rows(name) for name in TOMBSTONES}
    return [f"{unmarked_tombstones(name)} ({count} rows)" for name, count in counts.items() if count]


def unmarked_tombstones(name: str) -> str:
    """The same, of one field."""
    return (
        f"records say `{name}: true` and are loaded like all others; if they are tombstones, declare "
        f"`{name}: {{data_type: bool, hard_delete: true}}`"
    )


def misfits_of(
    spec: ResourceSpec, swept: SweepResult, spooled: SpooledSweep, unmatched: Collection[str] = ()
) -> list[str]:
    """One sentence for each part of the source file that a sweep of everything does not bear out.

    Parameters:
        unmatched: columns whose `x-from` the first records do not have.
    """
    misfits = [
        f"no record of the first page has the `x-from` of `{name}`, which is filled by a field of its own name"
        for name in unmatched
        if spooled.has_value(name)
    ]
    misfits += [
        f"no record has a value for `{column.name}` at its `x-from: {' or '.join(column.sources)}`"
        for column in spec.columns.values()
        if column.x_from and not spooled.has_value(column.name)
    ]
    if spec.cursor is not None and swept.cursor is not None and swept.cursor.without_stamp == swept.rows:
        unread = (
            f"no record has a `{spec.cursor.path}` that can be read as a stamp; if it is one, declare its `x-format`"
        )
        none = f"no record has the change stamp `{spec.cursor.path}`"
        misfits.append(unread if swept.cursor.unreadable else none)
    return swept.misfits + misfits


def _cursor_remarks(path: str, read: Watermark) -> dict[str, int]:
    return {
        f"records without `{path}`": read.without_stamp - read.unreadable,
        f"records with a `{path}` that cannot be read as a stamp": read.unreadable,
        f"records with `{path}` in the future, which did not move the cursor": read.in_future,
        f"records older than asked for: the API ignores or widens its filter on `{path}`": read.before_start,
    }
