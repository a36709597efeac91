"""Whether the warehouse still is what dlt's state says of it.

A cursor says nothing about a table that plain dlt has written, for dlt moves it also over rows that it has
lost; nor about one that somebody has emptied, moved away or taken columns or child tables from. Then a
refresh asks for everything, which makes the tables right again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import duckdb

from invoices_assets.load.request import KnownState
from invoices_assets.load.saved_state import load_ids, resource_state, stored_schema
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.tables import DELETED_AT, Stored, is_live, qualified, stored_tables
from invoices_assets.load.warehouses.catalogs import catalog_of
from invoices_assets.load.warehouses.connection import reading
from invoices_assets.source.naming import normalized


def known_state(settings: WarehouseSettings, resource: str, log: Callable[[str], None] = lambda _: None) -> KnownState:
    """dlt's state of a resource, and whether the tables are as the last load has left them. Nothing is written.

    Parameters:
        log: told when another process holds the file and has to be waited for.

    Raises:
        WarehouseError: the warehouse is there and cannot be read, or a table cannot be continued.
    """
    with reading(catalog_of(settings), log) as connection:
        return known_state_in(connection, settings, resource)


def known_state_in(connection: duckdb.DuckDBPyConnection, settings: WarehouseSettings, resource: str) -> KnownState:
    """The same, in an open warehouse."""
    root, loads = normalized(resource), load_ids(connection, settings.dataset)
    state = resource_state(connection, settings.dataset, resource)
    if not state:
        return KnownState(loads=loads)
    tables = stored_tables(connection, settings, root)
    if root not in tables or not _has_rows(connection, settings.dataset, root):
        return KnownState({}, f"the table {settings.dataset}.{root} is missing or empty", loads)
    return KnownState(state, _doubt(connection, settings.dataset, root, tables), loads)


def has_rows(settings: WarehouseSettings, resource: str, *, live: bool) -> bool:
    """Whether the warehouse has records of a resource.

    Parameters:
        live: only those that are not marked as deleted.

    Raises:
        WarehouseError: the warehouse is there and cannot be read, or a table cannot be continued.
    """
    root = normalized(resource)
    with reading(catalog_of(settings)) as connection:
        columns = stored_tables(connection, settings, root).get(root, {})
        which = is_live(columns) if live else "true"
        return bool(columns) and _has_rows(connection, settings.dataset, root, which)


def _doubt(connection: duckdb.DuckDBPyConnection, dataset: str, root: str, tables: Mapping[str, Stored]) -> str | None:
    if DELETED_AT not in tables[root]:
        return f"the table {dataset}.{root} was written by plain dlt"
    for name, columns in _known_columns(connection, dataset, root).items():
        lost = columns - tables.get(name, {}).keys()
        if lost:
            what = f"has lost {', '.join(sorted(lost))}" if name in tables else "is missing"
            return f"the table {dataset}.{name} {what}"
    return None


def _has_rows(connection: duckdb.DuckDBPyConnection, dataset: str, table: str, which: str = "true") -> bool:
    query = f"SELECT 1 FROM {qualified(dataset, table)} WHERE {which} LIMIT 1"
    return connection.execute(query).fetchone() is not None


def _known_columns(connection: duckdb.DuckDBPyConnection, dataset: str, root: str) -> dict[str, set[str]]:
    """The columns of the main table and its child tables by the schema that dlt has stored last."""
    schema = stored_schema(connection, dataset) or {"tables": {}}
    return {
        name: {column for column, hints in table["columns"].items() if "data_type" in hints}
        for name, table in schema["tables"].items()
        if name == root or (name.startswith(f"{root}__") and "parent" in table)
    }
