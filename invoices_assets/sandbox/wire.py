"""Answers that break off on the wire."""

from __future__ import annotations

import asyncio

from starlette.responses import Response
from starlette.types import Receive, Scope, Send


class Dropped(Response):
    """No answer at all: the connection is reset."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["sandbox.transport"].abort()
        await asyncio.sleep(0.01)


class Cut(Response):
    """The first part of an answer; the connection closes before the rest of it.

    Parameters:
        whole: the answer.
        part: how much of its body is sent, 0 to 1.
        chunked: send it without a Content-Length.
    """

    def __init__(self, whole: Response, part: float, chunked: bool) -> None:
        super().__init__(whole.body, whole.status_code, dict(whole.headers))
        self._sent = bytes(whole.body)[: int(len(whole.body) * part)]
        if chunked:
            del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Uvicorn closes the connection when an app returns before it has sent what Content-Length promised.
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self._sent, "more_body": True})
