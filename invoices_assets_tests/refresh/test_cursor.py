"""The incremental cursor: what a refresh asks for, and what it never misses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from dlt.common.versioned_state import decompress_state

from invoices_assets.errors import ExtractError, WarehouseError
from invoices_assets_tests.support.invoices import NOON, asked_since, invoice, stamped, without_lag
from invoices_assets_tests.support.loader import Loader, loaded
from invoices_assets_tests.support.project import Project
from invoices_assets_tests.support.sweep_helpers import config
from invoices_assets_tests.vendor import Book, Contract, Faults, Filter, Vendor, faults, serve


@pytest.fixture
def book() -> Book:
    return Book([invoice("a")])


@pytest.fixture
def loader(tmp_path: Path, server: Vendor) -> Loader:
    return Loader(tmp_path, server.url)


# What is stored, and when


def test_the_state_is_the_one_that_dlt_itself_keeps(tmp_path: Path) -> None:
    with serve(book=Book([invoice("a"), invoice("b", stamped(5))])) as server:
        loader = Loader(tmp_path, server.url)
        loader.refresh()
    [(state,)] = loader.query("SELECT state FROM _dlt_pipeline_state")
    assert decompress_state(state)["sources"]["invoicing"]["resources"]["invoices"]["incremental"] == {
        "updated_at": {"initial_value": None, "last_value": "2024-03-01T12:00:05Z", "unique_hashes": []}
    }


@pytest.mark.parametrize("mode", ["full", "reconcile"])
def test_a_cursor_of_numbers_moves_in_a_sweep_of_everything(loader: Loader, book: Book, mode: str) -> None:
    loader.content = config(incremental=without_lag())
    loader.content["resources"][0]["columns"]["updated_at"] = {"data_type": "bigint"}
    book.update("a", updated_at=5)
    loader.refresh()
    book.insert(invoice("b", 7))
    assert loader.load(mode).new == 1
    assert loader.cursor == 7


def test_an_incomplete_sweep_leaves_the_cursor_where_it_was(tmp_path: Path) -> None:
    book, switches = Book(invoice(f"{at:03}") for at in range(250)), Faults()
    with serve(book=book, faults=switches) as server:
        loader = Loader(tmp_path, server.url)
        loader.refresh()
        for at in range(150):
            book.update(f"{at:03}", total=11, updated_at=stamped(60))
        switches.append(faults.status(503, on=faults.where(offset=99)))
        with pytest.raises(ExtractError):
            loader.refresh()
        assert loader.cursor == NOON
        switches.clear()
        assert loader.load().changed == 150
        assert loader.cursor == stamped(60)


def test_a_load_that_is_refused_leaves_the_cursor_where_it_was(tmp_path: Path) -> None:
    book = Book(invoice(f"{at}") for at in range(10))
    with serve(book=book) as server:
        loader = Loader(tmp_path, server.url)
        loader.refresh()
        for at in range(8):
            book.delete(f"{at}")
        book.update("9", total=11, updated_at=stamped(60))
        with pytest.raises(WarehouseError, match="marked as deleted"):
            loader.refresh("reconcile")
        assert loader.cursor == NOON
        assert loader.query("SELECT total FROM invoices WHERE id = '9'") == [(Decimal(10),)]


@pytest.mark.parametrize("request_", [{"limit": 1}, {"dry_run": True}])
def test_a_trial_leaves_the_cursor_where_it_was(request_: dict[str, Any], loader: Loader, book: Book) -> None:
    loader.refresh()
    book.insert(invoice("b", stamped(60)))
    done = loader.refresh(**request_)
    assert (done.cursor_before, done.cursor_after, loader.cursor) == (NOON, NOON, NOON)


def test_a_refresh_of_everything_moves_the_cursor_too(loader: Loader, book: Book, server: Vendor) -> None:
    loader.refresh()
    book.insert(invoice("b", stamped(60)))
    asked_since(server)
    loader.refresh("full")
    assert asked_since(server) == {None}
    assert loader.cursor == stamped(60)


def test_since_never_leaves_a_gap_behind_the_cursor(loader: Loader, book: Book) -> None:
    loader.refresh()
    book.insert(invoice("in the gap", stamped(3600)))
    book.insert(invoice("after it", stamped(9000)))
    loader.refresh(since=stamped(7200))
    assert loader.cursor == NOON
    loader.refresh()
    assert loader.query("SELECT count(*) FROM invoices") == [(3,)]
    assert loader.cursor == stamped(9000)


def test_an_older_answer_never_moves_the_cursor_back(tmp_path: Path) -> None:
    book = Book([invoice("a", stamped(60)), invoice("b")])
    with serve(book=book) as server:
        loader = Loader(tmp_path, server.url)
        loader.refresh()
        book.delete("a")
        loader.refresh("full")
        assert loader.cursor == stamped(60)


# Overlap


def test_the_overlap_brings_a_record_that_was_written_late_with_an_older_stamp(
    loader: Loader, book: Book, server: Vendor
) -> None:
    loader.refresh()
    book.insert(invoice("late", stamped(-599)))
    asked_since(server)
    assert loader.load().new == 1
    assert asked_since(server) == {stamped(-600)}


def test_unchanged_rows_of_the_overlap_are_neither_counted_nor_rewritten(tmp_path: Path) -> None:
    book = Book(invoice(f"{at}", stamped(at), line_items=[{"amount": at}]) for at in range(20))
    with serve(book=book) as server:
        loader = Loader(tmp_path, server.url)
        loader.refresh()
        before = dict(loader.query("SELECT id, _dlt_load_id FROM invoices"))
        book.update("3", total=99, updated_at=stamped(30))
        result = loader.load()
        assert (result.new, result.changed, result.unchanged) == (0, 1, 19)
        after = dict(loader.query("SELECT id, _dlt_load_id FROM invoices"))
        assert {id for id in after if after[id] != before[id]} == {"3"}


def test_records_with_the_stamp_of_the_border_are_not_lost(tmp_path: Path) -> None:
    book = Book([invoice("a")])
    with serve(book=book) as server:
        loader = Loader(tmp_path, server.url, config(incremental=without_lag()))
        loader.refresh()
        book.insert(invoice("same second"))
        asked_since(server)
        assert loader.load().new == 1
        assert asked_since(server) == {NOON}


def test_an_exclusive_filter_loses_nothing_at_the_border_thanks_to_the_overlap(tmp_path: Path) -> None:
    book = Book([invoice("a")])
    with serve(book=book, contract=Contract(filters=(Filter(op=">"),))) as server:
        loader = Loader(tmp_path, server.url)
        loader.refresh()
        book.insert(invoice("same second"))
        done = loader.refresh()
        assert (loaded(done).new, done.remarks) == (1, [])


def test_an_answer_without_a_record_is_believed_only_of_an_api_that_shows_others(tmp_path: Path) -> None:
    book = Book([invoice("a")])
    with serve(book=book, contract=Contract(filters=(Filter(op=">"),))) as server:
        loader = Loader(tmp_path, server.url, config(incremental=without_lag()))
        loader.refresh()
        done = loader.refresh()
        assert (done.swept.rows, loaded(done).load_id, loader.cursor) == (0, None, NOON)
        book.delete("a")
        with pytest.raises(ExtractError, match="shows no `invoices` at all"):
            loader.refresh()


# Clocks and missing stamps


def test_a_stamp_in_the_future_does_not_move_the_cursor(tmp_path: Path) -> None:
    ahead = (datetime.now(UTC) + timedelta(days=400)).isoformat()
    book = Book([invoice("a"), invoice("wrong clock", ahead)])
    with serve(book=book) as server:
        loader = Loader(tmp_path, server.url)
        done = loader.refresh()
        assert loader.cursor == NOON
        assert done.remarks == ["records with `updated_at` in the future, which did not move the cursor (1 rows)"]
        book.insert(invoice("b", stamped(60)))
        assert loader.load().new == 1
        assert loader.query("SELECT count(*) FROM invoices") == [(3,)]


def test_a_change_behind_the_back_of_a_sweep_is_found_by_the_next_refresh(tmp_path: Path) -> None:
    book = Book(invoice(f"{at:03}") for at in range(250))
    with serve(book=book) as server:
        loader = Loader(tmp_path, server.url, config(incremental=without_lag()), window=1)

        @server.on_request
        def change(request: int) -> None:
            if request == 3:
                book.update("000", total=11)
                book.update("249", total=11)

        loader.refresh()
        assert loader.query("SELECT id FROM invoices WHERE total = 11") == [("249",)]
        result = loader.load()
        assert (result.changed, result.unchanged) == (1, 249)
        assert loader.load().load_id is None


def test_records_without_a_stamp_are_loaded_and_told(tmp_path: Path) -> None:
    book = Book([invoice("a"), invoice("null", None), {"id": "absent", "total": 1}, invoice("text", "soon")])
    content = config()
    del content["resources"][0]["columns"]["updated_at"]
    with serve(book=book) as server:
        loader = Loader(tmp_path, server.url, content)
        done = loader.refresh()
        assert loaded(done).new == 4
        assert done.remarks == [
            "records without `updated_at` (2 rows)",
            "records with a `updated_at` that cannot be read as a stamp (1 rows)",
        ]
        assert loader.cursor == NOON


def test_without_any_stamp_each_refresh_asks_for_everything(tmp_path: Path) -> None:
    book = Book([invoice("a", None)])
    with serve(book=book) as server:
        loader = Loader(tmp_path, server.url)
        loader.refresh()
        book.insert(invoice("b", None))
        assert loader.load().new == 1
        assert asked_since(server) == {None}


def test_an_api_that_ignores_the_filter_is_noticed_told_once_and_loaded_right(tmp_path: Path) -> None:
    book = Book(invoice(f"{at:03}", stamped(0 if at else 7200)) for at in range(250))
    with serve(book=book, contract=Contract(filters=())) as server:
        loader = Loader(tmp_path, server.url)
        assert loader.refresh().remarks == []
        book.update("007", total=11, updated_at=stamped(8000))
        done = loader.refresh()
        assert (done.swept.rows, loaded(done).changed, loaded(done).unchanged) == (250, 1, 249)
        assert done.remarks == [
            "records older than asked for: the API ignores or widens its filter on `updated_at` (248 rows)"
        ]


# Through the job


def test_a_refresh_of_55_of_20_000_invoices_costs_at_most_5_requests_and_loads_55_rows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    book = Book.of(19_999)
    book.insert(invoice("newest", stamped(0, "2026-11-20")))
    with serve(book=book) as server:
        project = Project(monkeypatch, tmp_path, server.url)
        assert project.metadata(project.run())["rows_new"] == 20_000
        for number in range(50):
            book.update(f"inv_{number * 397 + 1:07}", note=f"changed {number}")
        for number in range(5):
            book.insert(invoice(f"new_{number}", now()))

        refreshed = project.metadata(project.run())
        assert refreshed["requests"] <= 5
        assert (refreshed["rows_new"], refreshed["rows_changed"], refreshed["rows_unchanged"]) == (5, 50, 1)
        loads = f"SELECT count(*) FROM invoices WHERE _dlt_load_id = '{refreshed['load_id']}'"
        assert project.query(loads) == [(55,)]

        again = project.run()
        assert again.success
        described = project.metadata(again)
        assert ("load_id" in described, described["loaded"]) == (False, True)
        assert [described[f"rows_{kind}"] for kind in ("new", "changed", "deleted", "rejected")] == [0] * 4
        assert described["table_rows"] == 20_005
        assert described["cursor_before"] == described["cursor_after"] == refreshed["cursor_after"]
        assert described["requests"] <= 2
        assert project.query("SELECT count(*) FROM _dlt_loads") == [(2,)]


def now() -> str:
    return datetime.now(UTC).isoformat()
