"""What asset checks find in the tables: how many rows are wrong, and one of them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from invoices_assets.load.reports.audit import Audit, Count, audit
from invoices_assets.source.columns.meaning import MASK
from invoices_assets_tests.support.bills import COLUMNS, MONEY, bill, write_by_hand
from invoices_assets_tests.support.load_helpers import Loader, invoice

SUM = {**MONEY, "x-sum-of": "line_items.amount", "x-tolerance": 0.05}


@pytest.fixture
def loader(tmp_path: Path) -> Loader:
    columns = {**COLUMNS, "total": SUM, "amount_paid": MONEY}
    return Loader(tmp_path / "w.duckdb", columns=columns)


def found(loader: Loader) -> Audit:
    return audit(loader.settings, loader.resource)


def summing(number: int, total: str, *parts: str, **fields: Any) -> dict[str, Any]:
    return invoice(number, total=Decimal(total), **fields) | {
        "line_items": [{"amount": Decimal(each)} for each in parts]
    }


def paid(number: int, total: str, amount: str | None) -> dict[str, Any]:
    return bill(number, total) | {"amount_paid": None if amount is None else Decimal(amount)}


def test_tables_as_they_were_loaded_have_nothing_wrong(loader: Loader) -> None:
    loader.load([summing(1, "3", "1", "2")])
    assert (found(loader).repeated, found(loader).orphans, found(loader).rejected) == (Count(0), Count(0), {})


def test_a_repeated_key_counts_once_with_the_key(loader: Loader) -> None:
    loader.load([summing(1, "1"), summing(2, "1")])
    for _ in range(2):
        write_by_hand(
            loader.path, "INSERT INTO invoicing.invoices SELECT * FROM invoicing.invoices WHERE id = 'i2' LIMIT 1"
        )
    assert found(loader).repeated == Count(1, "i2")


def test_a_key_that_is_of_a_person_is_no_example(loader: Loader) -> None:
    loader.columns = {**COLUMNS, "id": {**COLUMNS["id"], "x-pii": True}}
    loader.load([bill(1, "1")])
    write_by_hand(loader.path, "INSERT INTO invoicing.invoices SELECT * FROM invoicing.invoices LIMIT 1")
    assert found(loader).repeated == Count(1, MASK)


def test_a_row_of_a_list_without_its_record_is_an_orphan(loader: Loader) -> None:
    loader.load([summing(1, "3", "1", "2"), summing(2, "1", "1")])
    [lost] = loader.column(
        "SELECT min(l._dlt_id) FROM {d}.invoices__line_items l JOIN {d}.invoices i "
        "ON l._dlt_parent_id = i._dlt_id WHERE i.id = 'i1'"
    )
    write_by_hand(loader.path, "DELETE FROM invoicing.invoices WHERE id = 'i1'")
    assert found(loader).orphans == Count(2, lost)


def test_a_row_of_a_list_that_names_no_record_at_all_is_an_orphan(loader: Loader) -> None:
    loader.load([summing(1, "3", "1", "2")])
    write_by_hand(
        loader.path,
        "ALTER TABLE invoicing.invoices__line_items ALTER _dlt_parent_id DROP NOT NULL",
        "UPDATE invoicing.invoices__line_items SET _dlt_parent_id = NULL WHERE amount = 1",
    )
    assert found(loader).orphans.rows == 1


def test_parts_may_be_off_by_the_tolerance_and_no_more(loader: Loader) -> None:
    loader.load([summing(1, "3.05", "1", "2"), summing(2, "2.949", "1", "2"), summing(3, "3.051", "1", "2")])
    assert found(loader).sums["total"] == Count(2, "i2")


def test_a_record_without_parts_has_the_sum_0(loader: Loader) -> None:
    loader.load([summing(1, "3", "3"), summing(2, "0"), summing(3, "1")])
    assert found(loader).sums["total"] == Count(1, "i3")


def test_of_parts_that_nobody_sent_nothing_is_said(loader: Loader) -> None:
    loader.load([summing(1, "3")])
    assert found(loader).sums == {}


def test_parts_that_no_sum_can_hold_do_not_hide_what_else_is_wrong(loader: Loader) -> None:
    loader.load([summing(1, "3", "9" * 29, "9" * 29)])
    write_by_hand(loader.path, "INSERT INTO invoicing.invoices SELECT * FROM invoicing.invoices")
    assert found(loader).repeated == Count(1, "i1")
    assert found(loader).sums == {"total": None}


def test_more_paid_than_the_total_counts_also_of_a_credit_note(loader: Loader) -> None:
    fine = [paid(1, "10", "10"), paid(2, "-10", "-10"), paid(3, "-10", "0"), paid(4, "10", None), paid(5, "10", "-1")]
    loader.load([*fine, paid(6, "10", "10.01"), paid(7, "-10", "-10.01")])
    assert found(loader).overpaid == Count(2, "i6")


def test_due_before_the_issue_counts_and_on_its_day_does_not(loader: Loader) -> None:
    days = [("2026-02-03", None), ("2026-02-03", "2026-02-03"), ("2026-02-03", "2026-02-02"), (None, "2026-02-02")]
    loader.load([bill(at, "1", issue_date=issued, due_date=due) for at, (issued, due) in enumerate(days)])
    assert found(loader).due_too_early == Count(1, "i2")


def test_rows_that_are_deleted_are_held_to_nothing(loader: Loader) -> None:
    good, wrong = summing(1, "1", "1"), paid(2, "1", "5") | {"issue_date": "2026-02-03", "due_date": "2026-02-02"}
    loader.load([good, wrong])
    loader.load([good], max_deleted_share=1.0)
    looked = found(loader)
    assert (looked.overpaid, looked.due_too_early, looked.sums["total"]) == (Count(0), Count(0), Count(0))


def test_columns_that_are_not_there_are_not_judged(tmp_path: Path) -> None:
    loader = Loader(tmp_path / "w.duckdb", columns={"id": {"data_type": "text"}})
    loader.load([{"id": "i1"}])
    assert (found(loader).overpaid, found(loader).due_too_early, found(loader).sums) == (None, None, {})


def test_a_key_of_several_columns_is_shown_as_a_whole(tmp_path: Path) -> None:
    columns = {"tenant": {"data_type": "bigint"}, "id": {"data_type": "text"}}
    loader = Loader(tmp_path / "w.duckdb", columns=columns, primary_key=("tenant", "id"))
    loader.load([{"tenant": 1, "id": "a"}, {"tenant": 2, "id": "a"}])
    assert found(loader).repeated == Count(0)
    write_by_hand(loader.path, "INSERT INTO invoicing.invoices SELECT * FROM invoicing.invoices WHERE tenant = 2")
    assert found(loader).repeated == Count(1, "2, a")


def test_rejected_records_are_counted_by_reason(loader: Loader) -> None:
    loader.load([bill(1, "1"), bill(2, "1", issue_date="x"), bill(3, "1", issue_date="x")])
    assert list(found(loader).rejected.values()) == [2]


def test_before_the_first_load_nothing_is_wrong(loader: Loader) -> None:
    loader.load([])
    assert found(loader) == Audit()


def test_a_load_tells_what_a_look_behind_it_finds_also_where_it_had_nothing_to_write(loader: Loader) -> None:
    for _ in range(2):
        done = loader.load([summing(1, "3", "1", "1"), paid(2, "1", "2")])
        assert done.audit == found(loader)
        assert done.audit.overpaid == Count(1, "i2")
