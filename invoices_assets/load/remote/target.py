"""A load into a warehouse other than DuckDB, by way of dlt's own destinations; tried with PostgreSQL.

The sweep is compared with a mirror of the warehouse, and what differs goes through dlt's destination. That is
not one transaction: dlt merges the tables of a resource in one, and registers the load, and with it the
cursor, after that. A run that is killed in between is made up for by the next one, which compares again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb

from invoices_assets.errors import TableRefused
from invoices_assets.load.error_messages import plain_remote_errors
from invoices_assets.load.remote.client import open_remote, remote_destination
from invoices_assets.load.remote.mirror import Mirror, empty_mirror
from invoices_assets.load.request import LoadRequest
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.spool import SpooledSweep
from invoices_assets.load.tables import DELETED_AT, LOAD_ID, ROW_ID, LoadPlan, Stored, qualified, table_exists
from invoices_assets.source.naming import rejected_table
from invoices_assets.source.resource import ResourceSpec


class RemoteTarget:
    """Any destination of dlt that has SQL.

    Parameters:
        settings: name the destination and the dataset.
        resource: what is loaded.
        sweep: its records.
    """

    as_files = False

    def __init__(self, settings: WarehouseSettings, resource: ResourceSpec, sweep: SpooledSweep) -> None:
        self._settings = settings
        self._resource = resource
        self._sweep = sweep
        self._run = ""
        self._rejections: set[str] = set()

    @contextlib.contextmanager
    def open(
        self, working_dir: Path, log: Callable[[str], None], request: LoadRequest
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        self._run = working_dir.name
        with empty_mirror(self._settings, working_dir) as connection:
            with open_remote(self._settings) as remote:
                mirror = Mirror(connection, remote, self._settings.dataset, self._sweep.root)
                mirror.copy_state()
                mirror.copy_rows(self._sweep, self._resource, request)
            self._rejections = self._rejected(connection)
            connection.begin()
            yield connection

    def widen(self, connection: duckdb.DuckDBPyConnection, plan: LoadPlan) -> None:
        widened = [table.name for table in plan.tables.values() if table.widening]
        if widened:
            remark = next(remark for remark in plan.remarks if " was widened " in remark)
            raise TableRefused(
                f"{remark.replace(' was ', ' would have to be ')}, which only the destination duckdb can; "
                "change the column by hand, or move the table away and run "
                f"{self._settings.hints.reconcile} to fill it anew"
            )

    def destination(self, connection: duckdb.DuckDBPyConnection, working_dir: Path) -> Any:
        return remote_destination(self._settings, self._run)

    def plain_errors(self) -> contextlib.AbstractContextManager[None]:
        return plain_remote_errors(self._settings)

    def end(self, connection: duckdb.DuckDBPyConnection) -> None:
        settled = sorted(self._rejections - self._rejected(connection))
        with open_remote(self._settings, self._run) as remote:
            remote.delete(rejected_table(self._sweep.root), ROW_ID, settled)
            remote.drop_staging()

    def count_loaded(self, connection: duckdb.DuckDBPyConnection, table: str, load_id: str) -> int:
        with open_remote(self._settings) as remote:
            return remote.count(table, f" WHERE {remote.name(LOAD_ID)} = {remote.value(load_id)}")

    def describe(self, connection: duckdb.DuckDBPyConnection, root: str) -> tuple[dict[str, Stored], int, int]:
        with open_remote(self._settings) as remote:
            names = [name for name in remote.tables() if name == root or name.startswith(f"{root}__")]
            tables = remote.columns(names)
            if root not in tables:
                return tables, 0, 0
            live = f" WHERE {remote.name(DELETED_AT)} IS NULL" if DELETED_AT in tables[root] else ""
            return tables, remote.count(root), remote.count(root, live)

    def _rejected(self, connection: duckdb.DuckDBPyConnection) -> set[str]:
        table = rejected_table(self._sweep.root)
        if not table_exists(connection, self._settings.dataset, table):
            return set()
        query = f"SELECT {ROW_ID} FROM {qualified(self._settings.dataset, table)}"
        return {row_id for (row_id,) in connection.execute(query).fetchall()}
