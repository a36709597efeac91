"""What a complete sweep found that the incremental refreshes before it could not, or did not, find."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from invoices_assets.load.diff.changes import CHANGED, IDS, NEW, Delta, spool_view
from invoices_assets.load.sql import ident, literal
from invoices_assets.load.tables import ROW_ID, TIMESTAMPTZ


@dataclass(frozen=True)
class RefreshStart:
    """Where an incremental refresh would have started instead of the complete sweep.

    Parameters:
        column: of the change stamp in the main table.
        start: the stored cursor less the overlap; a moment in the zone of the API's stamps, or a number.
    """

    column: str
    start: datetime | int | Decimal


def count_missed(delta: Delta, mark: RefreshStart) -> int | None:
    """How many new or changed records of a compared sweep lie before the watermark, or carry no stamp.

    Rows that merely got another row id, because plain dlt had written them, are not among them.

    Returns:
        None where the column does not hold what can be compared, such as stamps in an undeclared column.
    """
    root = delta.plan.root
    kind = root.columns.get(mark.column)
    bound = "NULL" if kind is None else _bound(mark.start, kind)
    if bound is None:
        return None
    stamp = f"s.{ident(mark.column)}" if kind else "NULL"
    found = f"FROM {spool_view(root)} s"
    if not delta.all_new:
        found += (
            f" JOIN {IDS} i ON i.id = s.{ident(ROW_ID)} "
            f"AND (i.kind = {NEW} OR i.kind = {CHANGED} AND NOT coalesce(i.rekeyed, false))"
        )
    query = f"SELECT count(*) {found} WHERE {stamp} IS NULL OR {stamp} < {bound}"
    row = delta.connection.execute(query).fetchone()
    return int(row[0]) if row else 0


def _bound(start: datetime | int | Decimal, kind: str) -> str | None:
    if not isinstance(start, datetime):
        return str(start) if kind.startswith("DECIMAL") or kind.endswith("INT") or kind == "INTEGER" else None
    if kind == TIMESTAMPTZ:
        return f"CAST({literal(start.isoformat())} AS {TIMESTAMPTZ})"
    if kind.startswith("TIMESTAMP"):
        return f"CAST({literal(start.astimezone(UTC).replace(tzinfo=None).isoformat())} AS TIMESTAMP)"
    return f"CAST({literal(start.date().isoformat())} AS DATE)" if kind == "DATE" else None
