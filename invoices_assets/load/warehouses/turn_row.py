"""A row of the warehouse that every load changes, so that of two at once the later commit fails."""

from __future__ import annotations

import duckdb

from invoices_assets.load.sql import CATALOG, ident
from invoices_assets.load.tables import qualified, table_exists

TABLE = "_invoices_turns"


def make_turn_row(connection: duckdb.DuckDBPyConnection, dataset: str) -> None:
    """Make the row where there is none yet, in a transaction of its own; in the turn of a load."""
    if table_exists(connection, dataset, TABLE):
        return
    table = qualified(dataset, TABLE)
    connection.begin()
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {ident(CATALOG)}.{ident(dataset)}")
    connection.execute(f"CREATE TABLE {table} (token BIGINT NOT NULL)")
    connection.execute(f"INSERT INTO {table} VALUES (0)")
    connection.commit()


def hold_turn_row(connection: duckdb.DuckDBPyConnection, dataset: str) -> None:
    """Change the row, in the transaction of a load."""
    connection.execute(f"UPDATE {qualified(dataset, TABLE)} SET token = token + 1")
