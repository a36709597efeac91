"""How APIs filter by change: a refresh asks where there is a filter, and loses nothing where there is none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from invoices_assets_tests.support.loader import Loader
from invoices_assets_tests.support.rows import assert_same_as, untouched
from invoices_assets_tests.support.traits import Record, change, source
from invoices_assets_tests.vendor import Book, Contract, Faults, Filter, Vendor, serve
from invoices_assets_tests.vendor.faults import status


@pytest.fixture
def book() -> Book:
    return Book.of(230)


def filtered(**settings: Any) -> Contract:
    return Contract(filters=(Filter(**settings),))


def placed(**endpoint: Any) -> Record:
    """A source whose start goes into a placeholder."""
    incremental = {"cursor_path": "updated_at", "initial_value": "2000-01-01T00:00:00Z", "lag": 600}
    return source(incremental=incremental, **endpoint)


def by_expression(id: str, param: str, written: str) -> Any:
    return pytest.param(filtered(name=param, where="expression"), placed(params={param: written}), id=id)


BY_HEADER = filtered(name="if-modified-since", where="header")
WITH_HEADER = placed(headers={"If-Modified-Since": "{incremental.start_value:%a, %d %b %Y %H:%M:%S GMT}"})
FILTERS = [
    pytest.param(filtered(op=">="), source(), id="inclusive"),
    pytest.param(filtered(op=">"), source(), id="exclusive"),
    pytest.param(filtered(by_day=True), source(), id="by day, though it takes a stamp"),
    pytest.param(
        filtered(by_day=True),
        placed(params={"updated_since": "{incremental.start_value:.10}"}),
        id="by day only",
    ),
    pytest.param(BY_HEADER, WITH_HEADER, id="If-Modified-Since"),
    by_expression("an OData expression", "$filter", "updated_at ge {incremental.start_value}"),
    by_expression("an expression in quotes", "filter", "(updated_at>='{incremental.start_value}')"),
    pytest.param(
        filtered(name="updatedMin"),
        source(incremental={"cursor_path": "updated_at", "start_param": "updatedMin", "lag": 3600}),
        id="another name and overlap",
    ),
]


@pytest.mark.parametrize(("contract", "content"), FILTERS)
def test_a_refresh_asks_for_changes_and_finds_them_by_a_filter_that_is(loader: Loader, book: Book) -> None:
    loader.refresh()
    assert_same_as(loader, book)
    change(book)
    result = loader.refresh()
    assert_same_as(loader, book)
    assert result.swept.rows < len(book)
    assert result.loaded is not None
    assert (result.loaded.new, result.loaded.changed) == (1, 1)


@pytest.mark.parametrize(
    ("contract", "content"),
    [
        pytest.param(Contract(filters=()), source(incremental=None), id="that is not there"),
        pytest.param(Contract(filters=()), source(), id="that the API ignores"),
    ],
)
def test_a_refresh_reads_everything_without_a_filter(loader: Loader, book: Book) -> None:
    loader.refresh()
    change(book, datetime.now(UTC) - timedelta(days=900))
    loader.refresh()
    assert_same_as(loader, book)


def test_invoices_that_no_filter_shows_before_their_first_edit_arrive_all_the_same(
    loader: Loader, book: Book, server: Vendor
) -> None:
    book.update("inv_0000003", updated_at=None)
    loader.refresh()
    book.insert({**Book.of(1, seed=5).records[0], "id": "inv_0009999", "updated_at": None})
    loader.refresh()
    assert_same_as(loader, book)
    for record in book.records:
        book.update(record["id"], status="void")
    loader.refresh()
    change(book)
    loader.refresh()
    assert "updated_since" in server.requests[-1].query
    assert_same_as(loader, book)


def test_a_filter_that_also_shows_unstamped_invoices_can_be_declared(
    loader: Loader, book: Book, server: Vendor
) -> None:
    loader.content = source()
    loader.content["resources"][0]["endpoint"]["incremental"]["on_cursor_value_missing"] = "include"
    book.update("inv_0000003", updated_at=None)
    loader.refresh()
    loader.refresh()
    assert "updated_since" in server.requests[-1].query


def test_304_means_that_nothing_changed(tmp_path: Path, book: Book) -> None:
    first = "Sat, 01 Jan 2000 00:00:00 GMT"
    unchanged = status(304, body="empty", on=lambda call: call.headers["if-modified-since"] != first)
    with serve(book, Faults(unchanged), BY_HEADER) as server:
        loader = Loader(tmp_path, server.url, WITH_HEADER)
        loader.refresh()
        with untouched(loader):
            loader.refresh()
        assert_same_as(loader, book)
