"""One connection to the warehouse file, and DuckDB's errors in plain sentences.

The file is attached under the neutral name `warehouse` to an in-memory database: opened directly, a file
`sandbox.duckdb` becomes the catalog `sandbox`, and DuckDB cannot tell `"sandbox"."invoices"` in the schema
`sandbox` from that (ambiguous reference to catalog or schema). Temporary tables and views then live in memory
and in the working folder, never in the file.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb

from invoices_assets.errors import WarehouseBusy
from invoices_assets.load.error_messages import explain
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.sql import CATALOG, ident, literal

POLL_SECONDS = 0.2
ROW_GROUP_SIZE = 40_960
"""DuckDB writes a full row group while it inserts, on all threads, but what is left only at the commit, on one."""


@contextlib.contextmanager
def open_warehouse(
    settings: WarehouseSettings,
    *,
    working_dir: Path | None = None,
    read_only: bool = False,
    log: Callable[[str], None] = lambda _: None,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection on which the warehouse is attached as `warehouse`, closed at the end.

    Parameters:
        working_dir: where DuckDB puts what exceeds its memory limit; without it, nothing is written anywhere.
        read_only: attach for reading; the file must exist.

    Raises:
        WarehouseBusy: another process holds the file, for longer than `settings.open_wait_seconds`.
        WarehouseUnusable: the file is not a DuckDB database, or cannot be read or written.
    """
    config: dict[str, Any] = {"memory_limit": settings.memory_limit, "autoinstall_known_extensions": False}
    if settings.threads:
        config["threads"] = settings.threads
    # an empty name means that nothing spills; the default would be a folder in the current directory
    config["temp_directory"] = str(working_dir / "duckdb_tmp") if working_dir else ""
    # without it DuckDB keeps whole results in memory to hand them on in order
    config["preserve_insertion_order"] = False
    connection = duckdb.connect(":memory:", config=config)
    try:
        connection.execute("SET TimeZone = 'UTC'")
        _attach(connection, settings, read_only, log)
        yield connection
    finally:
        with contextlib.suppress(duckdb.Error):
            connection.close()


def _attach(
    connection: duckdb.DuckDBPyConnection,
    settings: WarehouseSettings,
    read_only: bool,
    log: Callable[[str], None],
) -> None:
    path, limit = settings.path, settings.open_wait_seconds
    options = "READ_ONLY" if read_only else f"ROW_GROUP_SIZE {ROW_GROUP_SIZE}"
    statement = f"ATTACH {literal(str(path))} AS {ident(CATALOG)} ({options})"
    started, told = time.monotonic(), False
    while True:
        try:
            connection.execute(statement)
            connection.execute(f"USE {ident(CATALOG)}")
            return
        except duckdb.Error as error:
            if not _is_lock_conflict(error):
                raise explain(error, path, settings.hints) from error
            waited = time.monotonic() - started
            if waited >= limit:
                raise WarehouseBusy(
                    f"another process holds {path} open and did not close it within {limit:g} s; "
                    "close it there (a DuckDB shell, a notebook, a BI tool) and run again"
                ) from error
            if not told:
                log(f"waiting for another process that holds {path} open (up to {limit:g} s)")
                told = True
            time.sleep(min(POLL_SECONDS, max(0.0, limit - waited)))


def _is_lock_conflict(error: duckdb.Error) -> bool:
    text = str(error).lower()
    return "could not set lock" in text or "conflicting lock" in text or "being used by another process" in text
