"""A complete sweep says what the incremental refreshes before it missed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from invoices_assets_tests.support.invoices import NOON, invoice, stamped
from invoices_assets_tests.support.loader import Loader, loaded
from invoices_assets_tests.support.project import Project
from invoices_assets_tests.support.sweep_helpers import config
from invoices_assets_tests.vendor import Book, Contract, serve


@pytest.fixture
def book() -> Book:
    return Book([invoice("newest"), *(invoice(f"{at}", stamped(-7200)) for at in range(9))])


@pytest.mark.parametrize("mode", ["reconcile", "full"])
def test_new_and_changed_records_from_before_the_overlap_were_missed(mode: str, book: Book, tmp_path: Path) -> None:
    with serve(book=book) as server:
        loader = Loader(tmp_path, server.url)
        loader.refresh()
        book.insert(invoice("late", stamped(-601)))
        book.update("3", total=11, updated_at=stamped(-7000))
        book.update("4", line_items=[{"amount": 1}], updated_at=stamped(-7000))
        assert loader.load().missed is None
        result = loader.load(mode)
        assert (result.new, result.changed, result.missed) == (1, 2, 3)
        assert loader.load(mode).missed == 0


def test_what_the_next_refresh_would_have_found_was_not_missed(book: Book, tmp_path: Path) -> None:
    with serve(book=book) as server:
        loader = Loader(tmp_path, server.url)
        loader.refresh()
        book.insert(invoice("at the border", stamped(-600)))
        book.update("5", total=11, updated_at=stamped(60))
        result = loader.load("reconcile")
        assert (result.new, result.changed, result.missed) == (1, 1, 0)


def test_deletions_and_returns_are_counted_apart(book: Book, tmp_path: Path) -> None:
    with serve(book=book) as server:
        loader = Loader(tmp_path, server.url)
        loader.refresh()
        book.delete("1")
        result = loader.load("reconcile")
        assert (result.deleted, result.missed) == (1, 0)
        book.insert(invoice("1", stamped(-7200)))
        result = loader.load("reconcile")
        assert (result.returned, result.missed) == (1, 0)


def test_records_without_a_stamp_are_missed_where_the_filter_hides_them(book: Book, tmp_path: Path) -> None:
    with serve(book=book) as server:
        loader = Loader(tmp_path, server.url)
        loader.refresh()
        book.insert(invoice("never edited", None))
        loader.refresh()
        assert loader.load("reconcile").missed == 1


def test_an_api_without_a_filter_misses_nothing(book: Book, tmp_path: Path) -> None:
    with serve(book=book) as server:
        loader = Loader(tmp_path, server.url, config(incremental={"cursor_path": "updated_at"}))
        loader.refresh()
        book.insert(invoice("late", stamped(-7200)))
        result = loader.load("reconcile")
        assert (result.new, result.missed) == (1, None)


@pytest.mark.parametrize(
    ("style", "column", "lag"),
    [
        ("iso_z", {"data_type": "timestamp", "timezone": False}, 600),
        ("iso_no_zone", {"data_type": "timestamp", "x-timezone": "Europe/Berlin"}, 600),
        ("epoch_s", {"data_type": "timestamp", "x-format": "epoch_s"}, 600),
        ("epoch_ms", {"data_type": "timestamp", "x-format": "epoch_ms"}, 600),
        ("epoch_s", {"data_type": "bigint"}, 600),
        ("day", {"data_type": "date"}, 1),
    ],
)
def test_stamps_of_every_declared_kind_are_compared(
    style: str, column: dict[str, Any], lag: int, tmp_path: Path
) -> None:
    incremental = {"cursor_path": "updated_at", "start_param": "updated_since", "lag": lag}
    content = config(incremental=incremental)
    content["resources"][0]["columns"]["updated_at"] = column
    book = Book([invoice("a")])
    with serve(book=book, contract=Contract(stamps=style)) as server:
        loader = Loader(tmp_path, server.url, content)
        loader.refresh()
        book.insert(invoice("two days late", stamped(-2 * 86_400)))
        book.insert(invoice("in time", NOON))
        result = loader.load("reconcile")
        assert (result.new, result.missed) == (2, 1)


def test_stamps_in_an_undeclared_column_cannot_be_compared_and_that_is_told(book: Book, tmp_path: Path) -> None:
    content = config()
    del content["resources"][0]["columns"]["updated_at"]
    with serve(book=book) as server:
        loader = Loader(tmp_path, server.url, content)
        loader.refresh()
        done = loader.refresh("reconcile")
        assert loaded(done).missed is None
        assert done.remarks == [
            "what refreshes missed cannot be told: `updated_at` is not declared as a timestamp, date or number"
        ]


def test_the_job_says_what_reconcile_found_and_the_check_warns(
    book: Book, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with serve(book=book) as server:
        project = Project(monkeypatch, tmp_path, server.url)
        assert project.run().success
        book.delete("1")
        book.insert(invoice("late", stamped(-7200)))
        result = project.run("reconcile_invoices")
        found = project.metadata(result)
        assert (found["missed_by_incremental"], found["rows_deleted"]) == (1, 1)
        checks = {each.check_name: each for each in result.get_asset_check_evaluations()}
        warned = checks["nothing_missed_by_incremental"]
        assert not warned.passed
        assert warned.severity == dg.AssetCheckSeverity.WARN
        again = project.run("reconcile_invoices")
        assert all(each.passed for each in again.get_asset_check_evaluations())
