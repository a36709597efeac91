"""A draft loads exactly all records of APIs that look like well-known ones, however strict they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from invoices_assets.describe.check import check_source
from invoices_assets.describe.finding import Verdict
from invoices_assets.extract.api import Api
from invoices_assets.redaction.redactor import Redactor
from invoices_assets.source.file import Source
from invoices_assets_tests.support.drafting import draft_text, endpoint_of, ids_by
from invoices_assets_tests.vendor.fake_api import Asked, FakeApi, Reply

KEY = "a-key-that-is-long-enough"
JSON = {"content-type": "application/json"}
COUNT = 245


def invoices(count: int = COUNT, **fields: Any) -> list[dict[str, Any]]:
    return [{"id": f"i{n:04}", "total": n + 0.5, **fields} for n in range(count)]


@dataclass(frozen=True)
class Shown:
    """The rows of a page.

    Parameters:
        rows: the records; `at` is the position of the first, `total` the number of all, `size` what was asked for.
        url: that was asked.
    """

    rows: list[dict[str, Any]]
    at: int
    size: int
    total: int
    url: str

    @property
    def end(self) -> int | None:
        """Where the next page begins; None where there is none."""
        return self.at + self.size if self.at + self.size < self.total else None


@dataclass(frozen=True)
class Looks:
    """How a vendor looks.

    Parameters:
        size: the parameter for the size of a page; None where there is none.
        at: the position of the first record, by the parameters of a request.
        body: the body, or body and headers.
        takes: all parameters that it knows besides `size`.
        own, largest: sizes of a page.
    """

    size: str | None
    at: Callable[[Mapping[str, str], int, list[dict[str, Any]]], int]
    body: Callable[[Shown], Any]
    takes: tuple[str, ...] = ()
    own: int = 20
    largest: int = 100


def offset(name: str) -> Callable[..., int]:
    return lambda query, size, records: int(query.get(name, 0))


def page(name: str, base: int = 1) -> Callable[..., int]:
    return lambda query, size, records: (int(query.get(name, base)) - base) * size


def after(name: str) -> Callable[..., int]:
    """The position behind the record that a parameter names."""

    def at(query: Mapping[str, str], size: int, records: list[dict[str, Any]]) -> int:
        named = [record["id"] for record in records]
        return named.index(query[name]) + 1 if name in query else 0

    return at


def token(name: str) -> Callable[..., int]:
    return lambda query, size, records: int(query.get(name, "t0")[1:] or 0)


def answer(looks: Looks, unknown: str, records: list[dict[str, Any]], asked: Asked) -> Reply:
    query = {name: values[-1] for name, values in asked.query.items()}
    if asked.headers.get("authorization") != f"Bearer {KEY}":
        return Reply(401, b'{"message": "unauthorized"}', JSON)
    known = {looks.size, *looks.takes}
    if unknown != "ignored" and set(query) - known:
        return {
            "refused": Reply(400, b'{"error": "no such parameter"}', JSON),
            "matching nothing": Reply(200, json.dumps(_of(looks, Shown([], 0, 1, 0, asked.target))[0]).encode(), JSON),
        }[unknown]
    size = min(int(query.get(looks.size or "", looks.own)), looks.largest)
    at = looks.at(query, size, records)
    shown = Shown(records[at : at + size], at, size, len(records), f"http://{asked.headers['host']}{asked.path}")
    body, headers = _of(looks, shown)
    return Reply(200, json.dumps(body).encode(), {**JSON, **headers})


def _of(looks: Looks, shown: Shown) -> tuple[Any, dict[str, str]]:
    made = looks.body(shown)
    return made if isinstance(made, tuple) else (made, {})


def _number(shown: Shown) -> int:
    return shown.at // shown.size


VENDORS: dict[str, tuple[Looks, dict[str, Any]]] = {
    "stripe": (
        Looks(
            "limit",
            after("starting_after"),
            lambda s: {"data": s.rows, "has_more": s.end is not None},
            ("starting_after",),
        ),
        {"type": "cursor", "cursor_path": "data[-1].id", "cursor_param": "starting_after", "has_more_path": "has_more"},
    ),
    "pocketbase": (
        Looks(
            "perPage",
            page("page"),
            lambda s: {"page": _number(s) + 1, "perPage": s.size, "totalItems": s.total, "items": s.rows},
            ("page",),
        ),
        {"type": "page_number", "base_page": 1, "page_param": "page", "total_path": "totalItems"},
    ),
    "strapi": (
        Looks(
            "pagination[pageSize]",
            page("pagination[page]"),
            lambda s: {
                "data": s.rows,
                "meta": {"pagination": {"page": _number(s) + 1, "pageSize": s.size, "total": s.total}},
            },
            ("pagination[page]",),
        ),
        {
            "type": "page_number",
            "base_page": 1,
            "page_param": "pagination[page]",
            "total_path": "meta.pagination.total",
        },
    ),
    "redmine": (
        Looks(
            "limit",
            offset("offset"),
            lambda s: {"invoices": s.rows, "total_count": s.total, "offset": s.at, "limit": s.size},
            ("offset",),
        ),
        {"type": "offset", "limit": 100, "total_path": "total_count"},
    ),
    "zoho": (
        Looks(
            "per_page",
            page("page"),
            lambda s: {
                "code": 0,
                "invoices": s.rows,
                "page_context": {"page": _number(s) + 1, "per_page": s.size, "has_more_page": s.end is not None},
            },
            ("page",),
        ),
        {"type": "page_number", "base_page": 1, "page_param": "page"},
    ),
    "spring": (
        Looks(
            "size",
            page("page", 0),
            lambda s: {
                "_embedded": {"invoices": s.rows},
                "_links": {"self": {"href": s.url}}
                | ({"next": {"href": f"{s.url}?page={_number(s) + 1}&size={s.size}"}} if s.end else {}),
                "page": {
                    "size": s.size,
                    "totalElements": s.total,
                    "totalPages": -(-s.total // s.size),
                    "number": _number(s),
                },
            },
            ("page",),
        ),
        {"type": "page_number", "base_page": 0, "page_param": "page", "total_path": "page.totalElements"},
    ),
    "dolibarr": (
        Looks("limit", page("page", 0), lambda s: s.rows, ("page",)),
        {"type": "page_number", "base_page": 0, "page_param": "page"},
    ),
    "airtable": (
        Looks(
            "pageSize",
            token("offset"),
            lambda s: {"records": s.rows} | ({"offset": f"t{s.end}"} if s.end else {}),
            ("offset",),
        ),
        {"type": "cursor", "cursor_path": "offset", "cursor_param": "offset"},
    ),
    "notion": (
        Looks(
            "page_size",
            token("start_cursor"),
            lambda s: {"results": s.rows, "has_more": s.end is not None, "next_cursor": f"t{s.end}" if s.end else None},
            ("start_cursor",),
        ),
        {"type": "cursor", "cursor_path": "next_cursor", "cursor_param": "start_cursor", "has_more_path": "has_more"},
    ),
    "google": (
        Looks(
            "pageSize",
            token("pageToken"),
            lambda s: {"items": s.rows} | ({"nextPageToken": f"t{s.end}"} if s.end else {}),
            ("pageToken",),
        ),
        {"type": "cursor", "cursor_path": "nextPageToken", "cursor_param": "pageToken"},
    ),
    "square": (
        Looks(
            "limit",
            token("cursor"),
            lambda s: {"invoices": s.rows} | ({"cursor": f"t{s.end}"} if s.end else {}),
            ("cursor",),
        ),
        {"type": "cursor", "cursor_path": "cursor", "cursor_param": "cursor"},
    ),
    "odata": (
        Looks(
            "$top",
            token("$skiptoken"),
            lambda s: (
                {"value": s.rows} | ({"@odata.nextLink": f"{s.url}?$skiptoken=t{s.end}&$top={s.size}"} if s.end else {})
            ),
            ("$skiptoken",),
        ),
        {"type": "json_link", "next_url_path": "@odata.nextLink"},
    ),
    "kinto": (
        Looks(
            "_limit",
            token("_token"),
            lambda s: ({"data": s.rows}, {"Next-Page": f"{s.url}?_token=t{s.end}&_limit={s.size}"} if s.end else {}),
            ("_token",),
        ),
        {"type": "header_cursor", "cursor_key": "Next-Page", "x-link": True},
    ),
    "cursor in a header": (
        Looks(
            "limit", token("cursor"), lambda s: (s.rows, {"X-Next-Cursor": f"t{s.end}"} if s.end else {}), ("cursor",)
        ),
        {"type": "header_cursor", "cursor_key": "X-Next-Cursor", "cursor_param": "cursor"},
    ),
    "github": (
        Looks(
            "per_page",
            page("page"),
            lambda s: (
                s.rows,
                {"Link": f'<{s.url}?page={_number(s) + 2}&per_page={s.size}>; rel="next"'} if s.end else {},
            ),
            ("page",),
        ),
        {"type": "page_number", "base_page": 1, "page_param": "page"},
    ),
    "next page as a number": (
        Looks(
            "per_page",
            page("page"),
            lambda s: {"bills": s.rows, "meta": {"next_page": _number(s) + 2 if s.end else None, "total": s.total}},
            ("page",),
        ),
        {"type": "page_number", "base_page": 1, "page_param": "page", "total_path": "meta.total"},
    ),
    "scim": (
        Looks(
            "count",
            lambda query, size, records: int(query.get("startIndex", 1)) - 1,
            lambda s: {"totalResults": s.total, "startIndex": s.at + 1, "itemsPerPage": s.size, "Resources": s.rows},
            ("startIndex",),
        ),
        {
            "type": "offset",
            "limit": 100,
            "offset": 1,
            "offset_param": "startIndex",
            "limit_param": "count",
            "total_path": "totalResults",
        },
    ),
    "everything at once": (
        Looks(None, lambda *_: 0, lambda s: s.rows, own=COUNT, largest=COUNT),
        {"type": "single_page"},
    ),
}
UNKNOWN = ("ignored", "refused", "matching nothing")


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi() as api:
        yield api


def held(api: FakeApi, content: dict[str, Any]) -> list[str]:
    """What a check finds wrong."""
    source = Source(Path("draft.yaml"), content)
    return [
        one.sentence for one in check_source(source, Api(api.url, KEY, Redactor([KEY]))) if one.verdict is Verdict.WRONG
    ]


@pytest.mark.parametrize("unknown", UNKNOWN)
@pytest.mark.parametrize("vendor", VENDORS)
def test_a_draft_loads_exactly_all_records_of(vendor: str, unknown: str, api: FakeApi) -> None:
    looks, paginator = VENDORS[vendor]
    records = invoices()
    api.route("/v1/invoices")(lambda asked: answer(looks, unknown, records, asked))
    content = yaml.safe_load(draft_text(api.url, None, KEY))
    assert endpoint_of(content)["paginator"] == paginator
    assert held(api, content) == []
    assert ids_by(api.url, content, KEY) == [record["id"] for record in records]
    assert len(api.asked) < 150
