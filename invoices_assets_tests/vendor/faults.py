"""Switches that make the vendor misbehave.

    Faults(status(503, on=range(3, 5)), latency(0.01), rate_limit(20))

Each switch says what happens; two scopes, the same for all, say when:
    on     a request number (from 1), several of them, or a predicate on the `Call`; nothing means all
    times  at most so many requests
The switches of a request work in the order given; the first one that answers it ends the matter.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlsplit

from invoices_assets.sandbox.app import TokenBucket
from invoices_assets_tests.vendor.call import Call, Window
from invoices_assets_tests.vendor.fake_api import Reply
from invoices_assets_tests.vendor.text import dumps, loads

On = int | Collection[int] | Callable[[Call], bool] | None


@dataclass
class Fault:
    """One switch: hooks into the answering of a request, all optional.

    Parameters:
        on, times: see the module.
        before: may delay the answer, or give it itself.
        window: moves the piece of the book that is served.
        rows: changes the records served, as JSON texts.
        total: changes the total told.
        after: changes the finished answer.
    """

    on: On = None
    times: int | None = None
    before: Callable[[Call], Reply | None] | None = None
    window: Callable[[Call, Window], Window] | None = None
    rows: Callable[[Call, list[bytes]], list[bytes]] | None = None
    total: Callable[[Call, int], Any] | None = None
    after: Callable[[Call, Reply], Reply] | None = None
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
        '{"error":{"code":"fault","message":"answered by a switch of the vendor"}}',
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

    def before(call: Call) -> Reply:
        return _made(call, codes[next(sent) % len(codes)], body, retry_after)

    return Fault(on, len(codes) if times is None and len(codes) > 1 else times, before=before)


def answer(
    body: str | Mapping[str, Any] | Sequence[Any], code: int = 200, on: On = None, times: int | None = None
) -> Fault:
    """Answers with this body, for example `{"error": ...}` under 200; text may hold `{key}` and `{url}`."""

    def before(call: Call) -> Reply:
        return _made(call, code, body if isinstance(body, str) else dumps(body))

    return Fault(on, times, before=before)


def redirect(to: str, code: int = 302, on: On = None, times: int | None = None) -> Fault:
    """Redirects to the same path and query at another base URL."""

    def before(call: Call) -> Reply:
        parts = urlsplit(call.url)
        return Reply(code, b"", {"location": f"{to}{parts.path}?{parts.query}"})

    return Fault(on, times, before=before)


def latency(seconds: float, on: On = None, times: int | None = None) -> Fault:
    """Waits before anything else."""

    def before(call: Call) -> None:
        call.delay += seconds

    return Fault(on, times, before=before)


def rate_limit(per_second: float, burst: float = 1, retry_after: bool | str = True, on: On = None) -> Fault:
    """Answers 429 to what goes beyond a token bucket.

    Parameters:
        per_second: tokens that come back in a second.
        burst: how many tokens the full bucket holds.
        retry_after: True tells the whole seconds until the next token, False nothing, text itself.
    """
    bucket = TokenBucket(per_second, burst)

    def before(call: Call) -> Reply | None:
        wait = bucket.take()
        if not wait:
            return None
        return _made(call, 429, "json", (str(wait) if retry_after is True else retry_after) or None)

    return Fault(on, before=before)


def drop(on: On = None, times: int | None = None) -> Fault:
    """Cuts the connection before any answer (the client sees a reset)."""

    def before(call: Call) -> Reply:
        return Reply(0, b"", hang_up="reset")

    return Fault(on, times, before=before)


def cut(part: float = 0.5, chunked: bool = False, on: On = None, times: int | None = None) -> Fault:
    """Cuts the connection within the body: Content-Length (or chunking) promises more than is sent."""

    def after(call: Call, reply: Reply) -> Reply:
        kept = len(reply.body) - int(len(reply.body) * part)
        return replace(reply, cut=kept, chunked=chunked)

    return Fault(on, times, after=after)


def half_json(part: float = 0.5, on: On = None, times: int | None = None) -> Fault:
    """A complete answer whose JSON ends in the middle."""

    def after(call: Call, reply: Reply) -> Reply:
        return replace(reply, body=_body(reply)[: int(len(reply.body) * part)])

    return Fault(on, times, after=after)


def drip(pause: float, pieces: int = 10, on: On = None, times: int | None = None) -> Fault:
    """Sends the body in so many pieces, with a pause in seconds before each."""

    return Fault(on, times, after=lambda call, reply: replace(reply, pieces=pieces, pause=pause))


def headers(values: Mapping[str, str], on: On = None, times: int | None = None) -> Fault:
    """Adds headers to the answer."""

    return Fault(on, times, after=lambda call, reply: replace(reply, headers={**reply.headers, **values}))


def gzipped(on: On = None, times: int | None = None) -> Fault:
    """Compresses the answer, as most real servers do; put it before `cut` to cut the compressed body."""

    def after(call: Call, reply: Reply) -> Reply:
        return replace(reply, body=gzip.compress(_body(reply)), headers={**reply.headers, "content-encoding": "gzip"})

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


def _made(call: Call, code: int, body: str, retry_after: Any = None) -> Reply:
    text, media = _BODIES.get(body) or (
        body,
        "application/json" if body[:1] in "{[" else "text/plain; charset=utf-8",
    )
    for name, value in (("{key}", call.key), ("{url}", call.url), ("{status}", str(code))):
        text = text.replace(name, value)
    told = retry_after() if callable(retry_after) else retry_after
    waits = {} if told is None else {"retry-after": str(told)}
    return Reply(code, text.encode(), {"content-type": media, **waits})


def _body(reply: Reply) -> bytes:
    assert isinstance(reply.body, bytes)
    return reply.body
