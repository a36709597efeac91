"""A DuckDB file as the target of a load."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb

from invoices_assets.load.duckdb.connection import open_warehouse
from invoices_assets.load.error_messages import explain
from invoices_assets.load.request import LoadRequest
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.tables import DELETED_AT, LOAD_ID, LoadPlan, Stored, qualified, stored_tables, widen


class DuckDbTarget:
    """A DuckDB file: one transaction from the comparison to the end."""

    as_files = True

    def __init__(self, settings: WarehouseSettings) -> None:
        self._settings = settings

    @contextlib.contextmanager
    def open(
        self, working_dir: Path, log: Callable[[str], None], request: LoadRequest
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        with open_warehouse(self._settings, working_dir=working_dir, log=log) as connection:
            connection.begin()
            yield connection

    def widen(self, connection: duckdb.DuckDBPyConnection, plan: LoadPlan) -> None:
        widen(connection, plan)

    def destination(self, connection: duckdb.DuckDBPyConnection, working_dir: Path) -> Any:
        from invoices_assets.load.duckdb.destination import Session, destination

        return destination(Session(connection, working_dir), self._settings.path)

    @contextlib.contextmanager
    def plain_errors(self) -> Iterator[None]:
        from invoices_assets.load.error_messages import innermost

        try:
            yield
        except Exception as error:
            cause = innermost(error)
            # dlt wraps an interrupt like any error
            if not isinstance(cause, Exception):
                raise cause from error
            raise explain(cause, self._settings.path, self._settings.hints) from error

    def end(self, connection: duckdb.DuckDBPyConnection) -> None:
        connection.commit()

    def count_loaded(self, connection: duckdb.DuckDBPyConnection, table: str, load_id: str) -> int:
        query = f"SELECT count(*) FROM {qualified(self._settings.dataset, table)} WHERE {LOAD_ID} = ?"
        row = connection.execute(query, [load_id]).fetchone()
        return int(row[0]) if row else 0

    def describe(self, connection: duckdb.DuckDBPyConnection, root: str) -> tuple[dict[str, Stored], int, int]:
        dataset = self._settings.dataset
        tables = dict(stored_tables(connection, self._settings, root))
        if root not in tables:
            return tables, 0, 0
        live = f"count(*) FILTER (WHERE {DELETED_AT} IS NULL)" if DELETED_AT in tables[root] else "count(*)"
        row = connection.execute(f"SELECT count(*), {live} FROM {qualified(dataset, root)}").fetchone()
        assert row is not None
        return tables, row[0], row[1]
