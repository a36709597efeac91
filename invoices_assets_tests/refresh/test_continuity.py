"""The overlap that a refresh asks for again has to come back; else this may be another API, or not all of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from invoices_assets.errors import DeletionRefused
from invoices_assets_tests.support.invoices import asked_since, invoice, stamped, without_lag
from invoices_assets_tests.support.loader import Loader, loaded
from invoices_assets_tests.support.rows import fingerprint
from invoices_assets_tests.support.sweep_helpers import config
from invoices_assets_tests.vendor import Book, Contract, Filter, Vendor, serve

NEXT_START = stamped(-600)
MISSING = "none of the 1 known records that the API was asked for again came back"


@pytest.fixture
def book() -> Book:
    return Book([invoice("newest"), *(invoice(f"{at}", stamped(-7200)) for at in range(9))])


@pytest.fixture
def loader(tmp_path: Path, server: Vendor, book: Book) -> Loader:
    loader = Loader(tmp_path, server.url)
    loader.refresh()
    asked_since(server)
    return loader


def swap(book: Book, *records: dict[str, Any]) -> None:
    """The key is another one: the same address now shows another tenant's records."""
    for record in book.records:
        book.delete(record["id"])
    for record in records:
        book.insert(record)


@pytest.mark.parametrize(
    "foreign",
    [
        [invoice("x"), invoice("y", stamped(60))],
        [invoice("x", stamped(-7200))],
        # another tenant's ids may be the same numbers, but not those of the overlap
        [invoice("3", stamped(60)), *(invoice(f"n{at}", stamped(-9000)) for at in range(5))],
    ],
    ids=["changes come", "no change", "a known id"],
)
def test_another_tenant_at_the_same_address_is_not_mixed_in(
    loader: Loader, book: Book, server: Vendor, foreign: list[dict[str, Any]]
) -> None:
    swap(book, *foreign)
    before = fingerprint(loader.warehouse)
    with pytest.raises(DeletionRefused, match=f"{MISSING}, so this may be another API or another account"):
        loader.refresh()
    assert asked_since(server) == {NEXT_START, None}
    assert fingerprint(loader.warehouse) == before


def test_one_known_record_of_the_overlap_is_enough(loader: Loader, book: Book, server: Vendor) -> None:
    book.insert(invoice("beside", stamped(-100)))
    loader.refresh()
    asked_since(server)
    book.delete("newest")
    book.insert(invoice("next", stamped(60)))
    assert loader.load().new == 1
    assert asked_since(server) == {NEXT_START}


def test_a_record_of_the_overlap_that_is_rejected_now_has_come_back(loader: Loader, book: Book, server: Vendor) -> None:
    book.update("newest", total="a lot", updated_at=stamped(5))
    assert loader.load().rejected == 1
    assert asked_since(server) == {NEXT_START}


def test_where_the_only_known_one_was_deleted_everything_is_asked_for(
    loader: Loader, book: Book, server: Vendor
) -> None:
    book.delete("newest")
    book.insert(invoice("late", stamped(-7000)))
    done = loader.refresh()
    assert done.remarks == [f"{MISSING}, so everything was asked for"]
    assert (loaded(done).new, loaded(done).deleted, loader.cursor) == (1, 0, stamped(0))
    assert asked_since(server) == {NEXT_START, None}


def test_an_empty_answer_is_believed_where_the_overlap_is_known_to_be_gone(loader: Loader, book: Book) -> None:
    book.delete("newest")
    loader.refresh()
    again = loader.refresh()
    assert (again.remarks, again.swept.rows, loaded(again).load_id) == ([], 0, None)


def test_records_that_come_where_the_overlap_is_known_to_be_gone_are_proven_by_a_sweep_of_everything(
    loader: Loader, book: Book, server: Vendor
) -> None:
    book.delete("newest")
    loader.refresh()
    asked_since(server)
    book.insert(invoice("next", stamped(60)))
    assert loader.load().new == 1
    assert asked_since(server) == {NEXT_START, None}
    loader.refresh()
    assert asked_since(server) == {stamped(-540)}


def test_a_record_that_a_reconcile_has_marked_is_no_longer_expected(loader: Loader, book: Book, server: Vendor) -> None:
    book.delete("newest")
    assert loader.load("reconcile").deleted == 1
    asked_since(server)
    book.insert(invoice("next", stamped(60)))
    loader.refresh()
    assert asked_since(server) == {NEXT_START}


def test_without_an_overlap_nothing_can_be_told(tmp_path: Path) -> None:
    book = Book([invoice("newest")])
    with serve(book=book, contract=Contract(filters=(Filter(op=">"),))) as server:
        loader = Loader(tmp_path, server.url, config(incremental=without_lag()))
        loader.refresh()
        asked_since(server)
        book.insert(invoice("next", stamped(60)))
        assert loader.load().new == 1
        assert asked_since(server) == {stamped(0)}


@pytest.mark.parametrize("column", [{"data_type": "date"}, {"data_type": "timestamp"}])
def test_a_filter_by_day_brings_the_overlap_of_days(tmp_path: Path, column: dict[str, Any]) -> None:
    content = config(incremental={"cursor_path": "updated_at", "start_param": "updated_since", "lag": 1})
    content["resources"][0]["columns"]["updated_at"] = column
    book = Book([invoice("a"), invoice("b", stamped(-86_400 * 9))])
    with serve(book=book, contract=Contract(stamps="day")) as server:
        loader = Loader(tmp_path, server.url, content)
        loader.refresh()
        asked_since(server)
        book.insert(invoice("c", stamped(60)))
        assert loader.load().new == 1
        assert asked_since(server) == {"2024-02-29"}


def test_stamps_that_are_stored_as_text_tell_nothing(tmp_path: Path, book: Book) -> None:
    content = config()
    del content["resources"][0]["columns"]["updated_at"]
    with serve(book=book) as server:
        loader = Loader(tmp_path, server.url, content)
        loader.refresh()
        asked_since(server)
        book.delete("newest")
        book.insert(invoice("next", stamped(60)))
        assert loader.load().new == 1
        assert asked_since(server) == {NEXT_START}
