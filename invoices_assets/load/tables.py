"""The tables of a resource in the warehouse: their names, dlt's key columns, and what is there already."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field

import duckdb

from invoices_assets.errors import TableRefused
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.sql import CATALOG, ident

DELETED_AT = "deleted_at"
LOAD_ID = "_dlt_load_id"
ROW_ID = "_dlt_id"
ROOT_ID = "_dlt_root_id"
PARENT_ID = "_dlt_parent_id"
LIST_INDEX = "_dlt_list_idx"
VARIANT = "__v_"
COLUMNS_VIEW = "temp.main._warehouse_columns"
"""Made by each kind of catalog; shows the columns of the dataset's tables."""


@dataclass
class TablePlan:
    """One table as it will be after the load.

    Parameters:
        name: the table.
        is_root: whether it is the main table, whose `deleted_at` is the loader's own.
        columns: column -> DuckDB type, after all widening.
        existing: the columns that are in the warehouse already -> whether they may be null.
        widening: existing columns whose type changes, with the new type and SQL for the value in it.
    """

    name: str
    is_root: bool = False
    columns: dict[str, str] = field(default_factory=dict)
    existing: dict[str, bool] = field(default_factory=dict)
    widening: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def exists(self) -> bool:
        """Whether the table is in the warehouse already."""
        return bool(self.existing)

    @property
    def data_columns(self) -> list[str]:
        """The columns that come from the API."""
        own = {DELETED_AT} if self.is_root else set()
        return [c for c in self.columns if not c.startswith("_dlt_") and c not in own]


@dataclass
class LoadPlan:
    """All tables of a resource, the main one first, its history, and what has to be told about them."""

    tables: dict[str, TablePlan]
    remarks: list[str]
    history: TablePlan | None = None

    @property
    def root(self) -> TablePlan:
        """The main table."""
        return next(iter(self.tables.values()))

    @property
    def all_tables(self) -> list[TablePlan]:
        """Those of the resource, and its history."""
        return [*self.tables.values(), *([self.history] if self.history else [])]

    @property
    def children(self) -> list[TablePlan]:
        """The child tables, parents before their children."""
        return list(self.tables.values())[1:]


Stored = Mapping[str, tuple[str, bool]]
"""The columns of a table in the warehouse: name -> (DuckDB type, nullable)."""


def qualified(dataset: str, table: str) -> str:
    """The table with catalog and schema, as SQL."""
    return f"{ident(CATALOG)}.{ident(dataset)}.{ident(table)}"


def is_live(columns: Container[str], row: str = "") -> str:
    """SQL that tells whether a row of a main table is not marked as deleted; true of all where none can be.

    Parameters:
        columns: of the table.
        row: its alias in the query, with the dot.
    """
    return f"{row}{ident(DELETED_AT)} IS NULL" if DELETED_AT in columns else "true"


def parent_of(table: str, tables: Iterable[str]) -> str:
    """The table whose lists became a child table: of those whose name begins its own, the one with the longest."""
    return max((other for other in tables if table.startswith(f"{other}__")), key=len)


def stored_tables(
    connection: duckdb.DuckDBPyConnection, settings: WarehouseSettings, root: str
) -> Mapping[str, Stored]:
    """The main table and its child tables in the warehouse.

    Raises:
        TableRefused: one of them is not a table that this loader or dlt has made, or cannot be continued.
    """
    rows = connection.execute(
        f"SELECT table_name, column_name, data_type, is_nullable FROM {COLUMNS_VIEW} "
        "WHERE table_name = ? OR starts_with(table_name, ?) ORDER BY table_name, column_index",
        [root, f"{root}__"],
    ).fetchall()
    views = connection.execute(
        "SELECT view_name FROM duckdb_views() WHERE database_name = ? AND schema_name = ? AND NOT internal",
        [CATALOG, settings.dataset],
    ).fetchall()
    tables: dict[str, dict[str, tuple[str, bool]]] = {}
    for table, column, kind, nullable in rows:
        tables.setdefault(table, {})[column.lower()] = (kind, nullable)
    for (view,) in views:
        if tables.pop(view, None) and view == root:
            raise TableRefused(f"{settings.dataset}.{root} is a view, not a table; {settings.way_out}")
    # a table of another resource may begin with the same name; a child table names its parent
    found = {name: cols for name, cols in tables.items() if name == root or PARENT_ID in cols}
    for name, columns in found.items():
        _refuse_foreign(settings, name, columns, is_root=name == root)
    return found


def table_exists(connection: duckdb.DuckDBPyConnection, dataset: str, table: str) -> bool:
    """Whether the warehouse has the table."""
    return bool(
        connection.execute(
            "SELECT 1 FROM duckdb_tables() WHERE database_name = ? AND schema_name = ? AND table_name = ?",
            [CATALOG, dataset, table],
        ).fetchone()
    )


def refuse_without(settings: WarehouseSettings, table: str, columns: Container[str], needed: Iterable[str]) -> None:
    """Refuses a table that lacks columns which those of this loader have.

    Raises:
        TableRefused: it does.
    """
    missing = [column for column in needed if column not in columns]
    if missing:
        name, way_out = f"{settings.dataset}.{table}", settings.way_out
        raise TableRefused(f"the table {name} was not made by this loader: it has no {missing[0]}; {way_out}")


def _refuse_foreign(settings: WarehouseSettings, table: str, columns: Stored, *, is_root: bool) -> None:
    name, way_out = f"{settings.dataset}.{table}", settings.way_out
    refuse_without(settings, table, columns, (ROW_ID, LOAD_ID) if is_root else (ROW_ID, ROOT_ID))
    variants = sorted(column for column in columns if VARIANT in column)
    if variants:
        raise TableRefused(
            f"the table {name} was written by plain dlt, which split values over variant columns "
            f"({', '.join(variants)}), so its numbers are incomplete; {way_out}"
        )


def widen(connection: duckdb.DuckDBPyConnection, dataset: str, plan: LoadPlan, *, retypes: bool) -> None:
    """Change the types of existing columns, within the transaction of the load.

    Parameters:
        retypes: whether ALTER TABLE can compute the values; else a new column takes the place of the old one.
    """
    for table in plan.all_tables:
        alter = f"ALTER TABLE {qualified(dataset, table.name)}"
        for column, kind, value in table.widening:
            old, new = ident(column), ident("_dlt_widened")
            if retypes:
                connection.execute(f"{alter} ALTER COLUMN {old} TYPE {kind} USING {value}")
                continue
            connection.execute(f"{alter} ADD COLUMN {new} {kind}")
            connection.execute(f"UPDATE {qualified(dataset, table.name)} SET {new} = {value}")
            connection.execute(f"{alter} DROP COLUMN {old}")
            connection.execute(f"{alter} RENAME COLUMN {new} TO {old}")
