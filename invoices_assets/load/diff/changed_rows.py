"""The rows of a delta as Parquet files, few and large, for dlt to load."""

from __future__ import annotations

from pathlib import Path

from invoices_assets.load.diff.changes import GONE, IDS, REJECTED, UNCHANGED, Delta, spool_view
from invoices_assets.load.spool import SEQ
from invoices_assets.load.sql import ident, literal
from invoices_assets.load.tables import DELETED_AT, LOAD_ID, ROOT_ID, ROW_ID, TIMESTAMPTZ, TablePlan, qualified
from invoices_assets.load.types import duckdb_type
from invoices_assets.source.naming import rejected_table

# dlt makes a job of each file; beyond so many, one new file is cheaper
MOST_FILES = 8
# each thread holds a row group in memory, and wide rows must fit in as well
PARQUET = "(FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE 20480, ROW_GROUP_SIZE_BYTES '16MB')"


def write_files(delta: Delta, directory: Path, load_id: str) -> dict[str, list[Path]]:
    """The rows to load: table -> its files.

    Files of the spool are handed on as they are where that is possible; they have the hidden column of the
    spool, and lack `_dlt_load_id`, `deleted_at` and columns that did not come.

    Parameters:
        load_id: of dlt's load package, for the column `_dlt_load_id`.
    """
    files: dict[str, list[Path]] = {}
    if delta.counts.main:
        for table in delta.plan.tables.values():
            path = directory / f"{table.name}.delta.parquet"
            spooled = _as_spooled(delta, table)
            files[table.name] = spooled or [copy_rows(delta, rows_to_load(delta, table, load_id), path)]
    if delta.counts.rejected_new:
        select = f"SELECT *, {literal(load_id)} AS {ident(LOAD_ID)} FROM {REJECTED}"
        name = rejected_table(delta.sweep.root)
        files[name] = [copy_rows(delta, select, directory / f"{name}.delta.parquet")]
    return files


def _as_spooled(delta: Delta, table: TablePlan) -> list[Path] | None:
    """The spooled files, when all of their rows are to be loaded and none needs another type."""
    files = delta.sweep.files.get(table.name, [])
    if not delta.all_new or delta.doubles or not 0 < len(files) <= MOST_FILES:
        return None
    for _, schema in files:
        for name, kind in zip(schema.names, schema.types, strict=True):
            if name != SEQ and duckdb_type(kind) != table.columns[name]:
                return None
    return [path for path, _ in files]


def rows_to_load(delta: Delta, table: TablePlan, load_id: str) -> str:
    """SQL for the rows of one table that are to be loaded."""
    is_root = table is delta.plan.root
    owner = ident(ROW_ID if is_root else ROOT_ID)
    own = (LOAD_ID, DELETED_AT) if is_root else ()
    columns = [c for c in table.columns if c not in own]
    stamp = f", {literal(load_id)} AS {ident(LOAD_ID)}" if is_root else ""
    alive = f", CAST(NULL AS {TIMESTAMPTZ}) AS {ident(DELETED_AT)}" if is_root else ""
    select = f"SELECT {', '.join(map(ident, columns))}{stamp}{alive} FROM {spool_view(table)}"
    if not delta.all_new:
        select += f" WHERE {owner} IN (SELECT id FROM {IDS} WHERE kind <> {UNCHANGED})"
    if delta.counts.deleted and table.exists:
        dead = f", {delta.now} AS {ident(DELETED_AT)}" if is_root else ""
        stored = [
            ident(c) if c in table.existing else f"CAST(NULL AS {table.columns[c]}) AS {ident(c)}" for c in columns
        ]
        select += (
            f" UNION ALL SELECT {', '.join(stored)}{stamp}{dead} FROM {qualified(delta.dataset, table.name)} "
            f"WHERE {owner} IN (SELECT id FROM {GONE})"
        )
    return select


def copy_rows(delta: Delta, select: str, path: Path) -> Path:
    """Write the rows of a query into a Parquet file."""
    # DuckDB would otherwise now and then hold the wide rows in memory and look the few ids up among them
    delta.connection.execute("SET disabled_optimizers = 'build_side_probe_side'")
    delta.connection.execute(f"COPY ({select}) TO {literal(str(path))} {PARQUET}")
    delta.connection.execute("RESET disabled_optimizers")
    return path
