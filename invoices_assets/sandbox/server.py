"""Runs the sandbox: uvicorn on a loopback port, in a thread, for as long as a `with` block lasts."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn

from invoices_assets.sandbox.app import SANDBOX_KEY, application
from invoices_assets.sandbox.live import LiveBook


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox: its base URL, `http://127.0.0.1:<port>`, and the key that it accepts."""

    url: str
    key: str


@contextmanager
def serve(
    book: LiveBook | None = None,
    key: str = SANDBOX_KEY,
    port: int = 0,
    largest_page: int = 100,
    latency: float = 0,
    rate_limit: float = 0,
) -> Iterator[Sandbox]:
    """Runs the sandbox in a thread of this process until the block ends.

    Parameters:
        book: the invoices; by default 12,000 that change with the clock.
        port: on 127.0.0.1; 0 takes a free one.
        key, largest_page, latency, rate_limit: see `application`.

    Raises:
        OSError: the port is taken or may not be used.
    """
    with running(application(book or LiveBook(), key, largest_page, latency, rate_limit), port) as url:
        yield Sandbox(url, key)


@contextmanager
def running(application: Any, port: int = 0) -> Iterator[str]:
    """Serves an ASGI application on 127.0.0.1 until the block ends; yields the base URL.

    Without uvicorn's logs, which would print addresses and so keys.

    Raises:
        OSError: the port is taken or may not be used.
    """
    config = uvicorn.Config(
        application,
        lifespan="off",
        ws="none",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
    )
    server = uvicorn.Server(config)
    with _listening(port) as listener:
        thread = threading.Thread(target=server.run, args=([listener],), name="sandbox", daemon=True)
        thread.start()  # connections queue at the listener until it serves
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = server.force_exit = True
            thread.join()


@contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        if os.name == "posix":  # elsewhere it would let two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(2048)
        yield listener
