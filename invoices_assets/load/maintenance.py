"""Upkeep of a warehouse between loads."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.warehouses.catalogs import catalog_of
from invoices_assets.load.warehouses.connection import explained, open_warehouse


def maintain(
    settings: WarehouseSettings, keep: timedelta, working_dir: Path, log: Callable[[str], None] = lambda _: None
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
