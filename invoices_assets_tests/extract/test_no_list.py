"""What is no list of records is neither taken for records nor for an end."""

from __future__ import annotations

from typing import Any

import pytest

from invoices_assets.errors import BadAnswer, IncompleteSweep
from invoices_assets_tests.support.paged_api import (
    CURSOR,
    NO_TOTAL,
    OFFSET,
    PAGES,
    PATH,
    by_offset,
    by_page,
    read,
    rows,
)
from invoices_assets_tests.vendor.fake_api import FakeApi, Reply


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
        ({"data": [], "success": 0, "message": "busy"}, "data"),
        ({"data": [], "ok": "false", "message": "busy"}, "data"),
        ({"data": [], "status": "error", "message": "busy"}, "data"),
        ({"data": None, "status": "fail"}, "data"),
        ({"answer": {"status": "error", "message": "busy", "items": []}}, "answer.items"),
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


@pytest.mark.parametrize("beside", [{"success": 1}, {"ok": "true"}, {"status": "success"}, {"status": 200}], ids=repr)
def test_a_word_of_success_is_none_of_failure(api: FakeApi, beside: dict[str, Any]) -> None:
    api.route(PATH)(by_offset(rows(25), total=25, **beside))
    assert read(api, OFFSET)[1].ids == list(range(25))


def test_a_status_beside_records_is_theirs(api: FakeApi) -> None:
    api.route(PATH, Reply(body={"data": rows(3), "total": 3, "status": "failed"}))
    assert read(api, "single_page")[1].ids == [0, 1, 2]


@pytest.mark.parametrize("paginator", [OFFSET | NO_TOTAL, PAGES | NO_TOTAL], ids=["offset", "page_number"])
def test_null_behind_full_pages_is_no_end(api: FakeApi, paginator: dict[str, Any]) -> None:
    listing = by_offset(rows(50)) if paginator["type"] == "offset" else by_page(rows(50))
    api.route(PATH)(lambda asked: Reply(body={"data": None}) if len(api.asked) > 2 else listing(asked))
    with pytest.raises(IncompleteSweep):
        read(api, paginator)


def test_one_record_collapsed_to_an_object_is_a_record(api: FakeApi) -> None:
    api.route(PATH, Reply(body={"data": {"id": 7}, "total": 1}))
    assert read(api, OFFSET)[1].ids == [7]
