"""Where this project loads into: a DuckDB file, or a database or lake of a PostgreSQL server started for it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.warehouses.catalogs import catalog_of
from invoices_assets.load.warehouses.connection import open_warehouse

FILE, POSTGRES, LAKE = "file", "postgres", "lake, catalog in postgres"
KINDS = [FILE, POSTGRES, LAKE]


@dataclass(frozen=True)
class Place:
    """A warehouse.

    Parameters:
        environment: the settings of it.
        open: opens it for reading; the tables are in the schema `invoicing`.
    """

    environment: dict[str, str]
    open: Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]] = field(repr=False)


def file_in(folder: Path) -> Place:
    """A DuckDB file."""
    path = folder / "warehouse.duckdb"
    return Place({"INVOICES_DUCKDB_PATH": str(path)}, lambda: duckdb.connect(str(path), read_only=True))


@contextmanager
def server() -> Iterator[Callable[[str, Path], Place]]:
    """Starts a PostgreSQL server, and ends it; yields what makes an empty warehouse of a kind.

    Raises:
        SystemExit: no server, or no extension of DuckDB for it, is installed.
    """
    import pytest

    from invoices_assets_tests.support.warehouses import execute, postgres_server

    with ExitStack() as stack:
        try:
            dsn = stack.enter_context(postgres_server())
        except pytest.skip.Exception as reason:
            raise SystemExit(f"This case cannot run here: {reason}.") from None
        numbers = itertools.count()

        def empty(kind: str, folder: Path) -> Place:
            if kind == FILE:
                return file_in(folder)
            database = f"run_{next(numbers)}"
            execute(dsn, f"CREATE DATABASE {database}")
            return _in_database(kind, f"{dsn.rpartition('/')[0]}/{database}", folder)

        yield empty


def _in_database(kind: str, dsn: str, folder: Path) -> Place:
    credentials: Any = dsn
    environment = {"INVOICES_DESTINATION": "postgres", "DESTINATION__POSTGRES__CREDENTIALS": dsn}
    if kind == LAKE:
        credentials = {"catalog": dsn, "storage": str(folder / "lake")}
        names = {name: f"DESTINATION__DUCKLAKE__CREDENTIALS__{name.upper()}" for name in credentials}
        environment = {"INVOICES_DESTINATION": "ducklake"} | {names[name]: credentials[name] for name in names}
    settings = WarehouseSettings(
        "invoicing", destination=environment["INVOICES_DESTINATION"], credentials=credentials, memory_limit="1GB"
    )
    return Place(environment, lambda: open_warehouse(catalog_of(settings), read_only=True))
