"""Turns as a row of the warehouse itself: a token that rises with each turn, and that a load holds on to."""

from __future__ import annotations

from typing import Any

from invoices_assets.errors import TurnLost
from invoices_assets.load.catalog import Catalog, Log
from invoices_assets.load.connection import open_warehouse
from invoices_assets.load.sql import CATALOG, ident
from invoices_assets.load.tables import qualified, table_exists

TABLE = "_invoices_turns"


def next_token(catalog: Catalog, log: Log) -> int:
    """Begin a turn: every load of an earlier one fails from now on, also one that is under way."""
    dataset = catalog.settings.dataset
    table = qualified(dataset, TABLE)
    with open_warehouse(catalog, log=log) as connection:
        connection.begin()
        if table_exists(connection, dataset, TABLE):
            connection.execute(f"UPDATE {table} SET token = token + 1")
        else:
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {ident(CATALOG)}.{ident(dataset)}")
            connection.execute(f"CREATE TABLE {table} (token BIGINT NOT NULL)")
            connection.execute(f"INSERT INTO {table} VALUES (1)")
        row: Any = connection.execute(f"SELECT token FROM {table}").fetchone()
        connection.commit()
    return int(row[0])


def hold_token(catalog: Catalog, connection: Any) -> None:
    """Make the commit of an open transaction fail if another turn begins before it.

    Raises:
        TurnLost: another turn has begun already.
    """
    table = qualified(catalog.settings.dataset, TABLE)
    if connection.execute(f"SELECT token FROM {table}").fetchone() != (catalog.settings.turn,):
        raise TurnLost()
    # two changes of one row in transactions at the same time: the later commit fails
    connection.execute(f"UPDATE {table} SET token = token")
