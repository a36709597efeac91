"""An end is believed only if nothing that the API said contradicts it; where nothing proves it, the sweep says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from invoices_assets.errors import BadAnswer, ExtractError, IncompleteSweep, NotFound
from invoices_assets.extract.sweep import SweepResult
from invoices_assets_tests.support.sweep_helpers import Records, config, swept
from invoices_assets_tests.vendor.fake_api import Asked, FakeApi, Reply

PATH = "/v1/invoices"
Rows = list[dict[str, Any]]

OFFSET = {"type": "offset", "limit": 10}
PAGES = {"type": "page_number", "base_page": 1}
NO_TOTAL = {"total_path": None}
CURSOR = {"type": "cursor", "cursor_path": "next", "cursor_param": "after"}
LINKS = {"type": "json_link", "next_url_path": "next"}


def rows(count: int, first: int = 0) -> Rows:
    return [{"id": number, "updated_at": "2026-01-01T00:00:00Z"} for number in range(first, first + count)]


def read(api: FakeApi, paginator: Any, **changes: Any) -> tuple[SweepResult, Records]:
    """Sweeps with pages of ten."""
    return swept(api.url, config(paginator=paginator, params={"limit": 10}, **changes))


def trial(api: FakeApi, paginator: Any, limit: int) -> tuple[SweepResult, Records]:
    return swept(api.url, config(paginator=paginator), limit=limit)


def number(asked: Asked, name: str, default: int = 0) -> int:
    return int(asked.query.get(name, [str(default)])[0])


def by_offset(records: Rows, **beside: Any) -> Callable[[Asked], Reply]:
    def answer(asked: Asked) -> Reply:
        offset = number(asked, "offset")
        return Reply(body={"data": records[offset : offset + number(asked, "limit", 10)], **beside})

    return answer


def by_page(records: Rows, *, first: int = 1, size: int = 10, past: Reply | None = None, **beside: Any) -> Any:
    def answer(asked: Asked) -> Reply:
        start = (number(asked, "page", first) - first) * size
        shown = records[start : start + size] if start >= 0 else []
        return past if past is not None and not shown else Reply(body={"data": shown, **beside})

    return answer


def by_cursor(
    records: Rows, *, last: Mapping[str, Any] | None = None, beside: Mapping[str, Any] | None = None, size: int = 10
) -> Callable[[Asked], Reply]:
    """`last` is what stands beside the records of the last page, `beside` beside those of all."""

    def answer(asked: Asked) -> Reply:
        start = number(asked, "after")
        end = start + size
        more = {"next": end} if end < len(records) else {"next": None} if last is None else dict(last)
        return Reply(body={"data": records[start:end], **(beside or {}), **more})

    return answer


# A status behind a full page


@pytest.mark.parametrize("paginator", [OFFSET | NO_TOTAL, PAGES | NO_TOTAL], ids=["offset", "page_number"])
def test_a_404_that_goes_away_is_no_end(api: FakeApi, paginator: dict[str, Any]) -> None:
    listing = by_offset(rows(35)) if paginator["type"] == "offset" else by_page(rows(35))
    api.route(PATH)(lambda asked: Reply(404) if len(api.asked) == 3 else listing(asked))
    swept, records = read(api, paginator)
    assert records.ids == list(range(35))
    assert swept.proven


@pytest.mark.parametrize("status", [400, 404, 416, 422])
@pytest.mark.parametrize("total", [None, 20])
def test_a_window_of_results_is_no_end(api: FakeApi, status: int, total: int | None) -> None:
    listing = by_offset(rows(50), **({} if total is None else {"total": total}))
    api.route(PATH)(lambda asked: Reply(status) if number(asked, "offset") >= 20 else listing(asked))
    with pytest.raises(ExtractError, match=rf"{status}|the API says 20 records, and 28 distinct ones came"):
        read(api, OFFSET)


def test_a_window_that_cuts_its_last_page_is_unproven(api: FakeApi) -> None:
    listing = by_offset(rows(20), total=20)
    api.route(PATH)(lambda asked: Reply(400) if number(asked, "offset") >= 20 else listing(asked))
    swept, _ = read(api, OFFSET)
    assert not swept.proven
    assert "the API refuses (400) to be asked for what lies behind its total of 20" in swept.end


def test_a_404_behind_a_full_page_proves_nothing(api: FakeApi) -> None:
    api.route(PATH)(by_page(rows(20), past=Reply(404)))
    swept, records = read(api, PAGES | NO_TOTAL)
    assert records.ids == list(range(20))
    assert not swept.proven
    assert swept.end.startswith("nothing proves that these are all: behind a full page the API answers 404")
    assert len([asked for asked in api.asked if asked.query["page"] == ["3"]]) == 4


def test_a_404_behind_a_short_page_is_an_end(api: FakeApi) -> None:
    api.route(PATH)(by_page(rows(17), past=Reply(404)))
    swept, records = read(api, PAGES | NO_TOTAL)
    assert records.ids == list(range(17))
    assert swept.proven


@pytest.mark.parametrize("once", [Reply(404), Reply(body={"data": []})], ids=["404", "an empty page"])
@pytest.mark.parametrize("paginator", [OFFSET, PAGES], ids=["an offset that cannot overlap", "page_number"])
def test_an_end_behind_a_page_that_only_lacks_records_is_asked_for_again(
    api: FakeApi, paginator: dict[str, Any], once: Reply
) -> None:
    pages = [rows(10), rows(8, 10), rows(10, 18), rows(3, 28)]

    def answer(asked: Asked) -> Reply:
        if len(api.asked) == 3 + skipped:
            return once
        place = number(asked, "page", 1) - 1 if paginator is PAGES else PLACES.get(number(asked, "offset"), 4)
        return Reply(body={"data": pages[place] if 0 <= place < 4 else []})

    skipped = 1 if paginator is OFFSET else 0  # the first offset that would overlap shows page 1 again
    api.route(PATH)(answer)
    assert read(api, paginator | NO_TOTAL)[1].ids == list(range(31))


PLACES = {0: 0, 9: 0, 10: 1, 18: 2, 28: 3}


# What an answer says of more


@pytest.mark.parametrize(
    "said",
    [
        {"has_more": True},
        {"hasMore": True},
        {"has_more": "true"},
        {"more": True},
        {"hasNext": True},
        {"has_next_page": True},
        {"last": False},
        {"meta": {"has_more": True}},
        {"pagination": {"hasNextPage": 1}},
        {"meta": {"pagination": {"hasMore": True}}},
        {"total_pages": 9},
        {"meta": {"lastPage": 9}},
        {"total": 50},
        {"totalCount": "50"},
        {"meta": {"pagination": {"total": 50}}},
        {"count": 50},
    ],
    ids=str,
)
@pytest.mark.parametrize("last", [{"next": None}, {}], ids=["next is null", "no next"])
@pytest.mark.parametrize("paginator", [CURSOR, "single_page"], ids=["cursor", "single_page"])
def test_an_end_is_not_believed_beside(
    api: FakeApi, said: dict[str, Any], last: dict[str, Any], paginator: Any
) -> None:
    api.route(PATH)(by_cursor(rows(20 if paginator is CURSOR else 10), last={**last, **said}, beside=said))
    with pytest.raises(IncompleteSweep):
        read(api, paginator)


def test_an_empty_page_is_no_end_beside_a_word_of_more(api: FakeApi) -> None:
    api.route(PATH)(by_page(rows(20), has_more=True))
    with pytest.raises(IncompleteSweep, match="`has_more` says that there is more"):
        read(api, PAGES | NO_TOTAL)


def test_an_empty_offset_beside_a_word_of_more_costs_four_requests(api: FakeApi) -> None:
    listing = by_offset(rows(50), has_more=True)
    api.route(PATH)(
        lambda asked: Reply(body={"data": [], "has_more": True}) if number(asked, "offset") > 15 else listing(asked)
    )
    with pytest.raises(IncompleteSweep, match="after 19 records, and `has_more` says that there is more"):
        read(api, OFFSET | NO_TOTAL)
    assert [number(asked, "offset") for asked in api.asked].count(18) == 4


def test_an_offset_that_stays_empty_where_a_record_was_is_a_fault_in_the_second_pass(api: FakeApi) -> None:
    listing = by_offset(rows(50))
    api.route(PATH)(lambda asked: Reply(body={"data": []}) if number(asked, "offset") > 15 else listing(asked))
    with pytest.raises(IncompleteSweep, match="an empty page after 19 records"):
        read(api, OFFSET | NO_TOTAL)
    assert [number(asked, "offset") for asked in api.asked].count(18) == 8


def test_a_cursor_that_is_missing_once_beside_a_word_of_more_is_asked_for_again(api: FakeApi) -> None:
    def answer(asked: Asked) -> Reply:
        if len(api.asked) == 2:
            return Reply(body={"data": rows(10, 10), "next": None, "has_more": True})
        return by_cursor(rows(25))(asked)

    api.route(PATH)(answer)
    _, records = read(api, CURSOR)
    assert records.ids == list(range(25))


def test_a_declared_total_of_links_must_be_reached(api: FakeApi) -> None:
    api.route(PATH)(by_cursor(rows(20), beside={"stats": {"rows": 25}}))
    with pytest.raises(IncompleteSweep, match="the API says 25 records, and 20 distinct ones came"):
        read(api, CURSOR | {"total_path": "stats.rows"})


@pytest.mark.parametrize("said", [{"total": 50}, {"count": 50}, {"meta": {"total": 50}}], ids=str)
@pytest.mark.parametrize("paginator", [CURSOR, OFFSET, PAGES], ids=["cursor", "offset", "page_number"])
def test_null_as_total_path_switches_every_total_off(
    api: FakeApi, said: dict[str, Any], paginator: dict[str, Any]
) -> None:
    listing: Any = {
        "cursor": by_cursor(rows(25), beside=said),
        "offset": by_offset(rows(25), **said),
        "page_number": by_page(rows(25), **said),
    }[paginator["type"]]

    def answer(asked: Asked) -> Reply:
        return Reply(body=listing(asked).body, headers={"X-Total-Count": "50"})

    api.route(PATH)(answer)
    swept, records = read(api, paginator | NO_TOTAL)
    assert records.ids == list(range(25))
    assert swept.proven
    assert swept.total is None


def test_a_count_of_the_rows_of_each_page_is_no_total(api: FakeApi) -> None:
    def answer(asked: Asked) -> Reply:
        body: Any = by_cursor(rows(25))(asked).body
        return Reply(body={**body, "count": len(body["data"])})

    api.route(PATH)(answer)
    swept, records = read(api, CURSOR)
    assert records.ids == list(range(25))
    assert swept.total is None


def test_a_total_of_pages_is_never_called_records(api: FakeApi) -> None:
    api.route(PATH)(by_page(rows(35), total=4))
    swept, records = read(api, PAGES)
    assert records.ids == list(range(35))
    assert swept.total is None
    assert swept.proven


@pytest.mark.parametrize("place", ["total", "total_pages"])
def test_nor_is_it_in_a_trial(api: FakeApi, place: str) -> None:
    api.route(PATH)(by_page(rows(115), **{place: 12}))
    swept, _ = trial(api, PAGES | {"total_path": place}, limit=15)
    assert swept.total is None


@pytest.mark.parametrize("place", ["total", "total_pages"])
def test_nor_is_it_where_pages_are_missing(api: FakeApi, place: str) -> None:
    api.route(PATH)(by_page(rows(25), **{place: 12}))
    with pytest.raises(IncompleteSweep, match=r"an empty page after 25 records \(3 of 12 pages\)"):
        read(api, PAGES | {"total_path": place})


@pytest.mark.parametrize("paginator", [CURSOR, LINKS, OFFSET, "single_page"], ids=str)
def test_nor_is_it_where_only_a_total_of_records_helps(api: FakeApi, paginator: Any) -> None:
    api.route(PATH)(lambda asked: Reply(body={"data": rows(7), "meta": {"pages": 2}, "next": None}))
    paginator = {"type": paginator} if paginator == "single_page" else paginator
    with pytest.raises(IncompleteSweep, match=r"`total_path` names a number of pages \(2\).*`page_number`"):
        read(api, paginator | {"total_path": "meta.pages"})
    assert len(api.asked) <= 2


# What is no list of records


@pytest.mark.parametrize(
    ("body", "selector"),
    [
        ({"data": None, "error": "busy"}, "data"),
        ({"data": [], "errors": [{"code": 17}]}, "data"),
        ({"data": {}, "error": {"code": "busy"}}, "data"),
        ({"data": {"message": "busy"}}, "data"),
        ({"error": {"code": "busy"}}, "$"),
        ({"id": "request-7", "error": "busy"}, "$"),
        ({"data": [], "success": False}, "data"),
        ({"data": [{"message": "busy"}]}, "data"),
    ],
    ids=str,
)
@pytest.mark.parametrize("paginator", [OFFSET, "single_page", CURSOR], ids=["offset", "single_page", "cursor"])
def test_no_record_is_made_of(api: FakeApi, body: dict[str, Any], selector: str, paginator: Any) -> None:
    api.route(PATH, Reply(body=body))
    with pytest.raises((BadAnswer, IncompleteSweep)) as caught:
        read(api, paginator, data_selector=selector)
    assert "busy" not in str(caught.value)


@pytest.mark.parametrize("error", [None, False, 0, "", [], {}, {"code": 0, "message": ""}, "none"], ids=repr)
def test_an_error_that_is_none_is_none(api: FakeApi, error: Any) -> None:
    api.route(PATH)(by_offset(rows(25), error=error, total=25))
    assert read(api, OFFSET)[1].ids == list(range(25))


@pytest.mark.parametrize("paginator", [OFFSET | NO_TOTAL, PAGES | NO_TOTAL], ids=["offset", "page_number"])
def test_null_behind_full_pages_is_no_end(api: FakeApi, paginator: dict[str, Any]) -> None:
    listing = by_offset(rows(50)) if paginator["type"] == "offset" else by_page(rows(50))
    api.route(PATH)(lambda asked: Reply(body={"data": None}) if len(api.asked) > 2 else listing(asked))
    with pytest.raises(IncompleteSweep):
        read(api, paginator)


def test_one_record_collapsed_to_an_object_is_a_record(api: FakeApi) -> None:
    api.route(PATH, Reply(body={"data": {"id": 7}, "total": 1}))
    assert read(api, OFFSET)[1].ids == [7]


# Where nothing proves the end


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
