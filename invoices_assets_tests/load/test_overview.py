"""What a load says of the amounts in its table, and which rows it shows."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from invoices_assets.load.reports.overview import Overview
from invoices_assets.source.columns.meaning import MASK
from invoices_assets_tests.support.bills import COLUMNS, bill
from invoices_assets_tests.support.load_helpers import Loader


@pytest.fixture
def loader(tmp_path: Path) -> Loader:
    return Loader(tmp_path / "w.duckdb", columns=dict(COLUMNS))


def overview(loader: Loader, *records: dict[str, Any]) -> Overview:
    found = loader.load(records).overview
    assert found is not None
    return found


def test_amounts_are_summed_by_currency_that_with_the_most_rows_first(loader: Loader) -> None:
    found = overview(loader, bill(1, "5", "USD"), bill(2, "0.1"), bill(3, "0.2"), bill(4, "7", None))
    assert [(each.currency, each.rows, each.open) for each in found.amounts] == [
        ("EUR", 2, Decimal("0.3")),
        (None, 1, Decimal(7)),
        ("USD", 1, Decimal(5)),
    ]


def test_amounts_are_summed_by_the_month_of_issue(loader: Loader) -> None:
    months = [bill(1, "1", issue_date="2026-02-01"), bill(2, "2", issue_date="2026-02-28")]
    [found] = overview(loader, *months, bill(3, "4", issue_date="2026-03-01"), bill(4, "9", issue_date=None)).amounts
    assert found.by_month == {date(2026, 2, 1): 3, date(2026, 3, 1): 4}


def test_what_is_overdue_is_what_was_due_before_today(loader: Loader) -> None:
    late = [bill(1, "1", due_date="2020-01-01"), bill(2, "-0.4", due_date="2020-01-01")]
    [found] = overview(loader, *late, bill(3, "4", due_date="2999-01-01"), bill(4, "8", due_date=None)).amounts
    assert (found.open, found.overdue) == (Decimal("12.6"), Decimal("0.6"))


def test_deleted_rows_are_in_no_sum(loader: Loader) -> None:
    loader.load([bill(1, "1"), bill(2, "2")])
    loader.load([bill(1, "1")], max_deleted_share=1.0)
    assert loader.load([bill(1, "1")]).overview is not None
    assert [each.open for each in overview(loader, bill(1, "1")).amounts] == [1]


def test_a_table_without_amounts_has_none(tmp_path: Path) -> None:
    loader = Loader(tmp_path / "w.duckdb", columns={"id": {"data_type": "text"}})
    assert overview(loader, {"id": "i1"}).amounts == []


def test_amounts_that_no_sum_can_hold_fail_no_load_and_a_remark_tells(loader: Loader) -> None:
    most = "9" * 29
    done = loader.load([bill(1, most), bill(2, most)])
    assert (done.new, done.overview) == (2, None)
    [remark] = done.remarks
    assert remark.startswith("the amounts could not be added up: ")
    assert loader.column("SELECT sum(amount_due::DOUBLE) > 1e29 FROM {d}.invoices") == [True]


def test_values_of_persons_are_masked_and_missing_ones_are_not(loader: Loader) -> None:
    loader.columns = {name: COLUMNS[name] for name in ("id", "customer__name")}
    found = overview(loader, bill(1, "1"), bill(2, "1", customer={"name": None}))
    assert {row["id"]: row["customer__name"] for row in found.newest} == {"i1": MASK, "i2": None}


def test_a_mark_on_an_object_is_one_on_all_that_is_in_it(loader: Loader) -> None:
    loader.columns = {"customer": {"x-pii": True}, "customer__name": {"description": "Who pays"}, "id": COLUMNS["id"]}
    [row] = overview(loader, bill(1, "1")).newest
    assert row["customer__name"] == MASK


def test_amounts_are_shown_exactly_and_without_zeros_behind_them(loader: Loader) -> None:
    found = overview(loader, bill(1, "100"), bill(2, "-0.120"), bill(3, "0"))
    assert {row["total"] for row in found.newest} == {"100", "-0.12", "0"}


def test_the_rows_are_shown_by_four_columns_first_those_of_the_amounts(loader: Loader) -> None:
    loader.columns = {"note": {"data_type": "text"}, "number": {"data_type": "text"}, **COLUMNS}
    [row] = overview(loader, {**bill(1, "1"), "note": "n", "number": "A1"}).newest
    assert list(row) == ["number", "total", "currency", "amount_due"]
