"""A row is never replaced by an older version of itself, though sweeps of the same records may overlap in time."""

from __future__ import annotations

from invoices_assets.errors import SweepOutdated
from invoices_assets.load.diff.changes import GONE, Delta
from invoices_assets.load.diff.history import HISTORY_KEY
from invoices_assets.load.request import KnownState
from invoices_assets.load.saved_state import load_ids
from invoices_assets.load.sql import ident, literal
from invoices_assets.load.tables import LOAD_ID, ROW_ID, qualified, table_exists
from invoices_assets.source.naming import rejected_table


def refuse_moved(seen: KnownState, now: KnownState) -> None:
    """Look whether what a sweep was planned by still holds: the state of its resource, and the state of its tables.

    Raises:
        SweepOutdated: it does not.
    """
    if (_of_sweeps(seen), seen.doubt) != (_of_sweeps(now), now.doubt):
        raise SweepOutdated()


def _of_sweeps(known: KnownState) -> dict[str, object]:
    # the history tells of each load, which is no matter of the sweep
    return {key: value for key, value in known.state.items() if key != HISTORY_KEY}


def refuse_outdated(delta: Delta, seen: KnownState) -> None:
    """Look whether a load that came since the sweep began has written what this one would replace, mark or settle.

    Parameters:
        delta: compared.
        seen: when the sweep began.

    Raises:
        SweepOutdated: there is one.
    """
    since = load_ids(delta.connection, delta.dataset) - seen.loads
    if not since:
        return
    touched = []
    if not delta.all_new:
        touched.append(f"SELECT e.{ident(LOAD_ID)} FROM {delta.replaced}")
    if delta.counts.deleted:
        stored = delta.table(delta.plan.root)
        touched.append(f"SELECT {ident(LOAD_ID)} FROM {stored} WHERE {ident(ROW_ID)} IN (SELECT id FROM {GONE})")
    rejected = rejected_table(delta.sweep.root)
    if table_exists(delta.connection, delta.dataset, rejected):
        # a record that was rejected there may be an older version here, whichever key it has
        touched.append(f"SELECT {ident(LOAD_ID)} FROM {qualified(delta.dataset, rejected)}")
    loads = ", ".join(map(literal, sorted(since)))
    for rows in touched:
        if delta.count(f"SELECT count(*) FROM ({rows}) WHERE {ident(LOAD_ID)} IN ({loads})"):
            raise SweepOutdated()
