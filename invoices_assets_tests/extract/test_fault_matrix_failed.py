"""Servers that prove nothing, or the opposite: the run fails, says why and changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from invoices_assets_tests.support.fault_matrix import (
    BEFORE,
    CURSOR,
    PAGES,
    Case,
    assert_failed,
    assert_not_swept,
    by_page,
    paged,
    row,
    told,
)
from invoices_assets_tests.support.traits import named
from invoices_assets_tests.vendor import Book, Contract, Key, Paging, faults
from invoices_assets_tests.vendor.faults import answer, status, where

pytestmark = pytest.mark.usefixtures("waits")


def restless(book: Book, number: int) -> None:
    """Never at rest: a record comes in front with each request."""
    book.insert({**Book.of(1).records[0], "id": f"new_{number}"}, at=0)


FAILED = [
    row(
        "an empty page that stays",
        "failed after 4 attempts: an empty page after 100 of 250 records",
        faults=lambda: [faults.empty_page(on=where(offset=99))],
    ),
    row(
        "an empty first page that stays",
        "an empty page after 0 of 250 records",
        faults=lambda: [faults.empty_page(on=where(offset=0))],
    ),
    row(
        "page numbers, an empty page that stays",
        "an empty page after 100 of 250 records",
        contract=Contract(paging=by_page()),
        faults=lambda: [faults.empty_page(on=where(page=2))],
        endpoint={"paginator": PAGES, "params": {"limit": 100}},
    ),
    row(
        "an error body under 200",
        "the answer has no `data`; it is an object with the keys `error`, `trace`.",
        faults=lambda: [answer({"error": {"code": "busy", "told": "values stay out"}, "trace": 77})],
    ),
    row(
        "an error body under 200 in the middle",
        "the answer has no `data`; it is an object with the keys `error`",
        faults=lambda: [answer({"error": "values stay out"}, on=where(offset=198))],
    ),
    row("a list where an object should be", "has no `data`; it is a list", faults=lambda: [answer([1, 2])]),
    row(
        "a text where the records should be",
        "`data` is neither a list nor an object",
        faults=lambda: [answer({"data": "values stay out"})],
    ),
    row(
        "null where the records should be",
        "an empty page after 100 of 250 records",
        faults=lambda: [answer({"data": None, "total": 250}, on=where(offset=99))],
    ),
    row("offset is ignored", "The API ignores `offset`", faults=lambda: [faults.ignore_offset()]),
    row(
        "offset is ignored, no total",
        "The API ignores `offset`",
        contract=told(None),
        faults=lambda: [faults.ignore_offset()],
    ),
    row(
        "offset is ignored, pages are capped, and the count is of this page",
        "The API ignores `offset`",
        contract=told(form="page_count", paging=Paging(largest=50)),
        faults=lambda: [faults.ignore_offset()],
    ),
    row(
        "page is ignored, and the count is of this page",
        "The API ignores `page`",
        contract=told(form="page_count", paging=by_page()),
        faults=lambda: [faults.ignore_offset()],
        endpoint={"paginator": PAGES, "params": {"limit": 100}},
    ),
    row(
        "a page comes twice",
        "the record at offset 198 is another one than before",
        faults=lambda: [faults.same_page(on=where(offset=198))],
    ),
    row(
        "page numbers, a page comes twice",
        "The same page came twice after 200 records",
        contract=Contract(paging=by_page()),
        faults=lambda: [faults.same_page(on=where(page=3))],
        endpoint={"paginator": PAGES, "params": {"limit": 100}},
    ),
    row(
        "page numbers, the last page again, no total, all pages full",
        "the last page comes again",
        contract=told(None, paging=by_page(past_end="last_page")),
        endpoint={"paginator": {**PAGES, "total_path": None}, "params": {"limit": 100}},
        records=200,
    ),
    row(
        "a total that is never reached",
        "no new record after 250 of 300 records",
        faults=lambda: [faults.wrong_total(300)],
    ),
    row(
        "a total that is too small",
        "the API says 240 records, and 250 distinct ones came",
        faults=lambda: [faults.wrong_total(240)],
    ),
    row(
        "a total that is cut off at a multiple of the page size",
        "the API says 200 records, and 250 distinct ones came",
        faults=lambda: [faults.wrong_total(200)],
    ),
    row(
        "invoices in two pages",
        "came twice",
        contract=told(None, paging=by_page()),
        faults=lambda: [faults.edit_rows(lambda rows: [*rows[:-1], rows[0]], on=where(page=2))],
        endpoint={"paginator": {**PAGES, "total_path": None}, "params": {"limit": 100}},
    ),
    row("invoices that never rest", "No pass over `invoices` added up in 5 attempts", moves=restless),
    row("a random order", "give a stable sort in `params`", contract=Contract(order="random")),
    row("404 on the first page", "answered 404 Not Found", faults=lambda: [status(404)]),
    row(
        "404 before the total is reached",
        "answered 404 Not Found",
        faults=lambda: [status(404, on=where(offset=99))],
    ),
    row(
        "503 that never goes away",
        "failed after 4 attempts: 503 Service Unavailable",
        faults=lambda: [status(503)],
    ),
    row(
        "500 in the middle, told in HTML",
        "failed after 4 attempts: 500 Internal Server Error",
        faults=lambda: [status(500, body="html", on=where(offset=99))],
    ),
    row("429 that never goes away", "failed after 4 attempts: 429 Too Many", faults=lambda: [status(429)]),
    row(
        "429 that asks for an hour",
        r"answered 429 Too Many Requests and asks to wait 3,600 s \(Retry-After\), longer than the 600 s",
        faults=lambda: [status(429, retry_after=3600)],
    ),
    row("connections that are always cut", "the connection was closed|reset", faults=lambda: [faults.drop()]),
    row(
        "bodies that are always cut",
        "failed after 4 attempts",
        faults=lambda: [faults.cut(on=where(offset=99))],
    ),
    row(
        "half a JSON document, always",
        r"the answer is not a complete JSON document \(application/json, \d+ bytes\)",
        faults=lambda: [faults.half_json(on=where(offset=99))],
    ),
    row(
        "HTML under 200",
        r"the answer is not a complete JSON document",
        faults=lambda: [answer("<html><p>values stay out</p></html>")],
    ),
    row(
        "NaN for an amount",
        "the answer is not a complete JSON document",
        faults=lambda: [answer('{"data": [{"id": "1", "total": NaN}], "total": 1}')],
    ),
    row(
        "401 in the middle",
        r"the API refused the key \(401\)",
        faults=lambda: [status(401, on=where(offset=99))],
    ),
    row("403", r"the API refused the key \(403\)", faults=lambda: [status(403, body="empty")]),
    row(
        "a page size that is refused",
        r"answered 400 Bad Request: .*limit must not be greater than 50",
        contract=paged(largest=50, above="refuse"),
    ),
    row(
        "a redirect to another host",
        "the key is not sent there",
        faults=lambda: [faults.redirect("http://elsewhere.invalid")],
    ),
    row(
        "a next link to another host",
        "another host, elsewhere.invalid; the key is not sent there",
        contract=paged(style="json_link"),
        faults=lambda: [answer({"data": [{"id": 1}], "next": "http://elsewhere.invalid/v1/invoices?offset=100"})],
        endpoint={"paginator": {"type": "json_link", "next_url_path": "next"}},
    ),
    row(
        "a cursor that goes in a circle",
        "The API's next page, after 1 records, is one that was read before|came twice|ignores",
        contract=paged(style="cursor", position="after"),
        faults=lambda: [answer({"data": [{"id": 1}], "next": "same"})],
        endpoint={"paginator": CURSOR},
    ),
    row(
        "a cursor without the word whether there is more",
        "does not tell where the next page is, or whether there is one",
        contract=paged(style="cursor", position="after"),
        endpoint={"paginator": {**CURSOR, "has_more_path": "more"}},
    ),
    row(
        "an offset that the source file ends before the records do, no total",
        "The source file ends the reading at the offset 200, after 200 records, and nothing proves",
        contract=told(None),
        endpoint={"paginator": {"type": "offset", "limit": 100, "total_path": None, "maximum_offset": 200}},
    ),
    row(
        "an offset that the source file ends before the total is reached",
        "the API says 250 records, and 200 distinct ones came",
        endpoint={"paginator": {"type": "offset", "limit": 100, "total_path": "total", "maximum_offset": 200}},
    ),
    row(
        "links that end before the total is reached",
        "No pass over `invoices` added up in 5 attempts: the API says 300 records, and 250 distinct ones came",
        contract=told(None, header="X-Total-Count", paging=Paging(style="header_link")),
        faults=lambda: [faults.wrong_total(300)],
        endpoint={"paginator": "header_link"},
    ),
]

NOTHING = [
    row("an empty sweep where rows were", records=0),
    row("a refresh of nothing where rows were", records=0, mode="incremental"),
    row("a reconciliation of nothing where rows were", records=0, mode="reconcile"),
    row(
        "a wrong key that is answered 200 and an empty list",
        contract=Contract(key=Key(template="other {key}", wrong="empty")),
    ),
    row(
        "a wrong key that is answered 200 and an empty list, refresh",
        contract=Contract(key=Key(template="other {key}", wrong="empty")),
        mode="incremental",
    ),
    row(
        "null where the records should be, no total",
        contract=told(None),
        faults=lambda: [answer({"data": None})],
    ),
    row(
        "more than a fifth is missing at a reconciliation",
        records=BEFORE * 3 // 4,
        mode="reconcile",
    ),
]


ENDINGS = named(
    FAILED,
    "an empty page that stays",
    "invoices that never rest",
    "an error body under 200 in the middle",
    "404 before the total is reached",
    "503 that never goes away",
    "bodies that are always cut",
    "half a JSON document, always",
    "401 in the middle",
    "a redirect to another host",
)
"""Each way in which a sweep can fail: one for each kind of error."""


@pytest.mark.parametrize(("case", "says"), FAILED)
def test_a_sweep_fails_and_says_why_at(case: Case, says: str, caplog: pytest.LogCaptureFixture) -> None:
    assert_not_swept(case, says, caplog)


@pytest.mark.parametrize(("case", "says"), ENDINGS)
def test_the_run_fails_and_the_rows_stay_at(
    case: Case, says: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert_failed(case, says, monkeypatch, tmp_path, before=BEFORE)


@pytest.mark.parametrize(("case", "says"), ENDINGS[::3])
def test_a_first_run_fails_and_makes_no_warehouse_at(
    case: Case, says: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert_failed(case, says, monkeypatch, tmp_path, before=0)


@pytest.mark.parametrize("case", NOTHING)
def test_rows_do_not_go_because_of(case: Case, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert_failed(case, "shows no|more than the limit of 20%", monkeypatch, tmp_path, before=BEFORE)
