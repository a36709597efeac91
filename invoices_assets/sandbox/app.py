"""The API that the project's own source file describes, as a Starlette application.

    GET /v1/invoices?api_key=...&offset=200&limit=100&updated_since=2026-11-16T08:30:00Z

    {"data": [{"id": "inv_0000201", ...}, ...], "total": 12034}

Invoices come by id. `updated_since` and `created_from` select from a moment on, `created_to` up to one that is left
out. Errors are `{"error": {"code": ..., "message": ...}}`: 400 for a parameter that cannot be read, 401 for a wrong
key, 404 for an unknown path, 429 with Retry-After above the rate limit.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from hmac import compare_digest

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from invoices_assets.sandbox.live import LiveBook

SANDBOX_KEY = "sandbox-key-not-a-secret"
"""The key that the sandbox accepts unless told otherwise. Public on purpose: there is nothing behind it."""

PATH = "/v1/invoices"


class TokenBucket:
    """Lets requests pass up to a rate.

    Parameters:
        per_second: tokens that come back in a second.
        burst: how many tokens the full bucket holds.
    """

    def __init__(self, per_second: float, burst: float) -> None:
        self._per_second = per_second
        self._burst = burst
        self._tokens = float(burst)
        self._seen = time.monotonic()

    def take(self) -> int:
        """Takes a token and returns 0; where there is none, the whole seconds until there is one again."""
        now = time.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._seen) * self._per_second)
        self._seen = now
        if self._tokens < 1:
            return max(1, math.ceil((1 - self._tokens) / self._per_second))
        self._tokens -= 1
        return 0


def application(
    book: LiveBook, key: str = SANDBOX_KEY, largest_page: int = 100, latency: float = 0, rate_limit: float = 0
) -> Starlette:
    """The ASGI application.

    Parameters:
        book: the invoices.
        key: the one that requests must carry as `api_key`.
        largest_page: rows; a larger `limit` is cut to this in silence, as many APIs do.
        latency: seconds to wait before each answer.
        rate_limit: requests per second; 0 means any number.
    """
    bucket = TokenBucket(rate_limit, max(1.0, rate_limit)) if rate_limit else None

    async def invoices(request: Request) -> Response:
        wait = bucket.take() if bucket else 0
        if wait:
            raise _refusal(429, "too_many_requests", f"try again in {wait} s", {"retry-after": str(wait)})
        if latency:
            await asyncio.sleep(latency)
        query = request.query_params
        if not compare_digest(query.get("api_key", "").encode(), key.encode()):
            raise _refusal(401, "unauthorized", "the API key is missing or wrong")
        return _page(book, query, largest_page)

    return Starlette(routes=[Route(PATH, invoices)], exception_handlers={HTTPException: _refused})


def _page(book: LiveBook, query: Mapping[str, str], largest: int) -> Response:
    limit = min(_integer(query, "limit", default=min(100, largest), lowest=1), largest)
    offset = _integer(query, "offset", default=0, lowest=0)
    rows = book.rows(*(_moment(query, name) for name in ("updated_since", "created_from", "created_to")))
    data = b",".join(rows.texts(range(len(rows))[offset : offset + limit]))
    return Response(b'{"data":[%b],"total":%d}' % (data, len(rows)), media_type="application/json")


def _integer(query: Mapping[str, str], name: str, default: int, lowest: int) -> int:
    text = query.get(name, "")
    if not text:
        return default
    if not text.isdecimal() or int(text) < lowest:
        raise _refusal(400, "bad_parameter", f"{name} must be a whole number, {lowest} or more")
    return int(text)


def _moment(query: Mapping[str, str], name: str) -> datetime | None:
    text = query.get(name, "")
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _refusal(400, "bad_parameter", f"{name} must be a moment such as 2026-01-31T08:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _refusal(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> HTTPException:
    # Starlette hands any detail on to the handler of such errors
    return HTTPException(status, {"code": code, "message": message}, headers)  # type: ignore[arg-type]


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    own = isinstance(error.detail, Mapping)  # else it is Starlette's
    told = error.detail if own else {"code": "not_found", "message": "there is nothing at this path"}
    return JSONResponse({"error": told}, error.status_code, error.headers)
