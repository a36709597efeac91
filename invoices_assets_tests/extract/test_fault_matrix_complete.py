"""Servers of which everything arrives, digit by digit, in spite of what they do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from invoices_assets_tests.support.fault_matrix import (
    BEFORE,
    CURSOR,
    PAGES,
    Case,
    assert_loaded,
    assert_swept_completely,
    by_page,
    paged,
    row,
    told,
)
from invoices_assets_tests.support.traits import named
from invoices_assets_tests.vendor import Book, Contract, Paging, faults
from invoices_assets_tests.vendor.call import Call
from invoices_assets_tests.vendor.fake_api import Reply
from invoices_assets_tests.vendor.faults import Fault, status, where

pytestmark = pytest.mark.usefixtures("waits")


def inserted_in_front(at: int) -> Callable[[Book, int], None]:
    def move(book: Book, number: int) -> None:
        if number == at:
            newest = Book.of(251).records[-1]
            book.insert(newest, at=0)

    return move


def deleted_in_front(book: Book, number: int) -> None:
    if number == 2:
        book.delete(book.records[0]["id"])


def an_empty_text_at_the_end() -> Fault:
    """`next` is "" where there is no next page, not null."""

    def after(call: Call, reply: Reply) -> Reply:
        assert isinstance(reply.body, bytes)
        return replace(reply, body=reply.body.replace(b'"next":null', b'"next":""'))

    return Fault(after=after)


def first_for_each_page() -> Callable[[Call], bool]:
    """Whether a request is the first for its page."""
    seen: set[str] = set()

    def is_first(call: Call) -> bool:
        offset = call.query["offset"]
        first = offset not in seen
        seen.add(offset)
        return first

    return is_first


COMPLETE = [
    row("the contract as it is"),
    row("an API without a single invoice, first run", records=0),
    row("one invoice", records=1),
    row("exactly one full page", records=100),
    row("exactly two full pages", records=200),
    row("pages capped in silence at 50", contract=paged(largest=50)),
    row("pages capped in silence at 7", contract=paged(largest=7), records=60),
    row("pages capped in silence, no total", contract=told(None, paging=Paging(largest=50))),
    row("no total, the last page is full", contract=told(None), records=200),
    row("the total as a numeric string", contract=told(form="string")),
    row("the total in X-Total-Count", contract=told(None, header="X-Total-Count")),
    row("the total as a string in another header", contract=told(None, header="X-WP-Total", form="string")),
    row(
        "the total in Content-Range",
        contract=told(None),
        faults=lambda: [faults.headers({"Content-Range": "items 0-99/250"})],
    ),
    row("a total of -1", contract=told(form="minus_one")),
    row("a count of this page only", contract=told(form="page_count")),
    row("a count of this page only, capped", contract=told(form="page_count", paging=Paging(largest=50))),
    row("404 past the end, no total, last page short", contract=told(None, paging=Paging(past_end="404"))),
    row(
        "404 past the end, no total, last page full",
        contract=told(None, paging=Paging(past_end="404")),
        records=200,
    ),
    row("404 past the end, total told", contract=paged(past_end="404"), records=200),
    row(
        "400 past the end, total told",
        faults=lambda: [status(400, on=lambda call: int(call.query["offset"]) >= 200)],
        records=200,
    ),
    row(
        "the last page again, no total, last page short",
        contract=told(None, paging=Paging(past_end="last_page")),
    ),
    row(
        "the last page again, no total, all pages full",
        contract=told(None, paging=Paging(past_end="last_page")),
        records=200,
    ),
    row("the last page again, total told", contract=paged(past_end="last_page")),
    row("the last page again, total told, all pages full", contract=paged(past_end="last_page"), records=200),
    row("the only page again", contract=paged(past_end="last_page"), records=30),
    row("an empty page once, total told", faults=lambda: [faults.empty_page(on=where(offset=99), times=1)]),
    row(
        "an empty page once, no total",
        contract=told(None),
        faults=lambda: [faults.empty_page(on=where(offset=99), times=1)],
    ),
    row("an invoice comes in front while the sweep runs", moves=inserted_in_front(2)),
    row("an invoice comes in front during the last page", moves=inserted_in_front(3)),
    row("the first invoice goes while the sweep runs", moves=deleted_in_front, mode="reconcile"),
    row(
        "an invoice comes in front while the sweep runs, no total",
        contract=told(None),
        moves=inserted_in_front(2),
    ),
    row(
        "page numbers from 1",
        contract=Contract(paging=by_page()),
        endpoint={"paginator": PAGES, "params": {"limit": 100}},
    ),
    row(
        "page numbers from 0, capped, no total",
        contract=told(None, paging=by_page(0, largest=50)),
        endpoint={"paginator": {**PAGES, "base_page": 0, "total_path": None}, "params": {"limit": 100}},
    ),
    row(
        "page numbers, and the total counts pages",
        contract=Contract(paging=by_page()),
        faults=lambda: [faults.wrong_total(3)],
        endpoint={"paginator": PAGES, "params": {"limit": 100}},
    ),
    row(
        "page numbers, an empty page once",
        contract=Contract(paging=by_page()),
        faults=lambda: [faults.empty_page(on=where(page=2), times=1)],
        endpoint={"paginator": PAGES, "params": {"limit": 100}},
    ),
    row(
        "page numbers, 404 past the end, no total",
        contract=told(None, paging=by_page(past_end="404")),
        endpoint={"paginator": {**PAGES, "total_path": None}, "params": {"limit": 100}},
        records=200,
    ),
    row(
        "a cursor in the body",
        contract=paged(style="cursor", position="after"),
        endpoint={"paginator": CURSOR},
    ),
    row(
        "a cursor that leads to an empty last page",
        contract=paged(style="cursor", position="after", empty_end=True),
        endpoint={"paginator": CURSOR},
        records=200,
    ),
    row(
        "a cursor that ends as an empty text",
        contract=paged(style="cursor", position="after"),
        faults=lambda: [an_empty_text_at_the_end()],
        endpoint={"paginator": CURSOR},
    ),
    row(
        "next links that end as an empty text",
        contract=paged(style="json_link"),
        faults=lambda: [an_empty_text_at_the_end()],
        endpoint={"paginator": {"type": "json_link", "next_url_path": "next"}},
    ),
    row(
        "an empty page in the middle of a cursor's way",
        contract=paged(style="cursor", position="after"),
        faults=lambda: [faults.empty_page(on=2, times=1)],
        endpoint={"paginator": {**CURSOR, "stop_after_empty_page": False}},
        records=60,
    ),
    row(
        "next links in the body",
        contract=paged(style="json_link"),
        endpoint={"paginator": {"type": "json_link", "next_url_path": "next"}},
    ),
    row(
        "next links in the body, path and query only, with the key in them",
        contract=paged(style="json_link", absolute=False, keep_key=True),
        endpoint={"paginator": {"type": "json_link", "next_url_path": "next"}},
    ),
    row(
        "next links in a header, and the total in another",
        contract=told(None, header="X-Total-Count", paging=Paging(style="header_link", keep_key=True)),
        endpoint={"paginator": "header_link"},
    ),
    row(
        "no pages at all",
        contract=told(None, paging=Paging(limit=None, size=1000, largest=1000)),
        endpoint={"paginator": "single_page"},
    ),
    row("connections cut before the answer", faults=lambda: [faults.drop(on=where(offset=99), times=2)]),
    row("bodies cut short", faults=lambda: [faults.cut(on=where(offset=99), times=2)]),
    row(
        "compressed bodies cut short",
        faults=lambda: [faults.gzipped(), faults.cut(on=where(offset=99), times=2)],
    ),
    row("half a JSON document", faults=lambda: [faults.half_json(on=where(offset=99), times=2)]),
    row(
        "every page fails at first",
        faults=lambda: [status(500, body="html", on=first_for_each_page())],
    ),
    row("429 storms", faults=lambda: [status(429, retry_after=1, on=lambda call: call.number % 4 == 2)]),
]


@pytest.mark.parametrize("case", COMPLETE)
def test_everything_arrives_from(case: Case) -> None:
    assert_swept_completely(case)


@pytest.mark.parametrize(
    "case",
    named(
        COMPLETE,
        "the contract as it is",
        "an API without a single invoice, first run",
        "no total, the last page is full",
        "an invoice comes in front while the sweep runs",
        "the first invoice goes while the sweep runs",
        "a cursor in the body",
        "connections cut before the answer",
    ),
)
def test_a_run_loads_everything_from(case: Case, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert_loaded(case, monkeypatch, tmp_path, before=BEFORE if case.records >= BEFORE else 0)
