"""Whether an incremental sweep goes on from what was loaded: the overlap that it asked for has to come back.

A cursor tells where an API was left, not which: another key may be another tenant at the same address. But a
question that reaches back by `lag` asks again for records that the warehouse has, so some of them must be in the
answer. Only their ids are looked at.
"""

from __future__ import annotations

from invoices_assets.errors import NotContinuous
from invoices_assets.load.diff.changes import Delta
from invoices_assets.load.diff.deletions import in_sweep
from invoices_assets.load.request import Stretch, bound
from invoices_assets.load.sql import ident


def prove_continuity(delta: Delta, overlap: Stretch) -> None:
    """Looks for the live rows of the overlap in a compared sweep.

    Its first stamp is not looked at, for an API may leave it out; so where `lag` is 0, nothing can be told. Nor can
    it where stamps are stored as what cannot be compared.

    Raises:
        NotContinuous: the warehouse has such rows, and the sweep has none of them.
    """
    root = delta.plan.root
    kind = root.columns.get(overlap.column, "") if overlap.column in root.existing else ""
    start, end = bound(overlap.start, kind), None if overlap.end is None else bound(overlap.end, kind)
    if delta.all_new or start is None or end is None:
        return
    stamp = f"e.{ident(overlap.column)}"
    [(known, is_there)] = delta.connection.execute(
        f"SELECT count(*), coalesce(bool_or(found), true) FROM (SELECT {in_sweep(delta)} AS found "
        f"FROM {delta.table(root)} e WHERE {delta.live} AND {stamp} > {start} AND {stamp} <= {end})"
    ).fetchall()
    if not is_there:
        raise NotContinuous(known)
