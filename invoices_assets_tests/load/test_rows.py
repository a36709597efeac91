"""A sweep becomes rows: new, changed, unchanged, twice in one sweep, rejected."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from invoices_assets.errors import NothingStored
from invoices_assets.load.request import Scope
from invoices_assets.source.naming import normalized
from invoices_assets_tests.support.load_helpers import NOW, Loader, invoice
from invoices_assets_tests.support.rows import fingerprint


@pytest.fixture
def loader(tmp_path: Path) -> Loader:
    return Loader(tmp_path / "invoices.duckdb")


def test_the_first_load_stores_every_record_exactly(loader: Loader) -> None:
    result = loader.load(invoice(n) for n in range(50))
    assert (result.new, result.changed, result.table_rows, result.live_rows) == (50, 0, 50, 50)
    assert result.load_id is not None
    assert loader.rows("SELECT id, total, customer__name FROM {d}.invoices WHERE id = 'i49'") == [
        ("i49", Decimal("49.100000000"), "Müller 0")
    ]
    assert loader.rows(
        "SELECT sum(total), sum(amount) FROM {d}.invoices JOIN {d}.invoices__line_items l ON "
        "l._dlt_root_id = invoices._dlt_id AND l._dlt_list_idx = 0"
    ) == [(sum(Decimal(n) + Decimal("0.1") for n in range(50)), sum(range(50)))]


def test_a_second_load_of_the_same_records_writes_nothing(loader: Loader) -> None:
    loader.load(invoice(n) for n in range(50))
    before = loader.path.stat().st_mtime_ns
    result = loader.load(invoice(n) for n in range(50))
    assert (result.unchanged, result.load_id, result.table_rows) == (50, None, 50)
    assert loader.path.stat().st_mtime_ns == before
    assert loader.rows("SELECT count(*) FROM {d}._dlt_loads") == [(1,)]


def test_only_changed_records_get_a_new_load_id(loader: Loader) -> None:
    first = loader.load(invoice(n) for n in range(50))
    second = loader.load([invoice(3, total=Decimal(9)), invoice(4)], scope=Scope.PART)
    assert (second.changed, second.unchanged) == (1, 1)
    assert loader.rows("SELECT _dlt_load_id, count(*) FROM {d}.invoices GROUP BY 1 ORDER BY 1") == [
        (first.load_id, 49),
        (second.load_id, 1),
    ]
    assert loader.column("SELECT total FROM {d}.invoices WHERE id = 'i3'") == [Decimal(9)]


@pytest.mark.parametrize("others", [0, 500], ids=["read as a whole", "looked up by record"])
def test_child_rows_of_a_changed_record_are_replaced_as_a_whole(loader: Loader, others: int) -> None:
    loader.load(invoice(n, lines=3) for n in range(3 + others))
    result = loader.load([invoice(0, lines=1), invoice(1, lines=3), invoice(2, lines=4)], scope=Scope.PART)
    assert (result.changed, result.unchanged) == (2, 1)
    lines = (
        "SELECT id, list(sku ORDER BY _dlt_list_idx) FROM {d}.invoices JOIN {d}.invoices__line_items l "
        "ON l._dlt_root_id = invoices._dlt_id WHERE id IN ('i0', 'i1', 'i2') GROUP BY 1 ORDER BY 1"
    )
    assert loader.rows(lines) == [
        ("i0", ["s0"]),
        ("i1", ["s0", "s1", "s2"]),
        ("i2", ["s0", "s1", "s2", "s3"]),
    ]


@pytest.mark.parametrize("key", ["_links", "2024", "__typename"])
def test_a_list_may_have_a_key_that_begins_like_no_word(loader: Loader, key: str) -> None:
    lists = {key: [{"href": "a", key: [{"b": 1}]}]}
    loader.load([invoice(1, **lists), invoice(2, **lists)])
    assert loader.load([invoice(1, **lists), invoice(2)]).changed == 1
    child = f"invoices__{normalized(key)}"
    assert loader.rows(f'SELECT href FROM {{d}}."{child}"') == [("a",)]
    assert loader.rows(f'SELECT b FROM {{d}}."{child}__{normalized(key)}"') == [(1,)]
    stored = json.loads(loader.column("SELECT schema FROM {d}._dlt_version")[0])["tables"]
    assert stored[f"{child}__{normalized(key)}"]["parent"] == child


def test_a_record_that_loses_all_child_rows_has_none(loader: Loader) -> None:
    loader.load(invoice(n) for n in range(3))
    result = loader.load([invoice(1, lines=0)], scope=Scope.PART)
    assert result.changed == 1
    assert loader.rows("SELECT count(*) FROM {d}.invoices__line_items") == [(4,)]


def test_a_child_row_that_alone_changed_makes_its_record_a_changed_one(loader: Loader) -> None:
    loader.load(invoice(n) for n in range(3))
    changed = invoice(1)
    changed["line_items"][1]["amount"] = Decimal("77.77")
    assert loader.load([invoice(0), changed, invoice(2)]).changed == 1
    amounts = "SELECT amount FROM {d}.invoices__line_items ORDER BY _dlt_root_id, _dlt_list_idx"
    assert Decimal("77.77") in loader.column(amounts)


def test_grandchildren_follow_their_record(loader: Loader) -> None:
    taxed = [{"sku": "a", "taxes": [{"rate": 7}, {"rate": 19}]}]
    loader.load([invoice(1, line_items=taxed), invoice(2, line_items=taxed)])
    loader.load([invoice(1, line_items=[{"sku": "a", "taxes": [{"rate": 20}]}])], scope=Scope.PART)
    assert loader.rows("SELECT rate FROM {d}.invoices__line_items__taxes ORDER BY 1") == [(7,), (19,), (20,)]


@pytest.mark.parametrize("batch_rows", [1, 2, 5000], ids=["own batches", "small batches", "one batch"])
def test_of_a_record_received_twice_the_last_one_counts_with_its_child_rows(loader: Loader, batch_rows: int) -> None:
    loader.batch_rows = batch_rows
    result = loader.load([invoice(1, lines=3), invoice(2), invoice(1, lines=1, total=5), invoice(3)])
    assert (result.new, result.table_rows) == (3, 3)
    assert loader.rows("SELECT total FROM {d}.invoices WHERE id = 'i1'") == [(Decimal(5),)]
    assert loader.rows("SELECT count(*) FROM {d}.invoices__line_items") == [(1 + 2 + 2,)]


def test_rejected_records_are_kept_beside_the_others_with_their_load_id(loader: Loader) -> None:
    result = loader.load([invoice(1), invoice(2, total="a lot")])
    assert (result.new, result.rejected) == (1, 1)
    found = loader.rows("SELECT key, reason, _dlt_load_id, rejected_at FROM {d}.invoices_rejected")
    assert found[0][0] == "i2"
    assert "total" in found[0][1]
    assert found[0][2:] == (result.load_id, NOW)


def test_the_same_rejection_again_is_neither_a_second_row_nor_a_load(loader: Loader) -> None:
    loader.load([invoice(1), invoice(2, total="a lot")])
    result = loader.load([invoice(1), invoice(2, total="a lot")])
    assert (result.rejected, result.load_id) == (1, None)
    assert loader.rows("SELECT count(*) FROM {d}.invoices_rejected") == [(1,)]


def test_a_rejection_alone_is_loaded(loader: Loader) -> None:
    loader.load([invoice(1)])
    result = loader.load([invoice(1), invoice(2, total="a lot")])
    assert result.load_id is not None
    assert loader.rows("SELECT count(*) FROM {d}.invoices_rejected") == [(1,)]
    assert loader.rows("SELECT count(*) FROM {d}.invoices") == [(1,)]


def test_keys_of_several_columns_identify_a_record_together(tmp_path: Path) -> None:
    loader = Loader(tmp_path / "w.duckdb", primary_key=("series", "id"))
    loader.load([invoice(1, series="a"), invoice(1, series="b")])
    result = loader.load([invoice(1, series="a"), invoice(1, series="b", total=5)])
    assert (result.changed, result.unchanged, result.table_rows) == (1, 1, 2)


def test_a_row_whose_undeclared_key_comes_with_another_type_is_one_row_and_that_is_told(loader: Loader) -> None:
    del loader.columns["id"]
    loader.load([invoice(1, id=1), invoice(2, id="b")])
    result = loader.load([invoice(1, id=1)], scope=Scope.PART)
    assert loader.column("SELECT id FROM {d}.invoices ORDER BY id") == ["1", "b"]
    assert any("their key came with another type (declare its `data_type`)" in remark for remark in result.remarks)


def test_a_file_and_a_dataset_of_one_name_do_not_get_in_each_others_way(tmp_path: Path) -> None:
    loader = Loader(tmp_path / "sandbox.duckdb", dataset="sandbox")
    loader.load([invoice(1)])
    assert loader.load([invoice(1, total=2)]).changed == 1
    assert loader.rows("SELECT count(*) FROM {d}.invoices") == [(1,)]


def test_two_resources_share_a_file_and_a_dataset(loader: Loader) -> None:
    loader.load([invoice(1)], state={"a": 1})
    other = Loader(loader.path, name="customers", columns={"id": {"data_type": "text"}})
    other.load([{"id": "c1", "name": "Müller"}], state={"b": 2})
    assert loader.load([invoice(1)], state={"a": 1}).load_id is None
    assert other.load([{"id": "c1", "name": "Müller"}], state={"b": 2}).load_id is None
    assert loader.rows("SELECT name FROM {d}.customers") == [("Müller",)]


def test_the_result_describes_the_tables(loader: Loader) -> None:
    result = loader.load([invoice(1)])
    assert result.columns["invoices"]["total"] == "DECIMAL(38,9)"
    assert result.columns["invoices"]["deleted_at"] == "TIMESTAMP WITH TIME ZONE"
    assert set(result.columns) == {"invoices", "invoices__line_items"}
    assert result.seconds["commit"] >= 0


def test_a_child_tables_own_deleted_at_is_compared(loader: Loader) -> None:
    loader.load([invoice(1, line_items=[{"sku": "a", "deleted_at": None}, {"sku": "b", "deleted_at": "2026-01-01"}])])
    line_items = [{"sku": "a", "deleted_at": "2026-01-02"}, {"sku": "b", "deleted_at": "2026-01-01"}]
    assert loader.load([invoice(1, line_items=line_items)]).changed == 1
    assert loader.column("SELECT deleted_at FROM {d}.invoices__line_items ORDER BY sku") == ["2026-01-02", "2026-01-01"]


@pytest.mark.parametrize("scope", [Scope.EVERYTHING, Scope.EVERYTHING_MARK_DELETED])
def test_a_sweep_of_everything_of_which_nothing_can_be_stored_fails(loader: Loader, scope: Scope) -> None:
    loader.load([invoice(1), invoice(2)])
    before = fingerprint(loader.path)
    with pytest.raises(NothingStored, match=r"none of the 2 records of `invoices` can be stored as declared.*total"):
        loader.load([invoice(1, total="a lot"), invoice(2, total="a lot")], scope=scope)
    assert fingerprint(loader.path) == before


@pytest.mark.parametrize("scope", list(Scope))
def test_a_first_load_of_which_nothing_can_be_stored_fails(loader: Loader, scope: Scope) -> None:
    with pytest.raises(NothingStored, match="compare `columns` in the source file"):
        loader.load([invoice(1, total="a lot")], scope=scope)


def test_a_change_that_cannot_be_stored_waits_and_does_not_stop_the_refreshes(loader: Loader) -> None:
    loader.load([invoice(1), invoice(2)])
    assert loader.load([invoice(1, total="a lot")], scope=Scope.PART).rejected == 1
    assert loader.column("SELECT key FROM {d}.invoices_rejected") == ["i1"]
