"""What is open, by customer and currency and by days since it was due, to the cent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from invoices_assets.errors import TableRefused
from invoices_assets.load.reports.amounts import AGES
from invoices_assets.load.reports.made_table import MadeTable
from invoices_assets.load.reports.receivables import make_receivables
from invoices_assets_tests.support.bills import COLUMNS, bill, write_by_hand
from invoices_assets_tests.support.load_helpers import Loader

EDGES = {0: "not_due", 1: "days_1_30", 30: "days_1_30", 31: "days_31_60", 60: "days_31_60"}
EDGES |= {61: "days_61_90", 90: "days_61_90", 91: "days_over_90", -1: "not_due"}


@pytest.fixture
def loader(tmp_path: Path) -> Loader:
    return Loader(tmp_path / "w.duckdb", columns=dict(COLUMNS))


def made(loader: Loader, tmp_path: Path) -> tuple[MadeTable, str | None]:
    return make_receivables(loader.settings, "invoices", tmp_path)


def late(days: int) -> str:
    return str(datetime.now(UTC).date() - timedelta(days=days))


def test_an_amount_is_in_the_bucket_of_its_days_at_both_edges_of_each(loader: Loader, tmp_path: Path) -> None:
    edges = list(EDGES)
    loader.load([bill(at, "1", f"C{at}", due_date=late(days)) for at, days in enumerate(edges)])
    made(loader, tmp_path)
    for at, days in enumerate(edges):
        [row] = loader.rows(f"SELECT {', '.join(AGES)} FROM {{d}}.receivables WHERE currency = 'C{at}'")
        assert {name for name, value in zip(AGES, row, strict=True) if value} == {EDGES[days]}, days


def test_sums_are_those_of_each_customer_and_currency_to_the_cent(loader: Loader, tmp_path: Path) -> None:
    wanted: dict[tuple[str, str], list[Any]] = {}
    records = []
    for at in range(60):
        customer, currency, amount = f"c{at % 4}", ("EUR", "USD", "JPY")[at % 3], Decimal(at * 37 - 500) / 100
        records.append(bill(at, str(amount), currency, due_date=late(at * 2 - 10), customer={"name": customer}))
        sums = wanted.setdefault((customer, currency), [0, Decimal(0), Decimal(0)])
        sums[0] += 1
        sums[1] += amount
        sums[2] += amount if at * 2 - 10 > 90 else 0
    loader.load(records)
    made(loader, tmp_path)
    rows = loader.rows("SELECT customer, currency, invoices, amount_due, days_over_90 FROM {d}.receivables")
    assert {(row[0], row[1]): list(row[2:]) for row in rows} == wanted


def test_the_buckets_add_up_to_what_is_open(loader: Loader, tmp_path: Path) -> None:
    loader.load([bill(at, f"{at}.07", due_date=None if at % 5 == 0 else late(at * 3 - 20)) for at in range(40)])
    made(loader, tmp_path)
    off = f"SELECT count(*) FROM {{d}}.receivables WHERE amount_due <> {' + '.join(AGES)}"
    assert loader.column(off) == [0]


def test_paid_and_deleted_rows_are_not_in_it(loader: Loader, tmp_path: Path) -> None:
    loader.load([bill(1, "1"), bill(2, "2"), bill(3, "0")])
    loader.load([bill(1, "1"), bill(3, "0")], max_deleted_share=1.0)
    made(loader, tmp_path)
    assert loader.rows("SELECT invoices, amount_due FROM {d}.receivables") == [(1, Decimal(1))]


def test_before_the_first_load_it_is_empty_with_all_its_columns(loader: Loader, tmp_path: Path) -> None:
    done, customer = made(loader, tmp_path)
    assert (done.rows, customer) == (0, None)
    assert list(done.columns) == ["customer", "currency", "invoices", "amount_due", *AGES]


def test_it_is_made_anew_with_what_has_changed(loader: Loader, tmp_path: Path) -> None:
    for due in ("1", "2.50"):
        loader.load([bill(1, due)])
        made(loader, tmp_path)
        assert loader.column("SELECT amount_due FROM {d}.receivables") == [Decimal(due)]


def test_days_may_be_texts_and_amounts_small_numbers(tmp_path: Path) -> None:
    hints = {"due_date": {"data_type": "text"}, "amount_due": {"data_type": "bigint", "precision": 16}}
    loader = Loader(tmp_path / "w.duckdb", columns=dict(COLUMNS) | hints)
    loader.load([bill(1, "7", due_date=late(95))])
    made(loader, tmp_path)
    assert loader.rows("SELECT amount_due, days_over_90 FROM {d}.receivables") == [(7, 7)]


def test_a_table_of_somebody_else_with_its_name_is_left_alone(loader: Loader, tmp_path: Path) -> None:
    loader.load([bill(1, "1")])
    write_by_hand(loader.path, "CREATE TABLE invoicing.receivables AS SELECT 1 AS mine")
    with pytest.raises(TableRefused, match=r"invoicing\.receivables was not made by this project; move it away"):
        made(loader, tmp_path)
    assert loader.column("SELECT mine FROM {d}.receivables") == [1]


@pytest.mark.parametrize(
    ("name", "hints", "said"),
    [
        ("amount_due", {"data_type": "text"}, "is VARCHAR, and what is open needs an exact number there"),
        ("amount_due", {"data_type": "double"}, "is DOUBLE, and what is open needs an exact number there"),
    ],
)
def test_a_table_that_was_loaded_with_other_types_is_refused_by_the_name_of_the_column(
    tmp_path: Path, name: str, hints: dict[str, Any], said: str
) -> None:
    loader = Loader(tmp_path / "w.duckdb", columns=dict(COLUMNS) | {name: hints})
    loader.load([bill(1, "1", "EUR", due_date=late(3))])
    with pytest.raises(TableRefused) as refused:
        made(loader, tmp_path)
    assert f"`{name}` of {loader.settings.dataset}.invoices {said}" in str(refused.value)


def test_a_table_that_has_no_such_column_yet_is_refused_by_its_name(tmp_path: Path) -> None:
    loader = Loader(tmp_path / "w.duckdb", columns={})
    loader.load([{"id": "1"}])
    with pytest.raises(TableRefused, match=r"`currency` of .*invoices is missing"):
        made(loader, tmp_path)
