"""Do the rows fit the tables that are there? Columns are added or widened without loss, or the load is refused.

DuckDB casts on insert without a word, and rounds (DECIMAL to BIGINT, DOUBLE to anything). So nothing is left to it:
before a row is written, every column has one type on both sides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import duckdb

from invoices_assets.load.connection import CATALOG, ident, literal
from invoices_assets.load.errors import TableRefused
from invoices_assets.load.kinds import VARCHAR, can_become_text, common_type, duckdb_type, text_of, widens
from invoices_assets.load.settings import ResourceLike
from invoices_assets.load.spool import SpooledSweep

DELETED_AT = "deleted_at"
LOAD_ID = "_dlt_load_id"
ROW_ID = "_dlt_id"
ROOT_ID = "_dlt_root_id"
PARENT_ID = "_dlt_parent_id"
LIST_INDEX = "_dlt_list_idx"
TIMESTAMPTZ = "TIMESTAMP WITH TIME ZONE"
VARIANT = "__v_"
WAY_OUT = (
    "move the table away, or set INVOICES_DUCKDB_PATH to another file, and run reconcile_invoices to fill it anew"
)


@dataclass
class TableShape:
    """One table as it will be after the load.

    Parameters:
        name: the table.
        exists: whether it is in the warehouse already.
        columns: column -> DuckDB type, after all widening.
        existing: the columns that are in the warehouse already -> whether they may be null.
        widened: statements that change the types of existing columns.
    """

    name: str
    exists: bool
    columns: dict[str, str]
    existing: dict[str, bool] = field(default_factory=dict)
    widened: list[str] = field(default_factory=list)

    @property
    def data_columns(self) -> list[str]:
        """The columns that come from the API."""
        return [c for c in self.columns if not c.startswith("_dlt_") and c != DELETED_AT]


@dataclass
class Shapes:
    """All tables of a resource, the main one first, and what has to be told about them."""

    tables: dict[str, TableShape]
    remarks: list[str]

    @property
    def root(self) -> TableShape:
        return next(iter(self.tables.values()))

    @property
    def children(self) -> list[TableShape]:
        return list(self.tables.values())[1:]


def existing_tables(
    connection: duckdb.DuckDBPyConnection, dataset: str, root: str
) -> dict[str, dict[str, tuple[str, bool]]]:
    """The main table and its child tables in the warehouse: table -> column -> (type, nullable).

    Raises:
        TableRefused: a view has the name of the main table.
    """
    rows = connection.execute(
        "SELECT table_name, column_name, data_type, is_nullable FROM duckdb_columns() "
        "WHERE database_name = ? AND schema_name = ? AND (table_name = ? OR starts_with(table_name, ?)) "
        "ORDER BY table_name, column_index",
        [CATALOG, dataset, root, f"{root}__"],
    ).fetchall()
    views = connection.execute(
        "SELECT view_name FROM duckdb_views() WHERE database_name = ? AND schema_name = ? AND NOT internal",
        [CATALOG, dataset],
    ).fetchall()
    view_names = {name for (name,) in views}
    if root in view_names:
        raise TableRefused(f"{dataset}.{root} is a view, not a table; {WAY_OUT}")
    tables: dict[str, dict[str, tuple[str, bool]]] = {}
    for table, column, kind, nullable in rows:
        if table not in view_names:
            tables.setdefault(table, {})[column.lower()] = (kind, nullable)
    # a table of another resource may begin with the same name; a child table names its parent
    return {name: cols for name, cols in tables.items() if name == root or PARENT_ID in cols}


def plan_shapes(
    connection: duckdb.DuckDBPyConnection, dataset: str, sweep: SpooledSweep, resource: ResourceLike
) -> Shapes:
    """Compare the rows of `sweep` with the tables of the warehouse.

    Returns:
        The tables after the load. Nothing is changed yet: see `TableShape.widened`.

    Raises:
        TableRefused: a table cannot take the rows without loss; one sentence with the way out.
    """
    root = sweep.root
    there = existing_tables(connection, dataset, root)
    came = {
        table: {column: common_type(map(duckdb_type, kinds)) for column, kinds in columns.items()}
        for table, columns in sweep.columns.items()
    }
    remarks: list[str] = []
    for table, columns in sweep.columns.items():
        for column, kinds in columns.items():
            if len(kinds) > 1:
                names = " and ".join(sorted({duckdb_type(kind) for kind in kinds}))
                remarks.append(f"the field {table}.{column} came as {names}; it is stored as {came[table][column]}")
    shapes = Shapes({}, remarks)
    for name in (root, *sorted((there.keys() | came.keys()) - {root})):
        _refuse_foreign(dataset, name, root, there.get(name))
        declared = resource.columns if name == root else {}
        shapes.tables[name] = _merge(dataset, name, there.get(name, {}), came.get(name, {}), declared, remarks)
    if shapes.root.columns:
        shapes.root.columns.setdefault(DELETED_AT, TIMESTAMPTZ)
        shapes.root.columns.setdefault(LOAD_ID, VARCHAR)
        if shapes.root.columns[DELETED_AT] != TIMESTAMPTZ:
            raise TableRefused(
                f"{dataset}.{root} has a column {DELETED_AT} of the type {shapes.root.columns[DELETED_AT]}, "
                f"but the loader needs {TIMESTAMPTZ} there; {WAY_OUT}"
            )
    return shapes


def _refuse_foreign(dataset: str, name: str, root: str, columns: Mapping[str, Any] | None) -> None:
    if columns is None:
        return
    needed = (ROW_ID, LOAD_ID) if name == root else (ROW_ID, PARENT_ID, ROOT_ID)
    missing = [column for column in needed if column not in columns]
    if missing:
        raise TableRefused(
            f"the table {dataset}.{name} was not made by this loader: it has no column {missing[0]}; {WAY_OUT}"
        )
    variants = sorted(column for column in columns if VARIANT in column)
    if variants:
        raise TableRefused(
            f"the table {dataset}.{name} was written by dlt with values split over variant columns "
            f"({', '.join(variants)}), so its numbers are incomplete; {WAY_OUT}"
        )


def _merge(
    dataset: str,
    table: str,
    there: Mapping[str, tuple[str, bool]],
    came: Mapping[str, str],
    declared: Mapping[str, Any],
    remarks: list[str],
) -> TableShape:
    shape = TableShape(table, bool(there), {}, {column: nullable for column, (_, nullable) in there.items()})
    for column, (old, _) in there.items():
        new = came.get(column, old)
        final = _resolve(dataset, table, column, old, new, column in declared)
        shape.columns[column] = final
        if final != old:
            using = text_of(ident(column), old) if final == VARCHAR else f"CAST({ident(column)} AS {final})"
            shape.widened.append(
                f"ALTER TABLE {qualified(dataset, table)} ALTER COLUMN {ident(column)} TYPE {final} USING {using}"
            )
            remarks.append(f"the column {table}.{column} was widened from {old} to {final}")
        elif final != new and final == VARCHAR:
            remarks.append(f"the field {table}.{column} came as {new}; it is stored as {final}, as before")
    for column, new in came.items():
        shape.columns.setdefault(column, new)
    return shape


def _resolve(dataset: str, table: str, column: str, old: str, new: str, declared: bool) -> str:
    """The type that holds what is in the column and what comes."""
    if old == new or (declared and old == "JSON" and new == VARCHAR) or widens(new, old):
        return old
    if widens(old, new):
        return new
    if not declared and not column.startswith("_dlt_") and can_become_text(old) and can_become_text(new):
        return VARCHAR
    raise TableRefused(
        f"the column {column} of {dataset}.{table} has the type {old}, but its values now come as {new}, and turning "
        f"one into the other could change them; {WAY_OUT}"
    )


def widen(connection: duckdb.DuckDBPyConnection, shapes: Shapes) -> None:
    """Change the types of existing columns, within the transaction of the load."""
    for shape in shapes.tables.values():
        for statement in shape.widened:
            connection.execute(statement)


def qualified(dataset: str, table: str) -> str:
    """The table with catalog and schema, as SQL."""
    return f"{ident(CATALOG)}.{ident(dataset)}.{ident(table)}"


def spooled_select(sweep: SpooledSweep, shape: TableShape, *, extra: tuple[str, ...] = ()) -> str:
    """SQL that reads the spooled rows of one table with the types of `shape`, columns that did not come as NULL.

    Parameters:
        extra: columns that are read as they are, `_seq` for one.
    """
    groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for path, schema in sweep.files.get(shape.name, []):
        signature = tuple((n, duckdb_type(t)) for n, t in zip(schema.names, schema.types, strict=True))
        groups.setdefault(signature, []).append(literal(str(path)))
    selects = []
    for signature, paths in groups.items():
        kinds = dict(signature)
        columns = [f"{_as(ident(c), kinds.get(c), kind)} AS {ident(c)}" for c, kind in shape.columns.items()]
        columns += [ident(c) for c in extra]
        selects.append(f"SELECT {', '.join(columns)} FROM read_parquet([{', '.join(paths)}])")
    if not selects:
        nulls = [f"CAST(NULL AS {kind}) AS {ident(c)}" for c, kind in shape.columns.items()]
        nulls += [f"CAST(NULL AS BIGINT) AS {ident(c)}" for c in extra]
        return f"SELECT {', '.join(nulls)} WHERE false"
    return " UNION ALL ".join(selects)


def _as(column: str, kind: str | None, final: str) -> str:
    if kind is None:
        return f"CAST(NULL AS {final})"
    if kind == final:
        return column
    return text_of(column, kind) if final == VARCHAR else f"CAST({column} AS {final})"
