"""A table that is made anew of others, in the transaction of whoever asks."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from invoices_assets.errors import TableRefused
from invoices_assets.load.sql import ident
from invoices_assets.load.tables import CATALOG, qualified, table_exists


@dataclass(frozen=True)
class MadeTable:
    """What a table holds afterwards.

    Parameters:
        rows: how many.
        columns: name -> DuckDB type.
    """

    rows: int
    columns: dict[str, str]


def columns_of(connection: duckdb.DuckDBPyConnection, query: str) -> dict[str, str]:
    """The columns of what follows a FROM or of a whole SELECT, and their DuckDB types."""
    return dict(connection.execute(f"SELECT column_name, column_type FROM (DESCRIBE {query})").fetchall())


def table_columns(connection: duckdb.DuckDBPyConnection, dataset: str, table: str) -> dict[str, str]:
    """The columns of a table and their DuckDB types; none where there is no such table."""
    if not table_exists(connection, dataset, table):
        return {}
    return columns_of(connection, f"FROM {qualified(dataset, table)}")


def make_table(connection: duckdb.DuckDBPyConnection, dataset: str, table: str, select: str) -> MadeTable:
    """Replace the rows of a table, and the table itself only where its columns are others.

    Parameters:
        select: the rows that it is to have, as SQL.

    Raises:
        TableRefused: the table is somebody else's.
    """
    name = qualified(dataset, table)
    wanted, present = columns_of(connection, select), table_columns(connection, dataset, table)
    if present.keys() - wanted.keys():
        raise TableRefused(f"the table {dataset}.{table} was not made by this project; move it away")
    if present == wanted:
        connection.execute(f"DELETE FROM {name}")
    else:
        # before the first load there is none
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {ident(CATALOG)}.{ident(dataset)}")
        connection.execute(f"DROP TABLE IF EXISTS {name}")
        columns = ", ".join(f"{ident(column)} {kind}" for column, kind in wanted.items())
        connection.execute(f"CREATE TABLE {name} ({columns})")
    connection.execute(f"INSERT INTO {name} {select}")
    [(rows,)] = connection.execute(f"SELECT count(*) FROM {name}").fetchall()
    return MadeTable(rows, wanted)
