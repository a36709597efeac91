"""dlt's state as the warehouse has it."""

from __future__ import annotations

from typing import Any

from invoices_assets.load.saved_state import resource_state
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.warehouses.catalogs import catalog_of
from invoices_assets.load.warehouses.connection import open_warehouse


def read_state(settings: WarehouseSettings, resource: str) -> dict[str, Any]:
    """dlt's state of `resource` in the warehouse; empty when there is none. Nothing is written.

    Raises:
        WarehouseError: the warehouse is there and cannot be read.
    """
    with open_warehouse(catalog_of(settings), read_only=True) as connection:
        return resource_state(connection, settings.dataset, resource)
