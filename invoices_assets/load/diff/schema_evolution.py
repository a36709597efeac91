"""Do the rows fit the tables that are there? Columns are added or widened, or the load is refused.

DuckDB casts on insert without a word, and rounds (DECIMAL to BIGINT, DOUBLE to anything). So nothing is left
to it: before a row is written, every column has one type on both sides.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import duckdb

from invoices_assets.errors import TableRefused
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.spool import REJECTED_SCHEMA, SpooledSweep
from invoices_assets.load.sql import ident, parquet
from invoices_assets.load.tables import (
    COLUMNS_VIEW,
    DELETED_AT,
    LOAD_ID,
    LoadPlan,
    Stored,
    TablePlan,
    refuse_without,
    stored_tables,
)
from invoices_assets.load.types import TIMESTAMPTZ, VARCHAR, can_become_text, common_type, duckdb_type, text_of, widens
from invoices_assets.source.columns.column import Column
from invoices_assets.source.columns.meaning import columns_below
from invoices_assets.source.naming import rejected_table
from invoices_assets.source.resource import ResourceSpec

JSON = "JSON"


def plan_tables(
    connection: duckdb.DuckDBPyConnection, settings: WarehouseSettings, sweep: SpooledSweep, resource: ResourceSpec
) -> LoadPlan:
    """Compare the columns of `sweep` with the tables of the warehouse.

    Returns:
        The tables after the load. Nothing is changed yet: see `widen`.

    Raises:
        TableRefused: a table cannot take the rows without loss; one sentence with the way out.
    """
    stored = stored_tables(connection, settings, sweep.root)
    plan = LoadPlan({}, [])
    spooled = sweep.columns
    _refuse_foreign_rejections(connection, settings, rejected_table(sweep.root))
    if DELETED_AT in spooled.get(sweep.root, {}):
        raise TableRefused(
            f"the API has a field `{DELETED_AT}`, the name of the loader's own column; give it another one "
            f"in the source YAML, for example `columns: {{api_{DELETED_AT}: {{x-from: {DELETED_AT}}}}}`"
        )
    for name in (sweep.root, *sorted((stored.keys() | spooled.keys()) - {sweep.root})):
        is_root = name == sweep.root
        hints = resource.columns if is_root else columns_below(resource.columns, name[len(sweep.root) + 2 :])
        came = {}
        for column, kinds in spooled.get(name, {}).items():
            types = [_declared_type(duckdb_type(kind), hints.get(column)) for kind in kinds]
            came[column] = common_type(types)
            if len(set(types)) > 1:
                names = " and as ".join(dict.fromkeys(types))
                plan.remarks.append(f"{name}.{column} came as {names}; it is stored as {came[column]}")
        plan.tables[name] = merged(settings, name, stored.get(name, {}), came, hints, plan.remarks)
    plan.root.is_root = True
    _add_own_columns(settings, plan, resource)
    return plan


def spooled_select(sweep: SpooledSweep, table: TablePlan, *, extra: str) -> str:
    """SQL that reads the spooled rows of one table with the types of its plan.

    Columns that did not come are null.

    Parameters:
        extra: one more column, a whole number, that is read as it is.
    """
    groups: dict[tuple[tuple[str, str], ...], list[Path]] = {}
    for path, schema in sweep.files.get(table.name, []):
        signature = tuple((n, duckdb_type(t)) for n, t in zip(schema.names, schema.types, strict=True))
        groups.setdefault(signature, []).append(path)
    selects = []
    for signature, paths in groups.items():
        kinds = dict(signature)
        columns = [f"{_as(ident(c), kinds.get(c), kind)} AS {ident(c)}" for c, kind in table.columns.items()]
        selects.append(f"SELECT {', '.join([*columns, extra])} FROM {parquet(paths)}")
    if not selects:
        nulls = [f"CAST(NULL AS {kind}) AS {ident(c)}" for c, kind in table.columns.items()]
        return f"SELECT {', '.join([*nulls, f'CAST(NULL AS BIGINT) AS {extra}'])} WHERE false"
    return " UNION ALL ".join(selects)


def _declared_type(came: str, hint: Column | None) -> str:
    # Arrow has no JSON
    return JSON if hint is not None and hint.kind == "json" and came == VARCHAR else came


def merged(
    settings: WarehouseSettings,
    table: str,
    stored: Stored,
    came: Mapping[str, str],
    hints: Mapping[str, Column],
    remarks: list[str],
) -> TablePlan:
    """A table as it will be: each stored column keeps its type or gets a wider one, and what is new is added.

    Parameters:
        stored: its columns in the warehouse.
        came: column -> DuckDB type, of the rows.
        hints: the declared columns, by their names in the table.
        remarks: gets what has to be told, a sentence each.

    Raises:
        TableRefused: no type holds both what is stored and what comes.
    """
    plan = TablePlan(table, existing={column: nullable for column, (_, nullable) in stored.items()})
    for column, (old, _) in stored.items():
        new = came.get(column, old)
        hint = hints.get(column)
        final = _resolved(old, new, bool(hint and hint.kind) or column.startswith("_dlt_"))
        if final is None:
            raise TableRefused(
                f"the column {column} of {settings.dataset}.{table} has the type {old}, but its values now come as "
                f"{new}, and turning one into the other could change them; {settings.way_out}"
            )
        plan.columns[column] = final
        if final != old:
            using = text_of(ident(column), old) if final == VARCHAR else f"CAST({ident(column)} AS {final})"
            plan.widening.append((column, final, using))
            remarks.append(f"the column {table}.{column} was widened from {old} to {final}")
        elif final == VARCHAR != new:
            remarks.append(f"{table}.{column} came as {new}; it is stored as {final}, as before")
    for column, new in came.items():
        plan.columns.setdefault(column, new)
    return plan


def _resolved(old: str, new: str, declared: bool) -> str | None:
    """The type that holds what is in the column and what comes; None where there is none."""
    if old == new or widens(new, old):
        return old
    if widens(old, new):
        return new
    if not declared and can_become_text(old) and can_become_text(new):
        return VARCHAR
    return None


def _refuse_foreign_rejections(connection: duckdb.DuckDBPyConnection, settings: WarehouseSettings, name: str) -> None:
    query = f"SELECT column_name FROM {COLUMNS_VIEW} WHERE table_name = ?"
    present = {column.lower() for (column,) in connection.execute(query, [name]).fetchall()}
    if present:
        refuse_without(settings, name, present, (*REJECTED_SCHEMA.names, LOAD_ID))


def _add_own_columns(settings: WarehouseSettings, plan: LoadPlan, resource: ResourceSpec) -> None:
    root = plan.root
    if not root.columns:
        return
    root.columns.setdefault(DELETED_AT, TIMESTAMPTZ)
    root.columns.setdefault(LOAD_ID, VARCHAR)
    if root.columns[DELETED_AT] != TIMESTAMPTZ:
        raise TableRefused(
            f"{settings.dataset}.{root.name} has a column {DELETED_AT} of the type {root.columns[DELETED_AT]}, "
            f"but the loader needs {TIMESTAMPTZ} there; {settings.way_out}"
        )
    for column in resource.primary_key:
        if root.exists and column not in root.existing:
            raise TableRefused(
                f"the table {settings.dataset}.{root.name} has no column {column}, the primary key; {settings.way_out}"
            )


def _as(column: str, kind: str | None, final: str) -> str:
    if kind is None:
        return f"CAST(NULL AS {final})"
    if kind == final:
        return column
    return text_of(column, kind) if final == VARCHAR else f"CAST({column} AS {final})"
