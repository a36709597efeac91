"""Rejected records that still wait: a load that brings one in, or finds it gone, removes its rejection."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from invoices_assets.load.diff.changes import Delta, spool_view
from invoices_assets.load.diff.deletions import key_spellings
from invoices_assets.load.sql import ident, literal
from invoices_assets.load.tables import ROW_ID, qualified, rejected_table, table_exists
from invoices_assets.load.types import text_of


def settle_rejections(delta: Delta, key: Sequence[str], *, everything: bool) -> int:
    """Remove, in the transaction of a load, the rejections of records that its sweep brought otherwise.

    Parameters:
        delta: compared.
        key: the columns of the primary key.
        everything: the sweep has every record of the API, so what it did not reject is settled, also a record
            without a key.

    Returns:
        How many were removed.
    """
    connection, table = delta.connection, rejected_table(delta.sweep.root)
    if not table_exists(connection, delta.dataset, table):
        return 0
    name = qualified(delta.dataset, table)
    settled = "true" if everything else f"key IN ({_swept_keys(delta, key, name)})"
    if delta.sweep.rejected_files:
        files = ", ".join(literal(str(path)) for path in delta.sweep.rejected_files)
        rejected = f"read_parquet([{files}])"
        if not everything:
            settled = f"({settled} OR key IN (SELECT key FROM {rejected}))"
        settled += f" AND {ident(ROW_ID)} NOT IN (SELECT {ident(ROW_ID)} FROM {rejected})"
    row = connection.execute(f"DELETE FROM {name} WHERE {settled}").fetchone()
    return int(row[0]) if row else 0


def _swept_keys(delta: Delta, key: Sequence[str], rejections: str) -> str:
    """SQL for the keys of rejections whose records the sweep has as rows."""
    known = delta.connection.execute(f"SELECT DISTINCT key FROM {rejections} WHERE key IS NOT NULL").fetchall()
    spelled = [(text, parts) for (text,) in known for parts in key_spellings(text, len(key))]
    root = delta.plan.root
    if not spelled or not root.columns:
        return "SELECT NULL WHERE false"
    columns = {"key": pa.array([text for text, _ in spelled], pa.string())}
    for index in range(len(key)):
        columns[f"k{index}"] = pa.array([parts[index] for _, parts in spelled], pa.string())
    table = "temp.main._delta_waiting"
    delta.connection.register("_delta_waiting_arrow", pa.table(columns))
    delta.connection.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT * FROM _delta_waiting_arrow")
    delta.connection.unregister("_delta_waiting_arrow")
    same = " AND ".join(
        f"w.k{index} = {text_of(f's.{ident(name)}', root.columns[name])}" for index, name in enumerate(key)
    )
    return f"SELECT w.key FROM {table} w JOIN {spool_view(root)} s ON {same}"
