"""Records that vanish from the API are marked, and unmarked if they return; not when too many vanish."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from invoices_assets.errors import DeletionRefused
from invoices_assets.load.request import Scope
from invoices_assets_tests.support.load_helpers import NOW, Loader, invoice


@pytest.fixture
def loader(tmp_path: Path) -> Loader:
    loader = Loader(tmp_path / "invoices.duckdb")
    loader.load(invoice(n) for n in range(10))
    return loader


def test_a_complete_sweep_marks_what_is_missing_and_keeps_its_child_rows(loader: Loader) -> None:
    result = loader.load(invoice(n) for n in range(9))
    assert (result.deleted, result.unchanged, result.table_rows, result.live_rows) == (1, 9, 10, 9)
    assert loader.rows("SELECT id, deleted_at FROM {d}.invoices WHERE deleted_at IS NOT NULL") == [("i9", NOW)]
    assert loader.rows("SELECT count(*) FROM {d}.invoices__line_items") == [(20,)]


def test_a_marked_record_is_not_marked_again(loader: Loader) -> None:
    loader.load(invoice(n) for n in range(9))
    result = loader.load((invoice(n) for n in range(9)), now=NOW + timedelta(days=1))
    assert (result.deleted, result.load_id) == (0, None)
    assert loader.column("SELECT deleted_at FROM {d}.invoices WHERE id = 'i9'") == [NOW]


@pytest.mark.parametrize("scope", [Scope.EVERYTHING_MARK_DELETED, Scope.PART])
def test_a_record_that_returns_is_live_again(loader: Loader, scope: Scope) -> None:
    loader.load(invoice(n) for n in range(9))
    returning = range(10) if scope.is_everything else [9]
    result = loader.load((invoice(n) for n in returning), scope=scope)
    assert (result.returned, result.changed, result.deleted, result.live_rows) == (1, 0, 0, 10)


def test_an_incremental_sweep_marks_nothing(loader: Loader) -> None:
    result = loader.load([invoice(1)], scope=Scope.PART)
    assert (result.deleted, result.live_rows) == (0, 10)


def test_a_sweep_of_everything_that_is_not_a_reconcile_marks_nothing(loader: Loader) -> None:
    result = loader.load([invoice(1)], scope=Scope.EVERYTHING)
    assert (result.deleted, result.live_rows) == (0, 10)


def test_two_of_ten_may_vanish_and_three_may_not(loader: Loader) -> None:
    assert loader.load(invoice(n) for n in range(8)).deleted == 2
    with pytest.raises(DeletionRefused, match=r"2 of 8 records in invoicing.invoices \(25%\).*limit of 20%"):
        loader.load(invoice(n) for n in range(6))
    assert loader.rows("SELECT count(*) FROM {d}.invoices WHERE deleted_at IS NULL") == [(8,)]


def test_the_limit_can_be_raised(loader: Loader) -> None:
    assert loader.load([invoice(1)], max_deleted_share=0.9).deleted == 9


def test_a_refused_deletion_loads_nothing_else_either(loader: Loader) -> None:
    with pytest.raises(DeletionRefused):
        loader.load([invoice(1, total=77), invoice(11)], state={"cursor": "later"})
    assert loader.rows("SELECT count(*), max(total) FROM {d}.invoices") == loader.rows("SELECT 10, 9.1")
    assert loader.rows("SELECT count(*) FROM {d}._dlt_loads") == [(1,)]


@pytest.mark.parametrize("scope", [Scope.EVERYTHING_MARK_DELETED, Scope.EVERYTHING])
def test_nothing_where_rows_were_is_an_error(loader: Loader, scope: Scope) -> None:
    with pytest.raises(DeletionRefused, match="the API shows no records though the warehouse has 10"):
        loader.load([], scope=scope, max_deleted_share=1.0)
    assert loader.rows("SELECT count(*) FROM {d}.invoices WHERE deleted_at IS NULL") == [(10,)]


def test_nothing_where_nothing_was_is_no_error(tmp_path: Path) -> None:
    loader = Loader(tmp_path / "empty.duckdb")
    result = loader.load([], scope=Scope.EVERYTHING_MARK_DELETED)
    assert (result.new, result.load_id, result.table_rows) == (0, None, 0)


def test_nothing_new_is_no_error(loader: Loader) -> None:
    assert loader.load([], scope=Scope.PART).load_id is None


def test_a_rejected_record_has_not_vanished(loader: Loader) -> None:
    records = [invoice(n) for n in range(9)] + [invoice(9, total="a lot")]
    assert loader.load(records).deleted == 0


def test_a_rejected_record_with_a_number_as_its_key_has_not_vanished(tmp_path: Path) -> None:
    loader = Loader(tmp_path / "w.duckdb", columns={"id": {"data_type": "decimal"}, "n": {"data_type": "bigint"}})
    loader.load([{"id": n, "n": n} for n in range(10)])
    result = loader.load([*({"id": n, "n": n} for n in range(9)), {"id": 9, "n": "many"}])
    assert (result.rejected, result.deleted) == (1, 0)


def test_a_rejected_record_with_a_key_of_two_columns_has_not_vanished(tmp_path: Path) -> None:
    loader = Loader(tmp_path / "w.duckdb", primary_key=("series", "id"))
    records = [invoice(n, series="a") for n in range(9)]
    loader.load([*records, invoice(9, series="a")])
    assert loader.load([*records, invoice(9, series="a", total="a lot")]).deleted == 0
    assert loader.load([*records, invoice(9, series="b", total="a lot")]).deleted == 1


@pytest.mark.parametrize("rejected", [7, "7", Decimal("7.0")])
@pytest.mark.parametrize("stored", [7, "7", Decimal("7.0")])
def test_one_id_in_another_notation_has_not_vanished(stored: Any, rejected: Any, tmp_path: Path) -> None:
    loader = Loader(tmp_path / "w.duckdb")
    loader.load([invoice(0, id=stored), invoice(1)])
    assert (
        loader.load([invoice(0, id=rejected, total="a lot"), invoice(1)]).deleted,
        loader.column("SELECT id FROM {d}.invoices ORDER BY id"),
    ) == (
        0,
        ["7", invoice(1)["id"]],
    )
    again = loader.load([invoice(0, id=rejected)], scope=Scope.PART)
    assert (again.new, again.changed, again.unchanged) == (0, 0, 1)
    assert loader.column("SELECT count(*) FROM {d}.invoices_rejected") == [0]
