"""A long history that is read in monthly windows, and the source file that says so."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from invoices_assets.extract.partition import DateWindow
from invoices_assets_tests.support.invoices import invoice
from invoices_assets_tests.support.loader import Loader
from invoices_assets_tests.support.project import Project
from invoices_assets_tests.support.sweep_helpers import config
from invoices_assets_tests.vendor import Book


def by_month(first: Any = "2024-01-01", **changes: Any) -> dict[str, Any]:
    """The default source with a date window on `created_at`; `changes` are for the window."""
    window = {"cursor_path": "created_at", "start_param": "created_from", "end_param": "created_to"}
    cursor = {"type": "incremental", "cursor_path": "updated_at", "lag": 600}
    return config(params={"updated_since": cursor}, incremental={**window, "initial_value": first, **changes})


def created(id: str, day: str, **fields: Any) -> dict[str, Any]:
    return invoice(id, f"{day}T12:00:00Z", created_at=f"{day}T12:00:00Z", **fields)


def month(number: int) -> DateWindow:
    return DateWindow(datetime(2024, number, 1, tzinfo=UTC), datetime(2024, number + 1, 1, tzinfo=UTC))


def history() -> Book:
    """Three invoices in January, none in February, 250 in March, one in April."""
    march = (created(f"march {at}", "2024-03-15") for at in range(250))
    return Book(
        [
            *(created(f"january {at}", f"2024-01-{at + 1:02}") for at in range(3)),
            *march,
            created("april", "2024-04-30"),
        ]
    )


def months_in(project: Project | Loader) -> set[str]:
    """The months of `history` of which records are loaded."""
    return {id.partition(" ")[0] for (id,) in project.query("SELECT id FROM invoices")}
