"""One request as the vendor saw it, and the piece of the book it asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple


@dataclass
class Call:
    """A recorded request.

    Attributes:
        number: counts all requests of this server, from 1.
        query: parameters of the query and, for POST, of the JSON body; all as text.
        headers: names in lower case.
        time: when it came, UTC; `monotonic` the same in seconds of an arbitrary clock, to measure waits.
        status: what was answered; None while it is not, 0 if the connection was dropped instead.
        key: the key it carried at the place the contract names, or "".
        delay: seconds that its answer will wait.
    """

    number: int
    method: str
    path: str
    url: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    time: datetime
    monotonic: float
    status: int | None = None
    key: str = field(default="", repr=False)
    delay: float = 0


class Window(NamedTuple):
    """Rows `offset` to `offset + limit` of what was selected."""

    offset: int
    limit: int


class Refusal(Exception):
    """The request is answered with an error instead of rows."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"code": code, "message": message}}
