"""What a complete sweep found that the incremental refreshes before it could not, or did not, find."""

from __future__ import annotations

from invoices_assets.load.diff.changes import CHANGED, IDS, NEW, Delta, spool_view
from invoices_assets.load.request import Stretch, bound
from invoices_assets.load.sql import ident
from invoices_assets.load.tables import ROW_ID


def count_missed(delta: Delta, refreshed: Stretch) -> int | None:
    """How many new or changed records of a compared sweep lie before `refreshed`, or carry no stamp.

    Rows that merely got another row id, because plain dlt had written them, are not among them.

    Returns:
        None where the column does not hold what can be compared, such as stamps in an undeclared column.
    """
    kind = delta.plan.root.columns.get(refreshed.column)
    start = "NULL" if kind is None else bound(refreshed.start, kind)
    if start is None:
        return None
    stamp = f"s.{ident(refreshed.column)}" if kind else "NULL"
    found = f"FROM {spool_view(delta.plan.root)} s"
    if not delta.all_new:
        found += (
            f" JOIN {IDS} i ON i.id = s.{ident(ROW_ID)} "
            f"AND (i.kind = {NEW} OR i.kind = {CHANGED} AND NOT coalesce(i.rekeyed, false))"
        )
    return delta.count(f"SELECT count(*) {found} WHERE {stamp} IS NULL OR {stamp} < {start}")
