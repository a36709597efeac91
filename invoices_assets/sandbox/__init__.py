"""The embedded invoicing API: a small HTTP server that the project runs on when no real API is configured.

    with serve() as server:                    # the default contract on a free loopback port
        requests.get(server.url + "/v1/invoices", params={"api_key": SANDBOX_KEY, "limit": 100})

Tests give it a `Book` they can change, a `Contract` that says how the API looks, and `Faults` that make it
misbehave. Names are imported on first use, so that importing this package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from invoices_assets.sandbox import faults as faults
    from invoices_assets.sandbox.contract import Contract, Filter, Key, Paging, Total
    from invoices_assets.sandbox.faults import Faults
    from invoices_assets.sandbox.live import LiveBook
    from invoices_assets.sandbox.server import Sandbox, serve
    from invoices_assets.sandbox.store import Book
    from invoices_assets.sandbox.text import Raw

SANDBOX_KEY = "sandbox-key-not-a-secret"
"""The key that the sandbox accepts unless told otherwise. Public on purpose: there is nothing behind it."""

_HOME = {
    "Book": "store",
    "Contract": "contract",
    "Faults": "faults",
    "Filter": "contract",
    "Key": "contract",
    "LiveBook": "live",
    "Paging": "contract",
    "Raw": "text",
    "Sandbox": "server",
    "Total": "contract",
    "serve": "server",
}

__all__ = [
    "SANDBOX_KEY",
    "Book",
    "Contract",
    "Faults",
    "Filter",
    "Key",
    "LiveBook",
    "Paging",
    "Raw",
    "Sandbox",
    "Total",
    "faults",
    "serve",
]


def __getattr__(name: str) -> Any:
    if name == "faults":
        return import_module("invoices_assets.sandbox.faults")
    if name in _HOME:
        return getattr(import_module(f"invoices_assets.sandbox.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
