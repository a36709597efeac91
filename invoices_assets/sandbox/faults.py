"""Switches that make the sandbox misbehave.

    Faults(status(503, on=range(3, 5)), latency(0.01), rate_limit(20))

Each switch says what happens; two scopes, the same for all, say when:
    on     a request number (from 1), several of them, or a predicate on the `Call`; nothing means all
    times  at most so many requests
The switches of a request work in the order given; the first one that answers it ends the matter.
"""

from __future__ import annotations

import asyncio
import gzip
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import Response, StreamingResponse

from invoices_assets.sandbox.call import Call, Window
from invoices_assets.sandbox.text import dumps, loads
from invoices_assets.sandbox.wire import Cut, Dropped

On = int | Collection[int] | Callable[[Call], bool] | None


@dataclass
class Fault:
    """One switch: hooks into the answering of a request, all optional.

    Parameters:
        on, times: see the module.
        before: may wait, or answer the request itself.
        window: moves the piece of the book that is served.
        rows: changes the records served, as JSON texts.
        total: changes the total told.
        after: changes the finished answer.
    """

    on: On = None
    times: int | None = None
    before: Callable[[Call], Awaitable[Response | None]] | None = None
    window: Callable[[Call, Window], Window] | None = None
    rows: Callable[[Call, list[bytes]], list[bytes]] | None = None
    total: Callable[[Call, int], Any] | None = None
    after: Callable[[Call, Response], Response] | None = None
    hits: int = field(default=0, init=False)

    def applies(self, call: Call) -> bool:
        """Whether this request is meant; counts it if so."""
        if self.times is not None and self.hits >= self.times:
            return False
        if callable(self.on):
            meant = self.on(call)
        elif isinstance(self.on, int):
            meant = call.number == self.on
        else:
            meant = self.on is None or call.number in self.on
        self.hits += meant
        return meant


class Faults(list[Fault]):
    """The switches of a server; may be changed while it runs."""

    def __init__(self, *switches: Fault) -> None:
        super().__init__(switches)


def where(**parameters: Any) -> Callable[[Call], bool]:
    """A predicate for `on`: the request has these parameter values, e.g. `where(offset=200)`."""
    return lambda call: all(call.query.get(name) == str(value) for name, value in parameters.items())


def http_date(seconds: float) -> Callable[[], str]:
    """A `retry_after` told as an HTTP date so many seconds after the answer."""
    return lambda: format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


_HTML = "<!doctype html><html><body><h1>Oops, {status}</h1><p>{url}</p></body></html>"
_BODIES = {
    "json": (
        '{"error":{"code":"fault","message":"answered by a switch of the sandbox"}}',
        "application/json",
    ),
    "html": (_HTML, "text/html; charset=utf-8"),
    "text": ("upstream is not well", "text/plain; charset=utf-8"),
    "empty": ("", "text/plain"),
}


def status(
    *codes: int,
    retry_after: float | str | Callable[[], str] | None = None,
    body: str = "json",
    on: On = None,
    times: int | None = None,
) -> Fault:
    """Answers with a status. Several codes are used in turn, each once unless `times` says otherwise.

    Parameters:
        retry_after: value of the Retry-After header: seconds, text, or `http_date(seconds)`; None sends none.
        body: `json`, `html`, `text`, `empty`, or the text itself, in which `{key}`, `{url}` and `{status}`
            stand for the key the request carried, its whole address, and the status.
    """
    sent = iter(range(1 << 62))

    async def before(call: Call) -> Response:
        return _made(call, codes[next(sent) % len(codes)], body, retry_after)

    return Fault(on, len(codes) if times is None and len(codes) > 1 else times, before=before)


def answer(
    body: str | Mapping[str, Any] | Sequence[Any], code: int = 200, on: On = None, times: int | None = None
) -> Fault:
    """Answers with this body, for example `{"error": ...}` under 200; text may hold `{key}` and `{url}`."""

    async def before(call: Call) -> Response:
        return _made(call, code, body if isinstance(body, str) else dumps(body))

    return Fault(on, times, before=before)


def redirect(to: str, code: int = 302, on: On = None, times: int | None = None) -> Fault:
    """Redirects to the same path and query at another base URL."""

    async def before(call: Call) -> Response:
        parts = urlsplit(call.url)
        return Response(b"", code, {"location": f"{to}{parts.path}?{parts.query}"})

    return Fault(on, times, before=before)


def latency(seconds: float, on: On = None, times: int | None = None) -> Fault:
    """Waits before anything else."""

    async def before(call: Call) -> None:
        await asyncio.sleep(seconds)

    return Fault(on, times, before=before)


def rate_limit(per_second: float, burst: float = 1, retry_after: bool | str = True, on: On = None) -> Fault:
    """Answers 429 to what goes beyond a token bucket.

    Parameters:
        per_second: tokens that come back in a second.
        burst: how many tokens the full bucket holds.
        retry_after: True tells the whole seconds until the next token, False nothing, text itself.
    """
    tokens, seen = float(burst), time.monotonic()

    async def before(call: Call) -> Response | None:
        nonlocal tokens, seen
        now = time.monotonic()
        tokens, seen = min(burst, tokens + (now - seen) * per_second), now
        if tokens >= 1:
            tokens -= 1
            return None
        wait = max(1, math.ceil((1 - tokens) / per_second))
        return _made(call, 429, "json", (str(wait) if retry_after is True else retry_after) or None)

    return Fault(on, before=before)


def drop(on: On = None, times: int | None = None) -> Fault:
    """Cuts the connection before any answer (the client sees a reset)."""

    async def before(call: Call) -> Response:
        return Dropped(status_code=0)

    return Fault(on, times, before=before)


def cut(part: float = 0.5, chunked: bool = False, on: On = None, times: int | None = None) -> Fault:
    """Cuts the connection within the body: Content-Length (or chunking) promises more than is sent."""
    return Fault(on, times, after=lambda call, response: Cut(response, part, chunked))


def half_json(part: float = 0.5, on: On = None, times: int | None = None) -> Fault:
    """A complete answer whose JSON ends in the middle."""

    def after(call: Call, response: Response) -> Response:
        body = bytes(response.body)
        return Response(body[: int(len(body) * part)], response.status_code, media_type="application/json")

    return Fault(on, times, after=after)


def drip(pause: float, pieces: int = 10, on: On = None, times: int | None = None) -> Fault:
    """Sends the body in so many pieces, with a pause in seconds before each."""

    def after(call: Call, response: Response) -> Response:
        body = bytes(response.body)
        step = max(1, math.ceil(len(body) / pieces))

        async def stream() -> AsyncIterator[bytes]:
            for start in range(0, len(body), step):
                await asyncio.sleep(pause)
                yield body[start : start + step]

        return StreamingResponse(stream(), response.status_code, dict(response.headers))

    return Fault(on, times, after=after)


def headers(values: Mapping[str, str], on: On = None, times: int | None = None) -> Fault:
    """Adds headers to the answer."""

    def after(call: Call, response: Response) -> Response:
        response.headers.update(values)
        return response

    return Fault(on, times, after=after)


def gzipped(on: On = None, times: int | None = None) -> Fault:
    """Compresses the answer, as most real servers do; put it before `cut` to cut the compressed body."""

    def after(call: Call, response: Response) -> Response:
        sent = {**response.headers, "content-encoding": "gzip"}
        del sent["content-length"]
        return Response(gzip.compress(bytes(response.body)), response.status_code, sent)

    return Fault(on, times, after=after)


def empty_page(on: On = None, times: int | None = None) -> Fault:
    """A page without records; the total stays."""
    return Fault(on, times, rows=lambda call, rows: [])


def edit_rows(change: Callable[[list[bytes]], list[bytes]], on: On = None, times: int | None = None) -> Fault:
    """Changes the records of a page, given as JSON texts: shorter pages, repeated or damaged records."""
    return Fault(on, times, rows=lambda call, rows: change(rows))


def ignore_offset(on: On = None, times: int | None = None) -> Fault:
    """Serves the first rows whatever is asked for."""
    return Fault(on, times, window=lambda call, window: Window(0, window.limit))


def same_page(on: On = None, times: int | None = None) -> Fault:
    """Serves the page before the one that was asked for once more."""
    return Fault(on, times, window=lambda call, window: Window(max(0, window.offset - window.limit), window.limit))


def wrong_total(change: Callable[[int], Any] | int | str, on: On = None, times: int | None = None) -> Fault:
    """Tells another total: a fixed one, or a function of the true one."""
    return Fault(on, times, total=lambda call, total: change(total) if callable(change) else change)


def echo_key(field: str = "note", on: On = None, times: int | None = None) -> Fault:
    """Writes the key of the request into a field of each record served."""

    def rows(call: Call, texts: list[bytes]) -> list[bytes]:
        return [dumps({**loads(text), field: f"seen key {call.key} at {call.url}"}).encode() for text in texts]

    return Fault(on, times, rows=rows)


def _made(call: Call, code: int, body: str, retry_after: Any = None) -> Response:
    text, media = _BODIES.get(body) or (
        body,
        "application/json" if body[:1] in "{[" else "text/plain; charset=utf-8",
    )
    for name, value in (("{key}", call.key), ("{url}", call.url), ("{status}", str(code))):
        text = text.replace(name, value)
    told = retry_after() if callable(retry_after) else retry_after
    return Response(text, code, None if told is None else {"retry-after": str(told)}, media_type=media)
