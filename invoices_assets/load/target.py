"""Where a load goes, in the steps in which destinations differ: open, widen, load, end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import duckdb

from invoices_assets.load.duckdb.target import DuckDbTarget
from invoices_assets.load.request import LoadRequest
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.spool import SpooledSweep
from invoices_assets.load.tables import LoadPlan, Stored
from invoices_assets.source.resource import ResourceSpec


class Target(Protocol):
    """The warehouse of one load."""

    as_files: bool
    """Whether the destination takes Parquet files as they are."""

    def open(
        self, working_dir: Path, log: Callable[[str], None], request: LoadRequest
    ) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """A DuckDB connection with the tables to compare with, in a transaction.

        Parameters:
            request: for a part, only the rows of the records of the sweep are needed.
        """
        ...

    def widen(self, connection: duckdb.DuckDBPyConnection, plan: LoadPlan) -> None:
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

    def describe(self, connection: duckdb.DuckDBPyConnection, root: str) -> tuple[dict[str, Stored], int, int]:
        """The tables afterwards, and the rows and live rows of the main one."""
        ...


def target_of(settings: WarehouseSettings, resource: ResourceSpec, sweep: SpooledSweep) -> Target:
    """The target that the settings name.

    Raises:
        WarehouseError: the destination is unknown or not installed.
    """
    if settings.is_duckdb:
        return DuckDbTarget(settings)
    from invoices_assets.load.remote.target import RemoteTarget

    return RemoteTarget(settings, resource, sweep)
