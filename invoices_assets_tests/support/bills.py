"""Invoices with amounts and days for tests of what is told of them, and tables damaged by somebody else."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from invoices_assets_tests.support.load_helpers import invoice

MONEY = {"data_type": "decimal", "precision": 38, "scale": 9}
COLUMNS: dict[str, dict[str, Any]] = {
    "id": {"data_type": "text", "nullable": False},
    "currency": {"data_type": "text"},
    "total": MONEY,
    "amount_due": MONEY,
    "issue_date": {"data_type": "date"},
    "due_date": {"data_type": "date"},
    "customer__name": {"data_type": "text", "x-pii": True},
}


def bill(number: int, due: str, currency: str | None = "EUR", **fields: Any) -> dict[str, Any]:
    """A record whose total is open."""
    return invoice(number, currency=currency, total=Decimal(due), amount_due=Decimal(due), **fields)


def write_by_hand(path: Path, *statements: str) -> None:
    """Change a DuckDB file as somebody else would."""
    with duckdb.connect(str(path)) as connection:
        for statement in statements:
            connection.execute(statement)
