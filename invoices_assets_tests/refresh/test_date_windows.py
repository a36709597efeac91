"""A long history in monthly windows: each is a sweep and a transaction of its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from invoices_assets.errors import ExtractError
from invoices_assets_tests.support.invoices import stamped
from invoices_assets_tests.support.loader import Loader, loaded
from invoices_assets_tests.support.months import by_month, created, history, month, months_in
from invoices_assets_tests.vendor import Book, Contract, Filter, Key, Vendor, faults, serve


@pytest.fixture
def book() -> Book:
    return history()


@pytest.fixture
def loader(tmp_path: Path, server: Vendor) -> Loader:
    return Loader(tmp_path, server.url, by_month())


# What a window proves, and what it leaves alone


def test_an_empty_window_of_an_api_that_shows_nothing_at_all_is_not_believed(tmp_path: Path, book: Book) -> None:
    with serve(book=book) as server:
        loader = Loader(tmp_path, server.url, by_month(), has_fixed_address=False)
        loader.refresh(dates=month(1))
    with serve(book=book, contract=Contract(key=Key(wrong="empty")), key="another") as server:
        loader.url = server.url
        with pytest.raises(ExtractError, match="shows no `invoices` at all"):
            loader.refresh(dates=month(2))


def test_a_window_never_touches_the_cursor(loader: Loader, book: Book) -> None:
    done = loader.refresh(dates=month(3))
    assert (done.cursor_before, done.cursor_after, loader.cursor) == (None, None, None)
    loader.refresh()
    assert loader.cursor == "2024-04-30T12:00:00Z"
    book.insert(created("late", "2024-03-02", total=1))
    book.update("late", updated_at=stamped(0, "2025-01-01"))
    done = loader.refresh(dates=month(3))
    assert loaded(done).new == 1
    assert (done.cursor_after, loader.cursor) == ("2024-04-30T12:00:00Z", "2024-04-30T12:00:00Z")


def test_a_window_marks_no_deletions(loader: Loader, book: Book) -> None:
    loader.refresh()
    book.delete("march 7")
    loader.refresh(dates=month(3))
    assert loader.query("SELECT count(*) FROM invoices WHERE deleted_at IS NOT NULL") == [(0,)]


def test_a_window_that_does_not_add_up_loads_nothing(loader: Loader, server: Vendor) -> None:
    loader.refresh(dates=month(1))
    server.faults.append(faults.empty_page(on=faults.where(offset=198)))
    with pytest.raises(ExtractError, match="an empty page after 199 of 250 records"):
        loader.refresh(dates=month(3))
    assert months_in(loader) == {"january"}


def test_an_api_that_ignores_the_window_is_noticed_and_loaded_right(tmp_path: Path, book: Book) -> None:
    with serve(book=book, contract=Contract(filters=(Filter(),))) as server:
        loader = Loader(tmp_path, server.url, by_month())
        done = loader.refresh(dates=month(3))
        assert loaded(done).new == len(book)
        assert done.remarks == ["records outside of the partition: the API ignores or widens its date window (4 rows)"]


# After the backfill


def test_a_refresh_since_the_backfill_began_sets_the_cursor(loader: Loader, book: Book) -> None:
    for number in range(1, 5):
        loader.refresh(dates=month(number))
    book.update("january 1", total=99, updated_at=stamped(0, "2024-06-01"))
    done = loader.refresh(since="2024-05-15T00:00:00Z")
    assert (done.swept.rows, loaded(done).changed) == (1, 1)
    assert loader.cursor == stamped(0, "2024-06-01")


def test_a_refresh_since_the_backfill_began_sets_the_cursor_even_if_nothing_changed(loader: Loader) -> None:
    loader.refresh(dates=month(1))
    loader.refresh(since="2024-05-15T00:00:00Z")
    assert loader.cursor == "2024-05-15T00:00:00Z"
    assert loader.refresh().swept.rows == 0


def test_since_in_the_future_does_not_move_the_cursor(loader: Loader) -> None:
    loader.refresh(dates=month(1))
    loader.refresh(since="2999-01-01T00:00:00Z")
    assert loader.cursor is None


# Side by side


def test_windows_side_by_side_take_turns_and_lose_nothing(tmp_path: Path, server: Vendor, book: Book) -> None:
    def load(number: int) -> None:
        Loader(tmp_path, server.url, by_month()).refresh(dates=month(number))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(load, [1, 2, 3, 4]))
    loader = Loader(tmp_path, server.url)
    assert loader.query("SELECT count(*) FROM invoices") == [(len(book),)]
