"""One connection to the warehouse, whatever kind it is.

It is attached under the neutral name `warehouse` to an in-memory database: opened directly, a file
`sandbox.duckdb` becomes the catalog `sandbox`, and DuckDB cannot tell `"sandbox"."invoices"` in the schema
`sandbox` from that (ambiguous reference to catalog or schema). Temporary tables and views then live in memory
and in the working folder, never in the warehouse.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb

from invoices_assets.errors import WarehouseUnusable
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.sql import CATALOG, ident
from invoices_assets.load.warehouses.catalog import Catalog
from invoices_assets.load.warehouses.catalogs import catalog_of
from invoices_assets.load.warehouses.extensions import are_checked, load_extension
from invoices_assets.load.warehouses.lock import Log


def make_ready(catalog: Catalog, log: Log) -> None:
    """See whether the warehouse can be written, before anybody is asked for rows.

    Raises:
        WarehouseError: it cannot.
    """
    with catalog.turn(log):
        if catalog.is_shared:
            with open_warehouse(catalog, log=log) as connection, explained(catalog):
                catalog.make_turn_row(connection)


@contextlib.contextmanager
def explained(catalog: Catalog) -> Iterator[None]:
    """Says in one sentence what DuckDB, a driver or the operating system said.

    Raises:
        WarehouseError: they said something.
    """
    try:
        yield
    except (duckdb.Error, OSError) as error:
        raise catalog.explain(error) from None


@contextlib.contextmanager
def reading(catalog: Catalog, log: Log = lambda _: None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection for reading, after the end of a load that would keep readers out.

    Raises:
        WarehouseError: the warehouse cannot be reached, or its tables cannot be read.
    """
    with (
        catalog.undisturbed(log),
        open_warehouse(catalog, read_only=True, log=log) as connection,
        explained(catalog),
    ):
        yield connection


@contextlib.contextmanager
def writing(catalog: Catalog, working_dir: Path, log: Log) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection in the turn of a load, with a transaction that is committed at the end.

    Parameters:
        working_dir: of this run.
        log: told when another run has to be waited for.

    Raises:
        WarehouseError: the warehouse cannot be reached or written; nothing was.
    """
    with (
        catalog.turn(log),
        open_warehouse(catalog, working_dir=working_dir, log=log) as connection,
        explained(catalog),
    ):
        catalog.begin(connection)
        yield connection
        connection.commit()


def maintain(
    settings: WarehouseSettings, keep: timedelta, working_dir: Path, log: Log = lambda _: None
) -> dict[str, int]:
    """Make the warehouse smaller and reading quicker; the figures are those of `Catalog.maintain`.

    Parameters:
        keep: how long the former states of a lake stay readable.
        working_dir: of this run.
        log: told when another process holds the warehouse and has to be waited for.

    Raises:
        WarehouseError: it cannot be reached or written.
    """
    catalog = catalog_of(settings)
    if settings.is_duckdb and not settings.path.exists():
        return {}
    with (
        explained(catalog),
        catalog.turn(log),
        open_warehouse(catalog, working_dir=working_dir, log=log) as connection,
    ):
        return catalog.maintain(connection, keep)


@contextlib.contextmanager
def open_warehouse(
    catalog: Catalog,
    *,
    working_dir: Path | None = None,
    read_only: bool = False,
    log: Log = lambda _: None,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection on which the warehouse is attached as `warehouse`, closed at the end.

    Parameters:
        working_dir: where DuckDB puts what exceeds its memory limit; without it, nothing is written anywhere.
        read_only: attach for reading; where there is no warehouse yet, nothing is found in it.
        log: told when another process holds the warehouse and has to be waited for.

    Raises:
        WarehouseError: it cannot be reached, read or written.
    """
    config: dict[str, Any] = {"memory_limit": catalog.settings.memory_limit, "autoinstall_known_extensions": False}
    # an empty name means that nothing spills; the default would be a folder in the current directory
    config["temp_directory"] = str(working_dir / "duckdb_tmp") if working_dir else ""
    # without it DuckDB keeps whole results in memory to hand them on in order
    config["preserve_insertion_order"] = False
    config["allow_unsigned_extensions"] = are_checked(catalog.extensions)
    try:
        connection = duckdb.connect(":memory:", config=config)
    except duckdb.ParserException as error:
        limit, said = catalog.settings.memory_limit, str(error).removeprefix("Parser Error: ")
        raise WarehouseUnusable(f"DuckDB cannot read `memory_limit: {limit}` ({said}); nothing was loaded") from None
    try:
        connection.execute("SET TimeZone = 'UTC'")
        with explained(catalog):
            for name in catalog.extensions:
                load_extension(connection, name, catalog.settings.destination)
            catalog.attach(connection, log, read_only=read_only)
            connection.execute(f"USE {ident(CATALOG)}")
            catalog.view_columns(connection)
        yield connection
    finally:
        # closed with a transaction whose server is gone, postgres_scanner 1.5.5 ends the whole process
        for end in (connection.rollback, connection.close):
            with contextlib.suppress(duckdb.Error):
                end()
