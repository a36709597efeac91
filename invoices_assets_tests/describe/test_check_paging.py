"""`describe check` says how paging proves its end, and which words of the API are left unused."""

from __future__ import annotations

from typing import Any

from invoices_assets.describe.finding import Verdict
from invoices_assets_tests.support.describing import checked, checked_at, told, verdict_on
from invoices_assets_tests.support.sweep_helpers import config
from invoices_assets_tests.vendor import Book, Contract, FakeApi, Paging, Reply, Total, Vendor, serve
from invoices_assets_tests.vendor.fake_api import Asked

PATH = "/v1/invoices"
LINKS = Contract(paging=Paging(style="json_link", counts="token", next=("next",), size=50))
CURSOR = Contract(paging=Paging(style="cursor", next=("next",), size=50))


def rows(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [{"id": str(number), "updated_at": "2026-01-01T00:00:00Z"} for number in range(first, first + count)]


def test_a_total_proves_the_end(server: Vendor) -> None:
    assert "total of 250" in told(checked_at(server), "paging", Verdict.OK)


def test_no_total_leaves_the_end_to_a_short_page() -> None:
    with serve(Book.of(700), contract=Contract(total=Total(body=None))) as server:
        found = checked_at(server, config(paginator={"type": "offset", "limit": 100, "total_path": None}))
    assert "only an empty or a short page will show the end" in told(found, "paging", Verdict.UNPROVEN)


def test_pages_that_are_capped_are_told_with_their_size() -> None:
    with serve(Book.of(300), contract=Contract(paging=Paging(largest=50))) as server:
        found = checked_at(server)
    assert "100 records were asked for, and 50 come" in told(found, "page size", Verdict.OK)


def test_an_order_that_changes_is_wrong() -> None:
    with serve(Book.of(250), contract=Contract(order="random")) as server:
        found = checked_at(server)
    assert "stable sort" in told(found, "order")


def test_a_wrong_next_url_path_is_wrong_and_the_right_place_is_named() -> None:
    with serve(Book.of(120), contract=LINKS) as server:
        found = checked_at(server, config(paginator={"type": "json_link", "next_url_path": "links.next"}))
    assert "`links.next`" in told(found, "paging")
    assert "`next`" in told(found, "paging")


def test_a_wrong_cursor_path_is_wrong() -> None:
    with serve(Book.of(120), contract=CURSOR) as server:
        paginator = {"type": "cursor", "cursor_path": "next_cursor", "cursor_param": "offset"}
        found = checked_at(server, config(paginator=paginator))
    assert "`next_cursor`" in told(found, "paging")


def test_a_single_page_beside_a_total_of_pages_is_wrong(api: FakeApi) -> None:
    api.route(PATH, Reply(body={"data": rows(20), "page": 1, "totalPages": 7}))
    found = checked(api.url, config(paginator="single_page"))
    assert "`single_page` reads one page only" in told(found, "paging")


def test_a_single_page_beside_an_unused_total_that_is_reached_is_ok(api: FakeApi) -> None:
    api.route(PATH, Reply(body={"data": rows(20), "total": 20}))
    assert verdict_on(checked(api.url, config(paginator="single_page")), "paging") is not Verdict.WRONG


def test_a_total_path_that_no_answer_has_is_unproven_and_the_total_there_is_named(api: FakeApi) -> None:
    api.route(PATH, Reply(body={"data": rows(20), "meta": {"total_count": 20}}))
    found = checked(api.url, config(paginator={"type": "offset", "limit": 100, "total_path": "meta.totals"}))
    assert "`meta.totals`" in told(found, "paging", Verdict.UNPROVEN)
    assert "total_count" in told(found, "paging", Verdict.UNPROVEN)


def test_a_header_cursor_that_is_an_address_is_wrong(api: FakeApi) -> None:
    next_page = {"Next-Page": f"{api.url}{PATH}?token=2"}

    @api.route(PATH)
    def answer(asked: Asked) -> Reply:
        return Reply(body={"data": rows(20)}, headers=next_page)

    paginator = {"type": "header_cursor", "cursor_key": "Next-Page", "cursor_param": "token"}
    assert "holds an address" in told(checked(api.url, config(paginator=paginator)), "paging")


def test_an_ignored_offset_is_wrong_and_what_else_it_may_be_is_said(api: FakeApi) -> None:
    api.route(PATH, Reply(body={"data": rows(20), "total": 90}))
    found = checked(api.url, config(paginator={"type": "offset", "limit": 20}))
    assert "`page_number`" in told(found, "paging")


def test_the_cost_of_a_full_load_is_told(server: Vendor) -> None:
    assert "250 records is about 4 requests" in told(checked_at(server), "cost", Verdict.OK)
