"""Records that move while they are read are noticed, as far as the paging can show it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from invoices_assets.errors import IncompleteSweep
from invoices_assets_tests.support.paged_api import CURSOR, OFFSET, PAGES, PATH, by_offset, by_page, number, read, rows
from invoices_assets_tests.support.sweep_helpers import config, swept
from invoices_assets_tests.vendor.fake_api import Asked, FakeApi, Reply


def moving(api: FakeApi, listing: Any, records: list[Any], at: int, move: Callable[[list[Any]], None]) -> None:
    """Records that move once, before a request is answered."""

    def answer(asked: Asked) -> Reply:
        if len(api.asked) == at:
            move(records)
        return listing(asked)

    api.route(PATH)(answer)


def one_goes_and_one_comes(records: list[Any]) -> None:
    del records[0]
    records.extend(rows(1, first=99))


@pytest.mark.parametrize("window", [1, 4])
@pytest.mark.parametrize("total", [{}, {"total": 35}], ids=["no total", "total"])
def test_a_move_that_keeps_the_total_is_seen_by_offset(api: FakeApi, total: dict[str, Any], window: int) -> None:
    records = rows(35)
    moving(api, by_offset(records, **total), records, 2, one_goes_and_one_comes)
    found, sink = swept(api.url, config(paginator=OFFSET), window=window)
    assert {row["id"] for row in records} <= set(sink.ids)
    assert found.passes == 2


def test_a_deletion_without_a_total_is_seen_by_offset(api: FakeApi) -> None:
    records = rows(35)
    moving(api, by_offset(records), records, 3, lambda records: records.pop(0))
    _, sink = read(api, OFFSET)
    assert sink.ids == [row["id"] for row in records]


@pytest.mark.parametrize(("count", "requests"), [(35, 4), (100, 12), (9, 2), (19, 3), (20, 4)])
def test_the_overlap_costs_one_record_a_page(api: FakeApi, count: int, requests: int) -> None:
    api.route(PATH)(by_offset(rows(count), total=count))
    _, sink = read(api, OFFSET)
    assert sink.ids == list(range(count))
    assert len(api.asked) == requests


def test_pages_of_one_record_cannot_overlap(api: FakeApi) -> None:
    api.route(PATH)(by_offset(rows(5), total=5))
    _, sink = swept(api.url, config(paginator=OFFSET | {"limit": 1}))
    assert sink.ids == list(range(5))


@pytest.mark.parametrize("refusal", ["400", "rounds down"])
@pytest.mark.parametrize("count", [35, 40])
def test_an_api_that_takes_only_multiples_of_the_limit_is_read_without_overlap(
    api: FakeApi, refusal: str, count: int
) -> None:
    listing = by_offset(rows(count), total=count)

    def answer(asked: Asked) -> Reply:
        offset = number(asked, "offset")
        if offset % 10 and refusal == "400":
            return Reply(400)
        return listing(Asked("", "", PATH, {"offset": [str(offset // 10 * 10)]}, {}, b"", 0))

    api.route(PATH)(answer)
    found, sink = read(api, OFFSET)
    assert sink.ids == list(range(count))
    assert any("keeps the total cannot be seen" in remark for remark in found.remarks)


def test_what_page_numbers_cannot_see_is_said(api: FakeApi) -> None:
    api.route(PATH)(by_page(rows(35), total=35))
    found, _ = read(api, PAGES)
    assert ["keeps the total cannot be seen" in remark for remark in found.remarks] == [True]


def test_deletions_by_page_numbers_need_two_passes_that_agree(api: FakeApi) -> None:
    records = rows(35)
    moving(api, by_page(records, total=35), records, 2, one_goes_and_one_comes)
    found, sink = swept(api.url, config(paginator=PAGES), confirm=True)
    assert sink.ids == [row["id"] for row in records]
    assert found.passes == 3
    assert found.remarks == []


def test_one_pass_is_enough_where_offsets_overlap(api: FakeApi) -> None:
    api.route(PATH)(by_offset(rows(35), total=35))
    assert swept(api.url, config(paginator=OFFSET), confirm=True)[0].passes == 1


def keyset(records: list[dict[str, Any]]) -> Callable[[Asked], Reply]:
    """Sorted by change stamp: a page goes on behind the last stamp that was shown."""

    def answer(asked: Asked) -> Reply:
        after = asked.query.get("after", [""])[0]
        waiting = sorted((row for row in records if row["updated_at"] > after), key=lambda row: str(row["updated_at"]))
        more = waiting[9]["updated_at"] if len(waiting) > 10 else None
        return Reply(body={"data": waiting[:10], "next": more})

    return answer


def test_a_record_that_changes_while_a_keyset_is_read_comes_again_as_it_is_then(api: FakeApi) -> None:
    records = [{"id": at, "updated_at": f"2026-01-01T00:00:{at:02}Z", "state": "old"} for at in range(25)]
    moving(api, keyset(records), records, 2, lambda all: all[3].update(updated_at="2026-02-01T00:00:00Z", state="new"))
    found, sink = read(api, CURSOR)
    assert found.passes == 1
    assert found.distinct == 25
    assert [row["state"] for row in sink.records if row["id"] == 3] == ["old", "new"]


def test_a_record_that_comes_again_unchanged_is_a_move(api: FakeApi) -> None:
    def answer(asked: Asked) -> Reply:
        start = number(asked, "after")
        return Reply(body={"data": rows(10, start), "next": start + 9 if start < 20 else None})

    api.route(PATH)(answer)
    with pytest.raises(IncompleteSweep, match="came twice"):
        read(api, CURSOR)
