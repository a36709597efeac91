"""What is told of tables in a warehouse that several machines share is what is told of those in a DuckDB file."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from invoices_assets.load.reports.audit import Count, audit
from invoices_assets.load.reports.receivables import make_receivables
from invoices_assets.source.columns.meaning import MASK
from invoices_assets_tests.support.bills import COLUMNS, MONEY, bill
from invoices_assets_tests.support.warehouses import SharedLoader


def test_open_amounts_are_told_by_currency(loader: SharedLoader) -> None:
    loader.columns = dict(COLUMNS)
    found = loader.load([bill(1, "1.10"), bill(2, "2"), bill(3, "5", "USD")]).overview
    assert found is not None
    assert [(each.currency, each.open) for each in found.amounts] == [("EUR", Decimal("3.1")), ("USD", 5)]


def test_values_of_persons_are_masked(loader: SharedLoader) -> None:
    loader.columns = {name: COLUMNS[name] for name in ("id", "customer__name")}
    found = loader.load([bill(1, "1.10")]).overview
    assert found is not None
    assert [row["customer__name"] for row in found.newest] == [MASK]


def test_checks_count_what_is_wrong(loader: SharedLoader) -> None:
    loader.columns = {**COLUMNS, "amount_paid": MONEY, "total": {**MONEY, "x-sum-of": "line_items.amount"}}
    loader.load([bill(1, "1", amount_paid=2, issue_date="2026-02-03", due_date="2026-02-02")])
    found = audit(loader.settings, loader.resource)
    assert (found.repeated, found.orphans) == (Count(0), Count(0))
    wrong = Count(1, "i1")
    assert (found.overpaid, found.due_too_early, found.sums) == (wrong, wrong, {"total": wrong})


def test_receivables_are_made_anew_with_each_load(loader: SharedLoader, tmp_path: Path) -> None:
    loader.columns = dict(COLUMNS)
    late = str(datetime.now(UTC).date() - timedelta(days=45))
    for due in ("1", "2.50"):
        loader.load([bill(1, due, due_date=late)])
        made, customer = make_receivables(loader.settings, "invoices", tmp_path)
        assert (made.rows, customer) == (1, "customer__name")
        rows = loader.rows("SELECT customer, currency, amount_due, days_31_60 FROM {d}.receivables")
        assert rows == [("Müller 1", "EUR", Decimal(due), Decimal(due))]


def test_receivables_before_the_first_load_are_empty(loader: SharedLoader, tmp_path: Path) -> None:
    make_receivables(loader.settings, "invoices", tmp_path)
    assert loader.rows("FROM {d}.receivables") == []
