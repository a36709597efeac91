"""What of the source file does not fit what the API sends: remarks of a run that could see it, and nothing failed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from invoices_assets_tests.support.invoices import invoice, stamped
from invoices_assets_tests.support.loader import Loader
from invoices_assets_tests.support.sweep_helpers import config
from invoices_assets_tests.vendor.fake_api import Asked, FakeApi, Reply

PATH = "/v1/invoices"
RECORDS = [invoice(f"{at:02}", stamped(at)) for at in range(7)]
NEVER_SEEN = "no record was ever seen: is the key allowed to read?"


@pytest.fixture
def loader(tmp_path: Path, api: FakeApi) -> Loader:
    return Loader(tmp_path, api.url, config())


def shows(api: FakeApi, records: list[dict[str, Any]], **around: Any) -> None:
    def answer(asked: Asked) -> Reply:
        return Reply(body={"data": records[int(asked.query.get("offset", ["0"])[0]) :], **around})

    api.route(PATH)(answer)


def with_columns(columns: dict[str, Any], **endpoint: Any) -> dict[str, Any]:
    content = config(**endpoint)
    content["resources"][0]["columns"] |= columns
    return content


def test_a_sweep_in_which_all_fits_says_so(loader: Loader, api: FakeApi) -> None:
    shows(api, RECORDS, total=7)
    done = loader.refresh()
    assert (done.misfits, done.remarks) == ([], [])


@pytest.mark.parametrize("record", [{}, {"total_ttc": None}], ids=["absent", "null"])
def test_a_field_that_no_record_has(loader: Loader, api: FakeApi, record: dict[str, Any]) -> None:
    loader.content = with_columns({"gross": {"data_type": "decimal", "x-from": "total_ttc"}})
    shows(api, [one | record for one in RECORDS], total=7)
    done = loader.refresh()
    assert done.misfits == ["no record has a value for `gross` at its `x-from: total_ttc`"]
    assert done.misfits[0] in done.remarks


def test_a_field_that_one_record_has_fits(loader: Loader, api: FakeApi) -> None:
    columns = {"gross": {"data_type": "decimal", "x-from": "amounts.gross"}, "tags": {"x-from": "labels"}}
    columns["line_items__what"] = {"x-from": "line_items.name"}
    loader.content = with_columns(columns)
    last = RECORDS[-1] | {"amounts": {"gross": 0}, "labels": ["a"], "line_items": [{"name": "b"}]}
    shows(api, [*RECORDS[:-1], last], total=7)
    assert loader.refresh().misfits == []


@pytest.mark.parametrize(
    ("source", "field"),
    [
        ("Total TTC", {"Total TTC": 1}),
        ("sums.Total TTC", {"sums": {"Total TTC": 1}}),
        ("$.sums.gross", {"sums": {"gross": 1}}),
    ],
)
def test_a_field_is_found_and_loaded_by_one_reading_of_its_place(
    loader: Loader, api: FakeApi, source: str, field: dict[str, Any]
) -> None:
    loader.content = with_columns({"total_due": {"data_type": "bigint", "x-from": source}})
    shows(api, [*RECORDS[:-1], RECORDS[-1] | field], total=7)
    assert loader.refresh().misfits == []
    assert loader.query("SELECT id FROM invoices WHERE total_due = 1") == [(RECORDS[-1]["id"],)]


def test_a_refresh_of_what_changed_judges_no_field(loader: Loader, api: FakeApi) -> None:
    loader.content = with_columns({"gross": {"data_type": "decimal", "x-from": "total_ttc"}})
    shows(api, [one | {"total_ttc": 1} for one in RECORDS], total=7)
    loader.refresh()
    shows(api, RECORDS[-1:], total=1)
    assert loader.refresh().misfits is None


def test_a_change_stamp_that_no_record_has(loader: Loader, api: FakeApi) -> None:
    shows(api, [{"id": at, "total": 1} for at in "abc"], total=3)
    assert loader.refresh().misfits == ["no record has the change stamp `updated_at`"]


def test_a_change_stamp_that_every_record_has_in_a_notation_that_is_not_declared(loader: Loader, api: FakeApi) -> None:
    loader.content = with_columns({})
    del loader.content["resources"][0]["columns"]["updated_at"]
    shows(api, [{"id": at, "total": 1, "updated_at": "03/31/2026"} for at in "abc"], total=3)
    misfit = "no record has a `updated_at` that can be read as a stamp; if it is one, declare its `x-format`"
    assert loader.refresh().misfits == [misfit]


@pytest.mark.parametrize(
    ("around", "said"),
    [({"total": 7}, "total"), ({"meta": {"total_pages": 1}}, "total_pages"), ({"has_more": False}, "has_more")],
)
def test_a_single_page_beside_what_only_paged_apis_say(
    loader: Loader, api: FakeApi, around: dict[str, Any], said: str
) -> None:
    loader.content = config(paginator="single_page")
    shows(api, RECORDS, **around)
    [misfit] = loader.refresh().misfits or []
    assert misfit.startswith(f"`single_page` reads one page only, and the answer has `{said}`")


def test_a_single_page_without_such_words_fits(loader: Loader, api: FakeApi) -> None:
    loader.content = config(paginator="single_page", params={"limit": 100})
    shows(api, RECORDS)
    assert loader.refresh().misfits == []


@pytest.mark.parametrize(
    ("paginator", "place"),
    [
        ({"type": "json_link", "next_url_path": "links.onward"}, "`links.onward`"),
        ({"type": "cursor", "cursor_path": "onward", "cursor_param": "after"}, "`onward`"),
        ({"type": "header_link"}, "`Link` header with a next page"),
        ({"type": "header_cursor", "cursor_key": "Onward", "cursor_param": "after"}, "`Onward` header"),
    ],
)
def test_a_place_of_the_next_page_that_no_answer_has(
    loader: Loader, api: FakeApi, paginator: dict[str, Any], place: str
) -> None:
    loader.content = config(paginator=paginator)
    shows(api, RECORDS, total_count=7)
    assert loader.refresh().misfits == [f"the only answer has no {place}, so a second page would not be found by it"]


def test_a_page_shorter_than_asked_for_needs_no_next_one(loader: Loader, api: FakeApi) -> None:
    loader.content = config(paginator={"type": "json_link", "next_url_path": "onward"}, params={"limit": 100})
    shows(api, RECORDS)
    assert loader.refresh().misfits == []


def test_a_place_of_the_total_that_no_answer_has_is_told_and_is_no_misfit(loader: Loader, api: FakeApi) -> None:
    loader.content = config(paginator={"type": "offset", "limit": 100, "total_path": "meta.all"})
    shows(api, RECORDS)
    done = loader.refresh()
    assert (done.misfits, done.remarks) == (
        [],
        ["no answer has a total at `total_path: meta.all`; write null if there is none"],
    )


def test_a_first_load_that_finds_nothing_asks_whether_the_key_may_read(loader: Loader, api: FakeApi) -> None:
    shows(api, [], total=0)
    done = loader.refresh()
    assert (done.remarks, done.swept.end, done.swept.proven) == ([NEVER_SEEN], NEVER_SEEN, False)


def test_so_does_a_question_for_a_part_and_a_trial_without_a_load(loader: Loader, api: FakeApi) -> None:
    shows(api, [], total=0)
    assert loader.refresh(since="2024-01-01", dry_run=True).remarks == [NEVER_SEEN]
    assert loader.cursor is None


def test_nothing_new_is_no_reason_to_ask(loader: Loader, api: FakeApi) -> None:
    shows(api, RECORDS, total=7)
    loader.refresh()
    api.route(PATH)(lambda asked: Reply(body={"data": [] if "updated_since" in asked.query else RECORDS, "total": 0}))
    done = loader.refresh(since="2025-01-01")
    assert (done.swept.rows, done.swept.proven, done.remarks) == (0, True, [])


def test_nor_is_a_part_without_a_record_where_the_api_has_others(loader: Loader, api: FakeApi) -> None:
    api.route(PATH)(lambda asked: Reply(body={"data": [] if "updated_since" in asked.query else RECORDS}))
    assert NEVER_SEEN not in loader.refresh(since="2025-01-01").remarks


def test_nor_is_a_table_whose_records_were_all_deleted(loader: Loader, api: FakeApi) -> None:
    shows(api, RECORDS, total=7)
    loader.refresh()
    with duckdb.connect(str(loader.warehouse)) as warehouse:
        warehouse.execute("UPDATE invoicing.invoices SET deleted_at = now()")
    shows(api, [], total=0)
    assert NEVER_SEEN not in loader.refresh("full").remarks


@pytest.mark.parametrize("mode", ["incremental", "full"])
def test_tombstones_without_a_declaration_are_told(loader: Loader, api: FakeApi, mode: str) -> None:
    shows(api, RECORDS, total=7)
    loader.refresh()
    dead = {"id": RECORDS[0]["id"], "deleted": True, "updated_at": RECORDS[-1]["updated_at"]}
    shows(api, [*RECORDS[1:], dead], total=7)
    done = loader.refresh(mode)
    assert any("`deleted: {data_type: bool, hard_delete: true}` (1 rows)" in remark for remark in done.remarks)
    assert done.misfits


def test_an_x_from_that_never_matches_is_told_where_a_field_of_the_columns_name_fills_it(
    loader: Loader, api: FakeApi
) -> None:
    loader.content = with_columns({"total": {"data_type": "decimal", "x-from": "total_ttc"}})
    shows(api, RECORDS, total=7)
    done = loader.refresh()
    assert done.misfits == [
        "no record of the first page has the `x-from` of `total`, which is filled by a field of its own name"
    ]
