"""`describe check` says whether change stamps can be read, and what a filter by them brings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from invoices_assets.describe.finding import Verdict
from invoices_assets_tests.support.describing import checked, checked_at, told, verdict_on
from invoices_assets_tests.support.sweep_helpers import config
from invoices_assets_tests.vendor import Book, Contract, FakeApi, Filter, Reply, serve
from invoices_assets_tests.vendor.fake_api import Asked

SINCE = {"cursor_path": "updated_at", "start_param": "updated_since"}


def found_on(contract: Contract, incremental: Any = None, book: Book | None = None, **endpoint: Any) -> Any:
    with serve(book or Book.of(250), contract=contract) as server:
        return checked_at(server, config(incremental=incremental or {**SINCE, "lag": 600}, **endpoint))


def without_stamp(record: dict[str, Any]) -> Mapping[str, Any]:
    return {**record, "updated_at": None} if record["id"].endswith("7") else record


def test_an_inclusive_filter_is_ok() -> None:
    assert "heeded, and inclusive" in told(found_on(Contract()), "change filter", Verdict.OK)


def test_an_exclusive_filter_without_overlap_is_unproven() -> None:
    contract, book = Contract(filters=(Filter(op=">"),)), Book.of(60)
    assert "`lag: 1`" in told(found_on(contract, SINCE, book), "change filter", Verdict.UNPROVEN)


def test_an_exclusive_filter_with_overlap_is_ok() -> None:
    contract, book = Contract(filters=(Filter(op=">"),)), Book.of(60)
    assert "exclusive" in told(found_on(contract, {**SINCE, "lag": 600}, book), "change filter", Verdict.OK)


def test_an_ignored_filter_is_wrong() -> None:
    found = found_on(Contract(filters=()), {**SINCE, "start_param": "changed_since"})
    assert "`start_param: changed_since`" in told(found, "change filter")


def test_an_ignored_filter_is_wrong_where_the_newest_come_first() -> None:
    assert verdict_on(found_on(Contract(filters=(), order="newest")), "change filter") is Verdict.WRONG


def test_a_filter_by_day_is_not_called_ignored() -> None:
    found = found_on(Contract(filters=(Filter(by_day=True),)))
    assert verdict_on(found, "change filter") is Verdict.OK


def test_a_filter_in_a_header_is_asked_as_a_run_does() -> None:
    contract = Contract(filters=(Filter("If-Modified-Since", where="header"),))
    start = "{incremental.start_value:%a, %d %b %Y %H:%M:%S GMT}"
    incremental = {"cursor_path": "updated_at", "initial_value": "2015-01-01T00:00:00Z"}
    found = found_on(contract, incremental, headers={"If-Modified-Since": start})
    assert verdict_on(found, "change filter") is not Verdict.WRONG


def test_no_filter_at_all_is_unproven() -> None:
    with serve(Book.of(20)) as server:
        found = checked_at(server, config(incremental=None))
    assert "each refresh asks for everything" in told(found, "change filter", Verdict.UNPROVEN)


def test_a_stamp_that_no_record_has_is_wrong() -> None:
    found = found_on(Contract(), {"cursor_path": "modified", "start_param": "updated_since"})
    assert "No record has `modified`" in told(found, "change stamp")


def test_stamps_that_may_be_null_are_unproven() -> None:
    found = found_on(Contract(), book=Book.of(100, change=without_stamp))
    assert "have no `updated_at`" in told(found, "change stamp", Verdict.UNPROVEN)


@pytest.mark.parametrize("style", ["epoch_s", "epoch_ms"])
def test_epochs_without_a_format_are_unproven(style: str) -> None:
    found = found_on(Contract(stamps=style))
    assert "`x-format: epoch_s`" in told(found, "change stamp", Verdict.UNPROVEN)


def test_stamps_without_a_zone_are_unproven() -> None:
    assert "`x-timezone" in told(found_on(Contract(stamps="iso_no_zone")), "change stamp", Verdict.UNPROVEN)


WINDOW = {"cursor_path": "created_at", "start_param": "created_from", "end_param": "created_to"}


def on_window(contract: Contract) -> Any:
    return found_on(contract, {**WINDOW, "initial_value": "2019-01-01"})


def test_a_window_that_is_heeded_is_ok() -> None:
    assert verdict_on(on_window(Contract()), "date window") is Verdict.OK


def test_a_window_that_is_ignored_is_wrong() -> None:
    assert "ignores it" in told(on_window(Contract(filters=())), "date window")


def test_tombstones_that_only_changes_show_are_wrong_while_nothing_says_what_they_are(api: FakeApi) -> None:
    live: list[dict[str, Any]] = [
        {"id": str(number), "updated_at": f"2026-01-0{number}T00:00:00Z"} for number in range(1, 6)
    ]
    dead: dict[str, Any] = {"id": "9", "deleted": True, "updated_at": "2026-01-05T00:00:00Z"}

    @api.route("/v1/invoices")
    def answer(asked: Asked) -> Reply:
        since = asked.query.get("updated_since", [""])[0]
        found = [record for record in [*live, *([dead] if since else [])] if record["updated_at"] >= since]
        return Reply(body={"data": found[int(asked.query["offset"][0]) :]})

    found = checked(api.url, config(paginator={"type": "offset", "limit": 100, "total_path": None}))
    assert "`deleted: {data_type: bool, hard_delete: true}`" in told(found, "tombstones")
