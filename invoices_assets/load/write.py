"""What differs is written into the warehouse: rows, rejected records and versions, straight from the spool."""

from __future__ import annotations

from decimal import Decimal

from invoices_assets.load.diff.changes import GONE, IDS, REJECTED, UNCHANGED, Delta, spool_view
from invoices_assets.load.diff.history import RECORD_KEY, VALID_FROM, VALID_TO, versions_to_load
from invoices_assets.load.sql import ident, literal
from invoices_assets.load.tables import DELETED_AT, LOAD_ID, ROOT_ID, ROW_ID, TablePlan, qualified
from invoices_assets.load.types import TIMESTAMPTZ
from invoices_assets.source.naming import rejected_table

REPLACED = "temp.main._delta_replaced"
VERSIONS = "temp.main._delta_versions"


def write_rows(delta: Delta, load_id: str) -> None:
    """Put the changed records, with their child rows, in the place of the stored ones, and mark the gone ones."""
    if delta.counts.changed or delta.counts.returned:
        _delete_replaced(delta)
    if delta.counts.new or delta.counts.changed or delta.counts.returned:
        for table in delta.plan.tables.values():
            _insert(delta, table, load_id)
    if delta.counts.deleted:
        delta.connection.execute(
            f"UPDATE {delta.table(delta.plan.root)} SET {ident(DELETED_AT)} = {delta.now}, "
            f"{ident(LOAD_ID)} = {literal(load_id)} WHERE {ident(ROW_ID)} IN (SELECT id FROM {GONE})"
        )


def write_rejected(delta: Delta, load_id: str) -> None:
    """Add the records that were rejected for the first time."""
    if delta.counts.rejected_new:
        delta.connection.execute(
            f"INSERT INTO {qualified(delta.dataset, rejected_table(delta.sweep.root))} BY NAME "
            f"SELECT *, {literal(load_id)} AS {ident(LOAD_ID)} FROM {REJECTED}"
        )


def write_versions(delta: Delta, load_id: str, *, behind: bool) -> int:
    """Add new versions to the history and end those before them; to be called before `write_rows`.

    Parameters:
        load_id: dlt's, seconds since 1970; the versions begin then.
        behind: compare every row of the main table, not only what the load changes.

    Returns:
        How many were added.
    """
    history = delta.plan.history
    assert history is not None
    name, row_id = delta.table(history), ident(ROW_ID)
    begins = f"make_timestamptz({round(Decimal(load_id) * 1_000_000)})"
    key = ident(RECORD_KEY if RECORD_KEY in history.columns else delta.key[0])
    select = versions_to_load(delta, load_id, behind=behind)
    delta.connection.execute(f"CREATE OR REPLACE TEMP TABLE {VERSIONS} AS {select}")
    present = f"SELECT {row_id} FROM {name} WHERE {ident(VALID_TO)} IS NULL"
    ended = f"{key} IN (SELECT {key} FROM {VERSIONS}) AND {row_id} NOT IN (SELECT {row_id} FROM {VERSIONS})"
    delta.connection.execute(
        f"UPDATE {name} SET {ident(VALID_TO)} = {begins} WHERE {ident(VALID_TO)} IS NULL AND {ended}"
    )
    row = delta.connection.execute(
        f"INSERT INTO {name} BY NAME SELECT *, {begins} AS {ident(VALID_FROM)}, "
        f"CAST(NULL AS {TIMESTAMPTZ}) AS {ident(VALID_TO)} FROM {VERSIONS} WHERE {row_id} NOT IN ({present})"
    ).fetchone()
    return int(row[0]) if row else 0


def _delete_replaced(delta: Delta) -> None:
    root = delta.plan.root
    delta.connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {REPLACED} AS SELECT DISTINCT e.{ident(ROW_ID)} AS id FROM {delta.replaced}"
    )
    for table in reversed(delta.plan.tables.values()):
        if table.exists:
            owner = ident(ROW_ID if table is root else ROOT_ID)
            delta.connection.execute(f"DELETE FROM {delta.table(table)} WHERE {owner} IN (SELECT id FROM {REPLACED})")


def _insert(delta: Delta, table: TablePlan, load_id: str) -> None:
    is_root = table is delta.plan.root
    own = {LOAD_ID: literal(load_id), DELETED_AT: f"CAST(NULL AS {TIMESTAMPTZ})"} if is_root else {}
    values = [own.get(column, ident(column)) for column in table.columns]
    select = f"SELECT {', '.join(values)} FROM {spool_view(table)}"
    if not delta.all_new:
        select += f" WHERE {ident(ROW_ID if is_root else ROOT_ID)} IN (SELECT id FROM {IDS} WHERE kind <> {UNCHANGED})"
    # DuckDB would otherwise now and then hold the wide rows in memory and look the few ids up among them
    delta.connection.execute("SET disabled_optimizers = 'build_side_probe_side'")
    delta.connection.execute(f"INSERT INTO {delta.table(table)} ({', '.join(map(ident, table.columns))}) {select}")
    delta.connection.execute("RESET disabled_optimizers")
