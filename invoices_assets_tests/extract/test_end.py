"""An end is believed only if nothing that the API said contradicts it; where nothing proves it, the sweep says so."""

from __future__ import annotations

from typing import Any

import pytest

from invoices_assets.errors import ExtractError, IncompleteSweep
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
    trial,
)
from invoices_assets_tests.vendor.fake_api import Asked, FakeApi, Reply


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
