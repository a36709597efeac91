"""A plain client of the sandbox and of the vendor, and a clock that obeys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import requests

from invoices_assets.sandbox.app import PATH
from invoices_assets.sandbox.live import EPOCH

START = datetime.fromtimestamp(EPOCH, UTC) + timedelta(days=3)


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


class Server(Protocol):
    @property
    def url(self) -> str: ...

    @property
    def key(self) -> str: ...


def get(server: Server, headers: dict[str, str] | None = None, **query: Any) -> requests.Response:
    """Asks for invoices, with the right key in the query unless `api_key` says otherwise."""
    query = {"api_key": server.key, **query}
    return requests.get(server.url + PATH, params=query, headers=headers, timeout=10, allow_redirects=False)


def ids(answer: requests.Response) -> list[Any]:
    """The ids on a page, in its order."""
    return [record["id"] for record in answer.json()["data"]]
