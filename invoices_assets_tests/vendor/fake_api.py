"""A small HTTP server on loopback whose answers a test scripts, one route at a time."""

from __future__ import annotations

import json
import os
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Asked:
    """A request as the server saw it; `query` has decoded values, `headers` lower-case names."""

    method: str
    target: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes
    at: float


@dataclass(frozen=True)
class Reply:
    """An answer.

    Parameters:
        cut: keeps back so many bytes of the body that its length announces.
        chunked: sent without a Content-Length.
        hang_up: the connection is closed instead of an answer; `reset` breaks it off (RST).
        delay: seconds before anything is sent.
        pieces, pause: the body comes in so many pieces, with a pause in seconds before each.
    """

    status: int = 200
    body: bytes | dict[str, Any] = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int = 0
    chunked: bool = False
    hang_up: bool | Literal["reset"] = False
    delay: float = 0
    pieces: int = 1
    pause: float = 0


Answer = Callable[[Asked], Reply]


class FakeApi:
    """Serves on a free port between `with` and its end, by TLS if asked to; `asked` has every request.

    A route is a function from the request to its reply, or a list of replies that are given in turn, the
    last one again and again. What such a function raises is raised again when the block ends.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.asked: list[Asked] = []
        self._routes: dict[str, Answer] = {}
        self._lock = threading.Lock()
        self._error: Exception | None = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)

    def route(self, path: str, *replies: Reply) -> Callable[[Answer], Answer]:
        """Decorates the function that answers a path, or takes the replies themselves."""
        if replies:
            waiting = list(replies)
            self._routes[path] = lambda asked: waiting.pop(0) if len(waiting) > 1 else waiting[0]

        def decorate(answer: Answer) -> Answer:
            self._routes[path] = answer
            return answer

        return decorate

    def reply_to(self, asked: Asked) -> Reply:
        with self._lock:
            self.asked.append(asked)
            answer = self._routes.get(asked.path)
            try:
                return answer(asked) if answer else Reply(404, b"no such path")
            except Exception as error:
                self._error = self._error or error
                return Reply(500, b"the fake failed")

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        if self._error is not None:
            raise self._error


def _handler(api: FakeApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def answer(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            asked = Asked(
                method=self.command,
                target=self.path,
                path=parts.path,
                query=parse_qs(parts.query, keep_blank_values=True),
                headers={name.lower(): value for name, value in self.headers.items()},
                body=self.rfile.read(length),
                at=time.monotonic(),
            )
            self.send(api.reply_to(asked))

        do_GET = do_POST = answer

        def send(self, reply: Reply) -> None:
            time.sleep(reply.delay)
            if reply.hang_up:
                if reply.hang_up == "reset":
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    os.close(self.connection.detach())
                self.close_connection = True
                return
            body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            sent = body[: len(body) - reply.cut]
            if reply.chunked:
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                self.wfile.write(b"%x\r\n%b\r\n%b" % (len(sent), sent, b"" if reply.cut else b"0\r\n\r\n"))
            else:
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                step = max(1, -(-len(sent) // reply.pieces))
                for start in range(0, len(sent), step):
                    if reply.pause:
                        self.wfile.flush()
                        time.sleep(reply.pause)
                    self.wfile.write(sent[start : start + step])
            self.wfile.flush()
            self.close_connection = self.close_connection or bool(reply.cut)

        def handle(self) -> None:
            with suppress(OSError):
                super().handle()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler
