"""An API that marks its deleted records: a refresh follows it, and its cursor, and the history has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from invoices_assets_tests.support.invoices import asked_since, invoice, stamped
from invoices_assets_tests.support.loader import Loader
from invoices_assets_tests.support.sweep_helpers import config
from invoices_assets_tests.support.versioning import assert_gapless, versions, with_history
from invoices_assets_tests.vendor import Book, Vendor

GONE = "SELECT id FROM invoices WHERE deleted_at IS NOT NULL ORDER BY id"


def marked(content: dict[str, Any]) -> dict[str, Any]:
    columns = content["resources"][0]["columns"]
    columns["deleted"] = {"data_type": "bool", "hard_delete": True}
    columns["total"]["nullable"] = False
    return content


@pytest.fixture
def book() -> Book:
    return Book(invoice(f"{at}") for at in range(10))


@pytest.fixture
def loader(tmp_path: Path, server: Vendor) -> Loader:
    loader = Loader(tmp_path, server.url, marked(config()))
    loader.refresh()
    return loader


def bury(book: Book, id: str, at: str) -> None:
    """The record is no more than its tombstone."""
    book.delete(id)
    book.insert({"id": id, "updated_at": at, "deleted": True})


def test_a_refresh_marks_what_a_tombstone_names_and_moves_the_cursor(
    loader: Loader, book: Book, server: Vendor
) -> None:
    bury(book, "3", stamped(60))
    result = loader.load()
    assert (result.deleted, result.changed, result.new, result.rejected) == (1, 0, 0, 0)
    assert loader.query(GONE) == [("3",)]
    assert loader.query("SELECT total FROM invoices WHERE id = '3'") == [(10,)]
    assert loader.cursor == stamped(60)
    asked_since(server)
    assert loader.load().load_id is None
    assert asked_since(server) == {stamped(-540)}


@pytest.mark.parametrize("mode", ["full", "reconcile"])
def test_so_does_a_sweep_of_everything(loader: Loader, book: Book, mode: str) -> None:
    bury(book, "3", stamped(60))
    book.delete("4")
    assert loader.load(mode).deleted == (2 if mode == "reconcile" else 1)
    assert loader.query(GONE) == [("3",), *([("4",)] if mode == "reconcile" else [])]


def test_an_overlap_of_which_only_tombstones_are_left_came_back(loader: Loader, book: Book, server: Vendor) -> None:
    asked_since(server)
    for at in range(10):
        bury(book, f"{at}", stamped(60))
    assert loader.load().deleted == 10
    assert asked_since(server) == {stamped(-600)}


def test_a_record_that_is_marked_no_more_returns(loader: Loader, book: Book) -> None:
    bury(book, "3", stamped(60))
    loader.refresh()
    book.delete("3")
    book.insert(invoice("3", stamped(120), deleted=False, total=11))
    assert loader.load().returned == 1
    assert loader.query(GONE) == []


def test_the_history_has_the_deletion_as_a_version(loader: Loader, book: Book) -> None:
    loader.content = marked(with_history())
    loader.refresh("full")
    bury(book, "3", stamped(60))
    loader.refresh()
    assert versions(loader, "3", "total", "deleted_at IS NULL") == [(10, True, False), (10, False, True)]
    assert_gapless(loader)


def test_a_hint_that_is_added_has_everything_asked_for(loader: Loader, book: Book, server: Vendor) -> None:
    loader.content = config()
    loader.refresh("full")
    loader.content = marked(config())
    book.update("3", deleted=True, updated_at=stamped(-9000))
    assert loader.load().deleted == 1
