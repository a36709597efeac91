"""A draft loads exactly all records, whatever way an API pages, selects and writes."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from invoices_assets.errors import IncompleteSweep
from invoices_assets.sandbox import serve as serve_sandbox
from invoices_assets_tests.support.drafting import draft_of, drafted, endpoint_of, ids_by
from invoices_assets_tests.support.loader import Loader, loaded
from invoices_assets_tests.vendor import Book, Contract, Faults, Filter, Key, LiveBook, Paging, Reply, Total, serve
from invoices_assets_tests.vendor.faults import Fault

OFFSET = {"type": "offset", "limit": 100, "total_path": "total"}
PAGED = Paging("page", limit="per_page", position="page")
NO_TOTAL = Total(body=None)

PAGINGS: dict[str, tuple[Contract, dict[str, Any]]] = {
    "offset": (Contract(), OFFSET),
    "page": (
        Contract(paging=PAGED),
        {"type": "page_number", "base_page": 1, "page_param": "page", "total_path": "total"},
    ),
    "page_from_0": (
        Contract(paging=Paging("page", limit="size", position="page", first_page=0), total=NO_TOTAL),
        {"type": "page_number", "base_page": 0, "page_param": "page"},
    ),
    "page_own_size": (
        Contract(paging=Paging("page", limit=None, position="page", size=20)),
        {"type": "page_number", "base_page": 1, "page_param": "page", "total_path": "total"},
    ),
    "cursor": (
        Contract(paging=Paging("cursor", position="page_token", next=("meta", "next_page_token")), total=NO_TOTAL),
        {"type": "cursor", "cursor_path": "meta.next_page_token", "cursor_param": "page_token"},
    ),
    "cursor_after": (
        Contract(paging=Paging("cursor", limit="page_size", position="after", next=("paging", "cursors", "after"))),
        {"type": "cursor", "cursor_path": "paging.cursors.after", "cursor_param": "after", "total_path": "total"},
    ),
    "json_link": (
        Contract(paging=Paging("json_link", counts="token", position="token", next=("links", "next"))),
        {"type": "json_link", "next_url_path": "links.next", "total_path": "total"},
    ),
    "json_link_relative": (
        Contract(
            paging=Paging("json_link", counts="token", position="t", absolute=False, keep_key=True), total=NO_TOTAL
        ),
        {"type": "json_link", "next_url_path": "next"},
    ),
    "json_link_to_empty": (
        Contract(paging=Paging("json_link", counts="token", position="t", empty_end=True), total=NO_TOTAL),
        {"type": "json_link", "next_url_path": "next"},
    ),
    "json_link_of_pages": (
        Contract(paging=Paging("json_link", counts="page", position="page", next=("links", "next")), total=NO_TOTAL),
        {"type": "page_number", "base_page": 1, "page_param": "page"},
    ),
    "header_link": (
        Contract(paging=Paging("header_link", counts="token", limit="per_page", position="t"), data=(), total=NO_TOTAL),
        {"type": "header_link"},
    ),
    "header_link_of_offsets": (
        Contract(paging=Paging("header_link", counts="offset"), data=(), total=NO_TOTAL),
        {"type": "offset", "limit": 100},
    ),
    "odata": (
        Contract(paging=Paging(limit="$top", position="$skip"), data=("value",), total=Total(("@odata.count",))),
        {"type": "offset", "limit": 100, "offset_param": "$skip", "limit_param": "$top", "total_path": "@odata.count"},
    ),
    "underscores": (
        Contract(paging=Paging(limit="_limit", position="_start"), data=(), total=Total(None, "X-Total-Count")),
        {"type": "offset", "limit": 100, "offset_param": "_start", "limit_param": "_limit"},
    ),
    "brackets": (
        Contract(
            paging=Paging(limit="pagination[limit]", position="pagination[start]"), total=Total(("meta", "total"))
        ),
        {
            "type": "offset",
            "limit": 100,
            "offset_param": "pagination[start]",
            "limit_param": "pagination[limit]",
            "total_path": "meta.total",
        },
    ),
    "capped": (Contract(paging=Paging(size=20, largest=30), total=NO_TOTAL), {"type": "offset", "limit": 30}),
    "refused_above": (
        Contract(paging=Paging(size=20, largest=50, above="refuse"), total=NO_TOTAL),
        {"type": "offset", "limit": 50},
    ),
    "page_404_past_end": (
        Contract(paging=Paging("page", position="page", past_end="404"), total=NO_TOTAL),
        {"type": "page_number", "base_page": 1, "page_param": "page"},
    ),
    "total_of_the_page": (Contract(total=Total(("count",), form="page_count")), {"type": "offset", "limit": 100}),
    "total_unknown": (Contract(total=Total(form="minus_one")), {"type": "offset", "limit": 100}),
    "total_as_text": (Contract(total=Total(form="string")), OFFSET),
    "nested": (
        Contract(data=("result", "items"), total=Total(("result", "total"))),
        {**OFFSET, "total_path": "result.total"},
    ),
    "newest_first": (Contract(order="newest"), OFFSET),
    "facets_beside": (Contract(data=("rows",), envelope={"facets": [{"a": 1}], "columns": ["id"]}), OFFSET),
}


@pytest.mark.parametrize("dialect", PAGINGS)
def test_a_draft_loads_exactly_all_records(dialect: str) -> None:
    contract, paginator = PAGINGS[dialect]
    book = Book.of(345)
    with serve(book, contract=contract) as server:
        content = drafted(server)
        assert endpoint_of(content)["paginator"] == paginator
        assert ids_by(server.url, content, server.key) == sorted(record["id"] for record in book.records)


STYLES = {
    "offset": Paging(),
    "page": PAGED,
    "cursor": Paging("cursor", position="cursor"),
    "json_link": Paging("json_link", counts="token", position="t"),
}


@pytest.mark.parametrize("count", [2, 3, 5, 21])
@pytest.mark.parametrize("style", STYLES)
def test_a_draft_from_few_records_also_loads_those_that_come_later(style: str, count: int) -> None:
    later = Book.of(230).records
    book = Book(later[:count])
    with serve(book, contract=Contract(paging=STYLES[style])) as server:
        content = drafted(server)
        for record in later[count:]:
            book.insert(record)
        assert ids_by(server.url, content, server.key) == sorted(record["id"] for record in later)


@pytest.mark.parametrize("style", STYLES)
def test_a_draft_from_one_record_is_not_green_when_there_are_more(style: str) -> None:
    later = Book.of(230).records
    book = Book(later[:1])
    with serve(book, contract=Contract(paging=STYLES[style])) as server:
        content = drafted(server)
        for record in later[1:]:
            book.insert(record)
        with pytest.raises(IncompleteSweep, match="single_page"):
            ids_by(server.url, content, server.key)


KEYS: dict[str, tuple[Key, dict[str, Any]]] = {
    "query": (Key(), {"type": "api_key", "name": "api_key", "location": "query"}),
    "bearer": (Key("header", "Authorization", "Bearer {key}"), {"type": "bearer"}),
    "header": (Key("header", "X-Api-Key"), {"type": "api_key", "name": "X-Api-Key", "location": "header"}),
    "raw": (Key("header", "Authorization"), {"type": "api_key", "name": "Authorization", "location": "header"}),
    "token": (
        Key("header", "Authorization", "Token {key}"),
        {"type": "api_key", "name": "Authorization", "location": "header", "x-prefix": "Token "},
    ),
    "user alone": (Key("basic", "", "{key}:"), {"type": "http_basic"}),
}


@pytest.mark.parametrize("wrong", [401, "empty"])
@pytest.mark.parametrize("place", KEYS)
def test_the_place_of_the_key_is_the_one_with_which_records_come(place: str, wrong: Any) -> None:
    key, auth = KEYS[place]
    book = Book.of(30)
    with serve(book, contract=Contract(key=Key(key.where, key.name, key.template, wrong))) as server:
        content = drafted(server)
        assert content["client"] == {"auth": auth}
        assert ids_by(server.url, content, server.key) == sorted(record["id"] for record in book.records)


def test_a_key_of_user_and_password_is_tried_as_such_first() -> None:
    with serve(Book.of(30), contract=Contract(key=Key("basic", "", "{key}")), key="user:pass-word") as server:
        content = drafted(server)
        assert content["client"] == {"auth": {"type": "http_basic"}}
        assert sum(call.status == 401 for call in server.requests) == 1


def test_no_more_wrong_keys_are_sent_than_apis_bear() -> None:
    key = Key("header", "X-Unheard-Of", ban_after=8)
    with serve(Book.of(30), contract=Contract(key=key)) as server, pytest.raises(Exception, match="is refused in each"):
        drafted(server)
    assert len(server.requests) == 7


FILTERS: dict[str, tuple[Filter, dict[str, Any]]] = {
    "updated_since": (Filter(), {"start_param": "updated_since"}),
    "gte": (Filter("updated_at[gte]"), {"start_param": "updated_at[gte]"}),
    "exclusive": (Filter("updated_after", op=">"), {"start_param": "updated_after"}),
    "by day": (Filter("since", by_day=True), {"start_param": "since"}),
}


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_that_is_heeded_is_drafted_and_finds_what_changes(name: str, tmp_path: Path) -> None:
    one, incremental = FILTERS[name]
    book = Book.of(250)
    with serve(book, contract=Contract(filters=(one,))) as server:
        content = drafted(server)
        assert endpoint_of(content)["incremental"] == {"cursor_path": "updated_at", **incremental, "lag": 600}
        loader = Loader(tmp_path, server.url, content)
        loader.refresh()
        book.insert(
            {**book.records[0], "id": "new", "updated_at": max(record["updated_at"] for record in book.records)}
        )
        done = loader.refresh()
        assert (done.swept.rows < 120, loaded(done).new) == (True, 1)


def test_a_filter_that_is_ignored_is_left_out_and_said_so() -> None:
    with serve(Book.of(250), contract=Contract(filters=(Filter("seit"),))) as server:
        assert "incremental" not in endpoint_of(drafted(server))


@pytest.mark.parametrize("style", ["iso_z", "iso_offset", "iso_no_zone", "iso_space", "epoch_s", "epoch_ms", "day"])
def test_stamps_of_every_style_are_loaded_and_asked_for(style: str, tmp_path: Path) -> None:
    book = Book.of(120)
    with serve(book, contract=Contract(stamps=style, dates="%d-%m-%Y")) as server:
        content = drafted(server)
        assert endpoint_of(content)["incremental"]["start_param"] == "updated_since"
        loader = Loader(tmp_path, server.url, content)
        loader.refresh()
        latest = max(record["updated_at"] for record in book.records)
        book.update(book.records[0]["id"], total=4711, updated_at=latest)
        book.insert({**book.records[0], "id": "new"})
        done = loader.refresh()
        assert (done.swept.rows < 60, loaded(done).new, loaded(done).changed, done.remarks) == (True, 1, 1, [])
        assert loader.query("SELECT count(*), count(*) FILTER (total = 4711) FROM invoices") == [(121, 2)]


def test_an_order_that_does_not_hold_is_sorted_by_the_key() -> None:
    book = Book.of(250)
    with serve(book, contract=Contract(order="random")) as server:
        content = drafted(server)
        assert endpoint_of(content)["params"] == {"sort": "id"}
        assert ids_by(server.url, content, server.key) == sorted(record["id"] for record in book.records)


def test_a_page_of_one_record_that_holds_the_record_itself_is_loaded() -> None:
    book = Book.of(101)
    with serve(book, contract=Contract(collapse_single=True)) as server:
        content = drafted(server)
        assert ids_by(server.url, content, server.key) == sorted(record["id"] for record in book.records)


@pytest.mark.parametrize("count", [250, 750])
@pytest.mark.parametrize("style", ["offset", "page"])
def test_a_total_that_counts_hidden_records_too_is_switched_off(style: str, count: int) -> None:
    book, paging = Book.of(count), PAGED if style == "page" else Paging()

    def more(call: object, total: int) -> int:
        return total + 7

    with serve(book, Faults(Fault(total=more)), Contract(paging=paging)) as server:
        content = drafted(server)
        assert endpoint_of(content)["paginator"]["total_path"] is None
        assert ids_by(server.url, content, server.key) == sorted(record["id"] for record in book.records)


def test_a_filter_that_takes_days_only_is_asked_by_day(tmp_path: Path) -> None:
    book = Book.of(250)
    no_day = Fault(before=lambda call: Reply(400, b"{}") if "T" in call.query.get("updated_since", "") else None)
    with serve(book, Faults(no_day), Contract(filters=(Filter(by_day=True),))) as server:
        content = drafted(server)
        assert endpoint_of(content)["incremental"]["x-format"] == "%Y-%m-%d"
        loader = Loader(tmp_path, server.url, content)
        loader.refresh()
        book.insert({**book.records[0], "id": "new", "updated_at": max(one["updated_at"] for one in book.records)})
        done = loader.refresh()
        assert (done.swept.rows < 120, loaded(done).new) == (True, 1)


def test_the_sandbox_is_drafted_without_a_path_and_loaded_exactly(tmp_path: Path) -> None:
    book = LiveBook(500, clock=lambda: datetime(2026, 11, 20, tzinfo=UTC))
    with serve_sandbox(book) as sandbox:
        content = draft_of(sandbox.url)
        loader = Loader(tmp_path, sandbox.url, content)
        loader.refresh()
    records = book.rows()
    stored = loader.query("SELECT count(*), count(DISTINCT id), sum(total) FROM invoices")
    total = sum(Decimal(str(records.record(at)["total"])) for at in range(len(records)))
    assert stored == [(len(records), len(records), total)]
