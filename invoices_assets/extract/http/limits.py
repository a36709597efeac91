"""How long and how large one answer may become, whatever the server does: drips, never ends, or never begins."""

from __future__ import annotations

import http.client
import io
import socket
import time
from dataclasses import dataclass
from typing import Any

from urllib3.connection import HTTPConnection


@dataclass(frozen=True)
class AnswerLimits:
    """What one answer may take.

    Parameters:
        connect: seconds for a connection.
        read: seconds without a single byte.
        seconds: for the whole answer, from the end of the request on.
        megabytes: for the whole answer as it comes over the wire, headers and interim answers included, and
            for its body unpacked.
    """

    connect: float = 10.0
    read: float = 60.0
    seconds: float = 120.0
    megabytes: float = 512.0

    @property
    def bytes(self) -> float:
        """The most bytes of a body; infinite for no limit."""
        return self.megabytes * 1_000_000


DEFAULT_LIMITS = AnswerLimits()


class AnswerTooSlow(Exception):
    """The answer was not complete within its seconds."""


class AnswerTooLarge(Exception):
    """The answer, or what it unpacks to, is larger than allowed."""


def watched(connection: type[HTTPConnection], limits: AnswerLimits) -> type[HTTPConnection]:
    """The class of connections whose answers keep to the limits.

    http.client and urllib3 limit single reads: one byte a minute, or `100 Continue` again and again, can hold a
    thread for ever. So the limits stand below both of them, where the bytes come from the socket.
    """

    def answer(self: HTTPConnection, sock: socket.socket, *args: Any, **more: Any) -> http.client.HTTPResponse:
        response = http.client.HTTPResponse(sock, *args, **more)
        response.fp = io.BufferedReader(_Watched(response.fp.detach(), sock, limits))
        return response

    return type(f"Watched{connection.__name__}", (connection,), {"response_class": answer})


class _Watched(io.RawIOBase):
    """The bytes of one answer as they come from a socket."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, limits: AnswerLimits) -> None:
        self._raw, self._sock, self._limits = raw, sock, limits
        self._deadline = time.monotonic() + limits.seconds
        self._received = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise AnswerTooSlow
        if left < self._limits.read:
            self._sock.settimeout(left)
        try:
            count = self._raw.readinto(buffer)
        except TimeoutError:
            if time.monotonic() >= self._deadline:
                raise AnswerTooSlow from None
            raise
        self._received += count or 0
        if self._received > self._limits.bytes:
            raise AnswerTooLarge
        return count

    def close(self) -> None:
        super().close()
        self._raw.close()
