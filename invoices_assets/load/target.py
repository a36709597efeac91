"""Where a load goes, in its steps: open, widen, load, end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb

from invoices_assets.errors import WarehouseError
from invoices_assets.load.catalogs import catalog_of
from invoices_assets.load.connection import open_warehouse
from invoices_assets.load.error_messages import innermost
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.tables import DELETED_AT, LoadPlan, Stored, qualified, stored_tables, widen


class Target:
    """The warehouse of one load: one transaction from the comparison to the end.

    Raises:
        WarehouseError: the settings do not name a warehouse that can be used.
    """

    def __init__(self, settings: WarehouseSettings) -> None:
        self._settings = settings
        self._catalog = catalog_of(settings)

    @contextlib.contextmanager
    def open(self, working_dir: Path, log: Callable[[str], None]) -> Iterator[duckdb.DuckDBPyConnection]:
        """A DuckDB connection with the warehouse, in a transaction that holds the turn of the run."""
        with open_warehouse(self._catalog, working_dir=working_dir, log=log) as connection:
            connection.begin()
            self._catalog.prove_turn(connection)
            yield connection

    def widen(self, connection: duckdb.DuckDBPyConnection, plan: LoadPlan) -> None:
        """Change the types of existing columns.

        Raises:
            TableRefused: the warehouse cannot hold the tables as planned.
        """
        self._catalog.prepare(connection, plan)
        widen(connection, self._settings.dataset, plan, retypes=self._catalog.retypes)

    def explain(self, error: BaseException) -> WarehouseError:
        """One sentence for what went wrong, without secrets."""
        return self._catalog.explain(error)

    @contextlib.contextmanager
    def plain_errors(self) -> Iterator[None]:
        """Turns what dlt raises into a WarehouseError."""
        try:
            yield
        except Exception as error:
            cause = innermost(error)
            # dlt wraps an interrupt like any error
            if not isinstance(cause, Exception):
                raise cause from None
            raise self.explain(cause) from None

    def describe(self, connection: duckdb.DuckDBPyConnection, root: str) -> tuple[dict[str, Stored], int, int]:
        """The tables afterwards, and the rows and live rows of the main one."""
        dataset = self._settings.dataset
        tables = dict(stored_tables(connection, self._settings, root))
        if root not in tables:
            return tables, 0, 0
        live = f"count(*) FILTER (WHERE {DELETED_AT} IS NULL)" if DELETED_AT in tables[root] else "count(*)"
        row = connection.execute(f"SELECT count(*), {live} FROM {qualified(dataset, root)}").fetchone()
        assert row is not None
        return tables, row[0], row[1]
