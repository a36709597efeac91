"""A row is never replaced by an older version of itself, though sweeps of the same records may overlap in time."""

from __future__ import annotations

from invoices_assets.errors import SweepOutdated
from invoices_assets.load.diff.changes import CHANGED, GONE, IDS, RETURNED, Delta, spool_view
from invoices_assets.load.saved_state import load_ids
from invoices_assets.load.sql import ident, literal
from invoices_assets.load.tables import LOAD_ID, ROW_ID


def refuse_outdated(delta: Delta, seen: frozenset[str] | None) -> None:
    """Look whether a load that came since the sweep began has written rows that this one would replace or mark.

    Parameters:
        delta: compared.
        seen: the loads that were there when the sweep began; None where nobody looked.

    Raises:
        SweepOutdated: there is one.
    """
    since = load_ids(delta.connection, delta.dataset) - seen if seen is not None else frozenset()
    if not since or delta.all_new:
        return
    row_id, stored = ident(ROW_ID), delta.table(delta.plan.root)
    same = " AND ".join(f"s.{ident(key)} = e.{ident(key)}" for key in delta.key)
    touched = (
        f"SELECT e.{ident(LOAD_ID)} FROM {IDS} i JOIN {spool_view(delta.plan.root)} s ON s.{row_id} = i.id "
        f"JOIN {stored} e ON {same} WHERE i.kind IN ({CHANGED}, {RETURNED})"
    )
    if delta.counts.deleted:
        touched += f" UNION ALL SELECT {ident(LOAD_ID)} FROM {stored} WHERE {row_id} IN (SELECT id FROM {GONE})"
    loads = ", ".join(map(literal, sorted(since)))
    if delta.count(f"SELECT count(*) FROM ({touched}) WHERE {ident(LOAD_ID)} IN ({loads})"):
        raise SweepOutdated()
