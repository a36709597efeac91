"""A connection for reading, whatever the warehouse is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import duckdb

from invoices_assets.load.duckdb.connection import open_warehouse
from invoices_assets.load.settings import WarehouseSettings


def open_for_reading(
    settings: WarehouseSettings, log: Callable[[str], None] = lambda _: None
) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
    """The warehouse file itself, or a copy of what may be asked of another destination.

    Of a destination other than DuckDB that is dlt's state, the rejected records and a live row of each table.

    Parameters:
        log: told when another process holds the file and has to be waited for.

    Raises:
        WarehouseError: the warehouse is there and cannot be read.
    """
    if settings.is_duckdb:
        return open_warehouse(settings, read_only=True, log=log)
    from invoices_assets.load.remote.mirror import mirrored_state

    return mirrored_state(settings)
