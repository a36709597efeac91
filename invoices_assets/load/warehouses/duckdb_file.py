"""A DuckDB file, or a file of another kind that DuckDB attaches, and the waiting for whoever holds it open."""

from __future__ import annotations

import contextlib
import time
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import duckdb

from invoices_assets.errors import WarehouseBusy, WarehouseError
from invoices_assets.load.error_messages import explain
from invoices_assets.load.sql import CATALOG, ident, literal
from invoices_assets.load.warehouses.catalog import Catalog, attach_nothing
from invoices_assets.load.warehouses.lock import Log, warehouse_lock

POLL_SECONDS = 0.2
ROW_GROUP_SIZE = 40_960
"""DuckDB writes a full row group while it inserts, on all threads, but what is left only at the commit, on one."""


class DuckDbFile(Catalog):
    """A DuckDB file on this machine."""

    retypes: ClassVar[bool] = True
    is_shared = False

    def attach(self, connection: duckdb.DuckDBPyConnection, log: Log, *, read_only: bool) -> None:
        path = self.settings.path
        if read_only and not path.exists():
            attach_nothing(connection)
            return
        options = "READ_ONLY" if read_only else f"ROW_GROUP_SIZE {ROW_GROUP_SIZE}"
        statement = f"ATTACH {literal(str(path))} AS {ident(CATALOG)} ({options})"
        attach_patiently(connection, statement, path, self.settings.open_wait_seconds, log)

    def turn(self, log: Log) -> AbstractContextManager[None]:
        settings = self.settings
        return warehouse_lock(settings.path, limit_seconds=settings.turn_seconds, log=log, setting=settings.hints.path)

    def undisturbed(self, log: Log) -> AbstractContextManager[None]:
        # DuckDB opens a file for one process that writes or for many that read
        return self.turn(log) if self.settings.path.exists() else contextlib.nullcontext()

    def maintain(self, connection: duckdb.DuckDBPyConnection, keep: timedelta) -> dict[str, int]:
        before = self.settings.path.stat().st_size
        connection.execute(f"CHECKPOINT {ident(CATALOG)}")
        return {"bytes_before": before, "bytes_after": self.settings.path.stat().st_size}

    def sentence_for(self, error: BaseException, text: str) -> WarehouseError:
        return explain(error, self.settings.path, self.settings.hints)


def attach_patiently(
    connection: duckdb.DuckDBPyConnection, statement: str, path: Path, limit_seconds: float, log: Log
) -> None:
    """Attach a file that another process may hold open.

    Raises:
        WarehouseBusy: it held the file for longer than the limit.
        duckdb.Error: the file cannot be used.
    """
    started, told = time.monotonic(), False
    while True:
        try:
            connection.execute(statement)
            return
        except duckdb.Error as error:
            if not _is_lock_conflict(error):
                raise
            waited = time.monotonic() - started
            if waited >= limit_seconds:
                raise WarehouseBusy(
                    f"another process holds {path} open and did not close it within {limit_seconds:g} s; "
                    "close it there (a DuckDB shell, a notebook, a BI tool) and run again"
                ) from error
            if not told:
                log(f"waiting for another process that holds {path} open (up to {limit_seconds:g} s)")
                told = True
            time.sleep(min(POLL_SECONDS, max(0.0, limit_seconds - waited)))


def _is_lock_conflict(error: duckdb.Error) -> bool:
    text = str(error).lower()
    return "could not set lock" in text or "conflicting lock" in text or "being used by another process" in text
