"""An API with pages of ten records, and sweeps of it by each style of paging."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

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
