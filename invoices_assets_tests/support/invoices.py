"""Invoices with a change stamp, and what a sandbox was asked for by it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from invoices_assets_tests.vendor import Vendor

NOON = "2024-03-01T12:00:00Z"


def invoice(id: str, updated_at: Any = NOON, **fields: Any) -> dict[str, Any]:
    return {"id": id, "total": 10, "updated_at": updated_at, **fields}


def stamped(seconds: float, day: str = "2024-03-01") -> str:
    """The moment so many seconds after noon."""
    moment = datetime.fromisoformat(f"{day}T12:00:00+00:00") + timedelta(seconds=seconds)
    return moment.isoformat().replace("+00:00", "Z")


def without_lag() -> dict[str, Any]:
    """A cursor on `updated_at` for an endpoint, with no overlap."""
    return {"cursor_path": "updated_at", "start_param": "updated_since"}


def asked_since(server: Vendor) -> set[str | None]:
    """The starts that requests had since the last call."""
    asked = {call.query.get("updated_since") for call in server.requests}
    server.requests.clear()
    return asked
