"""Rejected records that still wait: a load that brings one in, or finds it gone, removes its rejection."""

from __future__ import annotations

from invoices_assets.errors import NothingStored
from invoices_assets.load.diff.changes import SWEPT, Delta
from invoices_assets.load.diff.deletions import key_table
from invoices_assets.load.request import Scope
from invoices_assets.load.sql import ident, parquet
from invoices_assets.load.tables import ROW_ID, qualified, table_exists
from invoices_assets.source.naming import rejected_table


def settle_rejections(delta: Delta, scope: Scope) -> int:
    """Remove, in the transaction of a load, the rejections of records that its sweep brought otherwise.

    Parameters:
        delta: compared.
        scope: what a sweep of everything did not reject is settled, also a record without a key.

    Returns:
        How many were removed.
    """
    connection, table = delta.connection, rejected_table(delta.sweep.root)
    if not table_exists(connection, delta.dataset, table):
        return 0
    name = qualified(delta.dataset, table)
    settled = "true" if scope.is_everything else f"key IN ({_swept_keys(delta, name)})"
    if delta.sweep.rejected_files:
        rejected = parquet(delta.sweep.rejected_files)
        if not scope.is_everything:
            settled = f"({settled} OR key IN (SELECT key FROM {rejected}))"
        settled += f" AND {ident(ROW_ID)} NOT IN (SELECT {ident(ROW_ID)} FROM {rejected})"
    row = connection.execute(f"DELETE FROM {name} WHERE {settled}").fetchone()
    return int(row[0]) if row else 0


def refuse_if_all_rejected(delta: Delta) -> None:
    """A sweep of everything of which nothing can be stored is a fault of the declaration, not of records.

    Raises:
        NothingStored: in that case; the most frequent reason is in the sentence.
    """
    sweep = delta.sweep
    if not sweep.rejected or sweep.rows:
        return
    query = f"SELECT reason FROM {parquet(sweep.rejected_files)} GROUP BY reason ORDER BY count(*) DESC, reason LIMIT 1"
    [(reason,)] = delta.connection.execute(query).fetchall()
    raise NothingStored(
        f"none of the {sweep.rejected:,} records of `{sweep.root}` can be stored as declared, most often because of: "
        f"{reason}; nothing was loaded; compare `columns` in the source file with what the API sends"
    )


def _swept_keys(delta: Delta, rejections: str) -> str:
    """SQL for the keys of rejections whose records the sweep has as rows or as tombstones."""
    known = delta.connection.execute(f"SELECT DISTINCT key FROM {rejections} WHERE key IS NOT NULL").fetchall()
    waiting = key_table(delta, (text for (text,) in known))
    if waiting is None:
        return "SELECT NULL WHERE false"
    return f"SELECT e.key FROM {waiting} e JOIN {SWEPT} s ON {delta.same}"
