"""dlt's state as the warehouse has it."""

from __future__ import annotations

from typing import Any

from invoices_assets.load.open import open_for_reading
from invoices_assets.load.saved_state import stored_state
from invoices_assets.load.settings import WarehouseSettings


def read_state(settings: WarehouseSettings, resource: str) -> dict[str, Any]:
    """dlt's state of `resource` in the warehouse; empty when there is none. Nothing is written.

    Raises:
        WarehouseError: the file is there and cannot be read.
    """
    if not settings.is_there:
        return {}
    with open_for_reading(settings) as connection:
        return stored_state(connection, settings, resource)
