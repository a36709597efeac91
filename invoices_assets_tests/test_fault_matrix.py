"""Server behaviour x outcome: the whole content, digit by digit, or a failed run that changed nothing.

Each row runs the real job over real HTTP into a real DuckDB file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response

from invoices_assets.sandbox import Book, Contract, Faults, Key, Paging, Total, faults, serve
from invoices_assets.sandbox.call import Call
from invoices_assets.sandbox.faults import Fault, answer, status, where
from invoices_assets_tests.exactly import assert_same_as, put_rows, untouched, without_waits
from invoices_assets_tests.fake_clock import FakeClock
from invoices_assets_tests.running import Project
from invoices_assets_tests.sweeping import config

KEY = "k3y/of+the=matrix&42"
BEFORE = 40
"""Invoices in the warehouses that are not new: the first of those that the server has."""


@dataclass(frozen=True)
class Case:
    """One server.

    Parameters:
        faults: makes the switches anew, for they count.
        contract: how the API looks.
        endpoint: what of the endpoint's configuration differs from the default source.
        records: how many invoices it has.
        moves: called with the server's book and the number of each request before it is answered.
        mode: of the run.
    """

    faults: Callable[[], list[Fault]] = list
    contract: Contract = field(default_factory=Contract)
    endpoint: Mapping[str, Any] = field(default_factory=dict)
    records: int = 250
    moves: Callable[[Book, int], None] | None = None
    mode: str = "full"


def row(name: str, *outcome: str, **case: Any) -> Any:
    """A row of a matrix: an id, what the failure says if it fails, and the server."""
    return pytest.param(Case(**case), *outcome, id=name)


def paged(**paging: Any) -> Contract:
    return Contract(paging=Paging(**paging))


def told(body: tuple[str, ...] | None = ("total",), **more: Any) -> Contract:
    """A contract by how the total is told, and further parts of it."""
    header, form = more.pop("header", None), more.pop("form", "number")
    return Contract(total=Total(body, header, form), **more)


NO_TOTAL = Total(None)
PAGES = {"type": "page_number", "base_page": 1, "total_path": "total"}
CURSOR = {"type": "cursor", "cursor_path": "next", "cursor_param": "after"}


def by_page(first: int = 1, **paging: Any) -> Paging:
    return Paging(style="page", position="page", first_page=first, **paging)


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

    def after(call: Call, response: Response) -> Response:
        body = bytes(response.body).replace(b'"next":null', b'"next":""')
        return Response(body, response.status_code, media_type="application/json")

    return Fault(after=after)


def each_position_once(call: Call, seen: set[str]) -> bool:
    """Whether this is the first request for its page."""
    return call.query["offset"] not in seen and not seen.add(call.query["offset"])  # type: ignore[func-returns-value]


def restless(book: Book, number: int) -> None:
    """Never at rest: a record comes in front with each request."""
    book.insert({**Book.of(1).records[0], "id": f"new_{number}"}, at=0)


COMPLETE = [
    row("the contract as it is"),
    row("an API without a single invoice, first run", records=0),
    row("one invoice", records=1),
    row("exactly one full page", records=100),
    row("exactly two full pages", records=200),
    row("pages capped in silence at 50", contract=paged(largest=50)),
    row("pages capped in silence at 7", contract=paged(largest=7), records=60),
    row("pages capped in silence, no total", contract=Contract(total=NO_TOTAL, paging=Paging(largest=50))),
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
    row("the last page again, total told", contract=paged(past_end="last_page")),
    row("the last page again, total told, all pages full", contract=paged(past_end="last_page"), records=200),
    row("the only page again", contract=paged(past_end="last_page"), records=30),
    row("an empty page once, total told", faults=lambda: [faults.empty_page(on=where(offset=100), times=1)]),
    row(
        "an empty page once, no total",
        contract=told(None),
        faults=lambda: [faults.empty_page(on=where(offset=100), times=1)],
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
        contract=Contract(total=NO_TOTAL, paging=by_page(0, largest=50)),
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
        contract=Contract(total=NO_TOTAL, paging=by_page(past_end="404")),
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
        contract=Contract(total=NO_TOTAL, paging=Paging(limit=None, size=1000, largest=1000)),
        endpoint={"paginator": "single_page"},
    ),
    row("connections cut before the answer", faults=lambda: [faults.drop(on=where(offset=100), times=2)]),
    row("bodies cut short", faults=lambda: [faults.cut(on=where(offset=100), times=2)]),
    row(
        "compressed bodies cut short",
        faults=lambda: [faults.gzipped(), faults.cut(on=where(offset=100), times=2)],
    ),
    row("half a JSON document", faults=lambda: [faults.half_json(on=where(offset=100), times=2)]),
    row(
        "every page fails at first",
        faults=lambda: [status(500, body="html", on=partial(each_position_once, seen=set()))],
    ),
    row("429 storms", faults=lambda: [status(429, retry_after=1, on=lambda call: call.number % 4 == 2)]),
]

FAILED = [
    row(
        "an empty page that stays",
        "an empty page after 100 of 250 records, also when asked 3 times more",
        faults=lambda: [faults.empty_page(on=where(offset=100))],
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
        faults=lambda: [answer({"error": "values stay out"}, on=where(offset=200))],
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
        faults=lambda: [answer({"data": None, "total": 250}, on=where(offset=100))],
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
        "The same page came twice after 200 records",
        faults=lambda: [faults.same_page(on=where(offset=200))],
    ),
    row(
        "the last page again, no total, all pages full",
        "the last page comes again",
        contract=told(None, paging=Paging(past_end="last_page")),
        records=200,
    ),
    row(
        "a total that is never reached",
        "an empty page after 250 of 300 records",
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
        contract=told(None),
        faults=lambda: [faults.edit_rows(lambda rows: [*rows[:-1], rows[0]], on=where(offset=100))],
    ),
    row("invoices that never rest", "No pass over `invoices` added up in 5 attempts", moves=restless),
    row("a random order", "give a stable sort in `params`", contract=Contract(order="random")),
    row("404 on the first page", "answered 404 Not Found", faults=lambda: [status(404)]),
    row(
        "404 before the total is reached",
        "answered 404 Not Found",
        faults=lambda: [status(404, on=where(offset=100))],
    ),
    row(
        "503 that never goes away",
        "failed after 4 attempts: 503 Service Unavailable",
        faults=lambda: [status(503)],
    ),
    row(
        "500 in the middle, told in HTML",
        "failed after 4 attempts: 500 Internal Server Error",
        faults=lambda: [status(500, body="html", on=where(offset=100))],
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
        faults=lambda: [faults.cut(on=where(offset=100))],
    ),
    row(
        "half a JSON document, always",
        r"the answer is not a complete JSON document \(application/json, \d+ bytes\)",
        faults=lambda: [faults.half_json(on=where(offset=100))],
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
        faults=lambda: [status(401, on=where(offset=100))],
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
        faults=lambda: [
            answer({"data": [{"id": 1}], "next": "http://elsewhere.invalid/v1/invoices?offset=100"})
        ],
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
        endpoint={
            "paginator": {"type": "offset", "limit": 100, "total_path": "total", "maximum_offset": 200}
        },
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


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    return without_waits(monkeypatch)


def run(
    case: Case, monkeypatch: pytest.MonkeyPatch, folder: Path, start: int, says: str | None = None
) -> None:
    """Runs a row; without a sentence the result must be exact, else the failure says it and nothing has changed."""
    book = Book.of(case.records)
    with serve(book, Faults(*case.faults()), case.contract, KEY) as server:
        if case.moves is not None:
            server.on_request(partial(case.moves, book))
        project = Project(monkeypatch, folder, server.url, KEY, config(**case.endpoint))
        if start:
            put_rows(project, start)
        if says is None:
            result = project.run(mode=case.mode)
            assert result.success, project.failure(result)
            assert_same_as(project, book)
            assert project.metadata(result)["complete"] is True
            return
        with untouched(project):
            result = project.run(mode=case.mode)
        assert not result.success
        assert re.search(says, project.failure(result)), project.failure(result)
        assert "\n" not in project.failure(result)
        assert "values stay out" not in repr(result.all_events)
        assert KEY not in repr(result.all_events)


@pytest.mark.parametrize("case", COMPLETE)
def test_everything_arrives_from(case: Case, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run(case, monkeypatch, tmp_path, start=BEFORE if case.records >= BEFORE else 0)


@pytest.mark.parametrize(("case", "says"), FAILED)
def test_the_run_fails_and_the_rows_stay_at(
    case: Case, says: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run(case, monkeypatch, tmp_path, BEFORE, says)


@pytest.mark.parametrize(("case", "says"), FAILED[::5])
def test_a_first_run_fails_and_makes_no_warehouse_at(
    case: Case, says: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run(case, monkeypatch, tmp_path, 0, says)


@pytest.mark.parametrize("case", NOTHING)
def test_rows_do_not_go_because_of(case: Case, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run(case, monkeypatch, tmp_path, BEFORE, "shows no|more than the limit of 20%")
