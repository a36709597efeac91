"""Where nothing proves the end, the sweep says so, and what may be the cause."""

from __future__ import annotations

from typing import Any

import pytest

from invoices_assets.errors import IncompleteSweep, NotFound
from invoices_assets_tests.support.paged_api import (
    CURSOR,
    LINKS,
    NO_TOTAL,
    OFFSET,
    PAGES,
    PATH,
    by_cursor,
    by_offset,
    by_page,
    number,
    read,
    rows,
)
from invoices_assets_tests.support.sweep_helpers import config, swept
from invoices_assets_tests.vendor.fake_api import Asked, FakeApi, Reply


@pytest.mark.parametrize(
    ("paginator", "answer"),
    [
        (LINKS | {"next_url_path": "nxt"}, by_cursor(rows(10), last={})),
        (CURSOR | {"cursor_path": "nxt"}, by_cursor(rows(10), last={})),
        ("header_link", by_cursor(rows(10), last={})),
        ("single_page", by_cursor(rows(10), last={})),
    ],
    ids=["json_link", "cursor", "header_link", "single_page"],
)
def test_one_full_page_without_a_word_of_the_next_is_unproven(api: FakeApi, paginator: Any, answer: Any) -> None:
    api.route(PATH)(answer)
    swept, _ = read(api, paginator)
    assert not swept.proven
    assert swept.end.startswith("nothing proves that these are all: ")


@pytest.mark.parametrize("paginator", [LINKS | {"next_url_path": "nxt"}, CURSOR | {"cursor_path": "meta.next"}])
def test_a_next_page_that_the_source_file_does_not_name_is_not_passed_over(
    api: FakeApi, paginator: dict[str, Any]
) -> None:
    api.route(PATH)(by_cursor(rows(25)))
    with pytest.raises(IncompleteSweep, match="`next`"):
        read(api, paginator)


@pytest.mark.parametrize("paginator", [LINKS, CURSOR, "header_link", "single_page"])
def test_a_page_shorter_than_asked_for_is_an_end(api: FakeApi, paginator: Any) -> None:
    api.route(PATH)(by_cursor(rows(7), last={}))
    assert read(api, paginator)[0].proven


def test_a_first_page_that_is_passed_over_is_noticed(api: FakeApi) -> None:
    api.route(PATH)(by_page(rows(35), first=0))
    with pytest.raises(IncompleteSweep, match="`base_page`"):
        read(api, PAGES | NO_TOTAL)


@pytest.mark.parametrize("total", [{}, {"total": 35}], ids=["no total", "total"])
def test_an_offset_that_counts_pages_is_noticed(api: FakeApi, total: dict[str, Any]) -> None:
    def answer(asked: Asked) -> Reply:
        start = number(asked, "offset") * 10
        return Reply(body={"data": rows(35)[start : start + 10], **total})

    api.route(PATH)(answer)
    with pytest.raises(IncompleteSweep):
        read(api, OFFSET)


def test_pages_in_the_order_of_numbers_prove_their_end_by_an_empty_one(api: FakeApi) -> None:
    api.route(PATH)(by_page(rows(35)))
    swept, records = read(api, PAGES | NO_TOTAL)
    assert swept.proven
    assert swept.end == "an empty page came behind the last record"
    assert records.ids == list(range(35))


# Sentences


@pytest.mark.parametrize(
    "said", [{"total": 25}, {"meta": {"totalPages": 3}}, {"has_more": True}, {"links": {"next": "/p2"}}], ids=str
)
def test_single_page_that_falls_short_says_that_it_reads_one_page_only(api: FakeApi, said: dict[str, Any]) -> None:
    api.route(PATH)(by_offset(rows(25), **said))
    with pytest.raises(IncompleteSweep, match="`single_page` reads one page only") as caught:
        read(api, "single_page")
    assert "10 records came" in str(caught.value)


def test_a_capped_page_is_named_as_the_cause(api: FakeApi) -> None:
    api.route(PATH)(lambda asked: Reply(body={"data": rows(10), "total": 25}))
    with pytest.raises(IncompleteSweep, match="it gives 10 records a page, though 1000 were asked for"):
        swept(api.url, config(paginator="single_page", params={"limit": 1000}))


@pytest.mark.parametrize("paginator", ["single_page", {"type": "json_link", "next_url_path": "onward"}], ids=str)
def test_a_capped_page_is_named_also_where_nothing_contradicts_it(api: FakeApi, paginator: Any) -> None:
    api.route(PATH)(lambda asked: Reply(body={"data": rows(50)}))
    sweep, _ = swept(api.url, config(paginator=paginator, params={"limit": 100}))
    assert not sweep.proven
    assert sweep.end.endswith("(it gives 50 records a page, though 100 were asked for)")


@pytest.mark.parametrize("header", ["Next-Page", "X-Next-Page", "Link"])
def test_a_header_that_leads_on_is_not_passed_over(api: FakeApi, header: str) -> None:
    api.route(PATH)(lambda asked: Reply(body={"data": rows(10)}, headers={header: '</v1/invoices?page=2>; rel="next"'}))
    with pytest.raises(
        IncompleteSweep, match=f"`single_page` reads one page only.*`{header}` leads to a next page"
    ) as caught:
        read(api, "single_page")
    assert "total_path" not in str(caught.value)
    with pytest.raises(IncompleteSweep, match=f"`{header}` leads to a next page"):
        read(api, LINKS)


def test_a_404_on_the_first_request_names_the_path_and_the_key(api: FakeApi) -> None:
    with pytest.raises(NotFound, match=r"is `path: /v1/invoices` right.* key"):
        read(api, OFFSET)


def test_an_offset_that_is_ignored_suggests_what_may_be_meant(api: FakeApi) -> None:
    api.route(PATH)(lambda asked: Reply(body={"data": rows(10)}))
    with pytest.raises(IncompleteSweep, match="`single_page` if it has no pages, `page_number` if it counts them"):
        read(api, OFFSET)
