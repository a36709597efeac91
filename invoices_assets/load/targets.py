"""Where a load goes, in the steps in which destinations differ: open, widen, load, end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import duckdb

from invoices_assets.load.connection import explain, open_warehouse
from invoices_assets.load.evolution import widen
from invoices_assets.load.settings import ResourceLike, WarehouseSettings
from invoices_assets.load.spool import SpooledSweep
from invoices_assets.load.tables import DELETED_AT, LOAD_ID, Plan, Stored, qualified, stored_tables


class Target(Protocol):
    """The warehouse of one load."""

    as_files: bool
    """Whether the destination takes Parquet files as they are."""

    def open(
        self, working_dir: Path, log: Callable[[str], None], *, whole: bool
    ) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """A DuckDB connection with the tables to compare with, in a transaction.

        Parameters:
            whole: all of their rows are needed, not only those of the records of the sweep.
        """
        ...

    def widen(self, connection: duckdb.DuckDBPyConnection, plan: Plan) -> None:
        """Change the types of existing columns.

        Raises:
            TableRefused: the destination cannot.
        """
        ...

    def destination(self, connection: duckdb.DuckDBPyConnection, working_dir: Path) -> Any:
        """dlt's destination for this load."""
        ...

    def plain_errors(self) -> AbstractContextManager[None]:
        """Turns what dlt raises into a WarehouseError."""
        ...

    def end(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Make the load last."""
        ...

    def count_loaded(self, connection: duckdb.DuckDBPyConnection, table: str, load_id: str) -> int:
        """How many rows of a table a load has brought."""
        ...

    def describe(
        self, connection: duckdb.DuckDBPyConnection, root: str
    ) -> tuple[dict[str, Stored], int, int]:
        """The tables afterwards, and the rows and live rows of the main one."""
        ...


class DuckDbTarget:
    """A DuckDB file: one transaction from the comparison to the end."""

    as_files = True

    def __init__(self, settings: WarehouseSettings) -> None:
        self._settings = settings

    @contextlib.contextmanager
    def open(
        self, working_dir: Path, log: Callable[[str], None], *, whole: bool
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        with open_warehouse(self._settings, working_dir=working_dir, log=log) as connection:
            connection.begin()
            yield connection

    def widen(self, connection: duckdb.DuckDBPyConnection, plan: Plan) -> None:
        widen(connection, plan)

    def destination(self, connection: duckdb.DuckDBPyConnection, working_dir: Path) -> Any:
        from invoices_assets.load.duckdb_destination import Session, destination

        return destination(Session(connection, working_dir), self._settings.path)

    @contextlib.contextmanager
    def plain_errors(self) -> Iterator[None]:
        from invoices_assets.load.dlt_run import innermost

        try:
            yield
        except Exception as error:
            cause = innermost(error)
            # dlt wraps an interrupt like any error
            raise explain(cause, self._settings.path) if isinstance(cause, Exception) else cause from error

    def end(self, connection: duckdb.DuckDBPyConnection) -> None:
        connection.commit()

    def count_loaded(self, connection: duckdb.DuckDBPyConnection, table: str, load_id: str) -> int:
        query = f"SELECT count(*) FROM {qualified(self._settings.dataset, table)} WHERE {LOAD_ID} = ?"
        row = connection.execute(query, [load_id]).fetchone()
        return int(row[0]) if row else 0

    def describe(
        self, connection: duckdb.DuckDBPyConnection, root: str
    ) -> tuple[dict[str, Stored], int, int]:
        dataset = self._settings.dataset
        tables = dict(stored_tables(connection, dataset, root))
        if root not in tables:
            return tables, 0, 0
        live = f"count(*) FILTER (WHERE {DELETED_AT} IS NULL)" if DELETED_AT in tables[root] else "count(*)"
        row = connection.execute(f"SELECT count(*), {live} FROM {qualified(dataset, root)}").fetchone()
        assert row is not None
        return tables, row[0], row[1]


def target_of(settings: WarehouseSettings, resource: ResourceLike, sweep: SpooledSweep) -> Target:
    """The target that the settings name.

    Raises:
        WarehouseError: the destination is unknown or not installed.
    """
    if settings.is_duckdb:
        return DuckDbTarget(settings)
    from invoices_assets.load.remote_target import RemoteTarget

    return RemoteTarget(settings, resource, sweep)
