"""Invoices of any REST API in a warehouse that finance can trust, as Dagster assets built with dlt."""

from importlib import import_module
from typing import Any

__all__ = ["AllInvoicesComponent", "InvoicesComponent"]


def __getattr__(name: str) -> Any:
    # Dagster and dlt take a second to import, and most modules below need neither
    if name in __all__:
        return getattr(import_module(f"{__name__}.component"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
