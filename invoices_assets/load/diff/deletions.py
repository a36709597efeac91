"""Records that the API no longer has, and when not to believe it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

import pyarrow as pa
import pyarrow.parquet as pq

from invoices_assets.errors import DeletionRefused
from invoices_assets.load.diff.changes import GONE, SWEPT, Delta
from invoices_assets.load.request import Stretch, bound
from invoices_assets.load.settings import Hints
from invoices_assets.load.sql import ident
from invoices_assets.load.tables import ROW_ID
from invoices_assets.source.record_key import parts_of

_MISSING = "temp.main._delta_missing"


def refuse_empty_sweep(delta: Delta) -> None:
    """A sweep of everything that is empty, where rows are, is an error: the key may have lost its rights.

    Raises:
        DeletionRefused: in that case.
    """
    if delta.sweep.rows or delta.sweep.rejected or not delta.plan.root.exists:
        return
    total = delta.count(f"SELECT count(*) FROM {delta.table(delta.plan.root)} e WHERE {delta.live}")
    if total:
        raise DeletionRefused(
            f"the API shows no records though the warehouse has {total:,} in {_name(delta)}; "
            "nothing was changed, for some APIs answer a wrong key with an empty list"
        )


def find_missing(delta: Delta, limit: float, asked: Stretch | None, hints: Hints) -> int | None:
    """Put the row ids of the live records that a sweep of everything does not have into a table.

    Parameters:
        delta: compared.
        limit: the largest believable share of the live rows, 0 to 1.
        asked: only rows in it were asked for; None for all.
        hints: for the refusal.

    Returns:
        How many they are; None where the stamps do not tell what was asked for.

    Raises:
        DeletionRefused: they are more than `limit`.
    """
    within = _in_stretch(delta, asked) if asked is not None else "true"
    if delta.all_new or within is None:
        return 0 if delta.all_new else None
    judged = f"{delta.table(delta.plan.root)} e WHERE {delta.live} AND {within}"
    delta.connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {_MISSING} AS SELECT DISTINCT e.{ident(ROW_ID)} AS id "
        f"FROM {judged} AND NOT {in_sweep(delta)}"
    )
    gone = delta.count(f"SELECT count(*) FROM {_MISSING}")
    total = delta.count(f"SELECT count(*) FROM {judged}") if gone else 0
    if gone > limit * total:
        raise DeletionRefused(
            f"{gone:,} of {total:,} records in {_name(delta)} ({gone / total:.0%}) are missing from "
            f"the API, more than the limit of {limit:.0%}; nothing was marked as deleted; "
            f"if it is right, {hints.accept_deletions}"
        )
    return gone


def mark_missing(delta: Delta) -> None:
    """Add what `find_missing` has found to what is gone."""
    if not delta.all_new:
        delta.connection.execute(f"INSERT INTO {GONE} SELECT id FROM {_MISSING}")
        delta.counts.deleted = delta.count(f"SELECT count(*) FROM {GONE}")


def _in_stretch(delta: Delta, asked: Stretch) -> str | None:
    """SQL that tells whether a stored row `e` was asked for; None where its stamp cannot be compared."""
    root = delta.plan.root
    kind = root.columns.get(asked.column, "") if asked.column in root.existing else ""
    start = bound(asked.start, kind)
    if start is None:
        return None
    unstamped = f" OR e.{ident(asked.column)} IS NULL" if asked.unstamped else ""
    return f"(e.{ident(asked.column)} >= {start}{unstamped})"


def in_sweep(delta: Delta) -> str:
    """SQL that tells whether a stored row `e` is in the sweep: also as a tombstone, or as a rejected record."""
    found = f"EXISTS (SELECT 1 FROM {SWEPT} s WHERE {delta.same})"
    files = delta.sweep.rejected_files
    keys = chain.from_iterable(pq.read_table(file, columns=["key"])["key"].to_pylist() for file in files)
    rejected = key_table(delta, keys)
    return found if rejected is None else f"({found} OR EXISTS (SELECT 1 FROM {rejected} s WHERE {delta.same}))"


def key_table(delta: Delta, keys: Iterable[str | None]) -> str | None:
    """A table of the keys of rejected records, as texts in `key` and by their parts in the columns' own types.

    Parameters:
        keys: as `invoices_rejected.key` has them.

    Returns:
        its name; None when no record has a key.
    """
    names, columns = delta.key, delta.plan.root.columns
    split = {key: parts_of(key, len(names)) for key in keys if key is not None}
    split = {key: parts for key, parts in split.items() if len(parts) == len(names)}
    if not split or not columns:
        return None
    texts = {f"k{i}": pa.array([parts[i] for parts in split.values()], pa.string()) for i in range(len(names))}
    cast = [f"TRY_CAST(k{i} AS {columns[name]}) AS {ident(name)}" for i, name in enumerate(names)]
    delta.connection.register("_delta_keys_arrow", pa.table({"key": pa.array(split, pa.string()), **texts}))
    delta.connection.execute(
        f"CREATE OR REPLACE TEMP TABLE _delta_keys AS SELECT key, {', '.join(cast)} FROM _delta_keys_arrow"
    )
    delta.connection.unregister("_delta_keys_arrow")
    return "temp.main._delta_keys"


def _name(delta: Delta) -> str:
    return f"{delta.dataset}.{delta.plan.root.name}"
