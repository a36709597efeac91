"""Runs the sandbox: uvicorn on a loopback port, in a thread, for as long as a `with` block lasts."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import uvicorn

from invoices_assets.sandbox import SANDBOX_KEY
from invoices_assets.sandbox.app import Api
from invoices_assets.sandbox.call import Call
from invoices_assets.sandbox.contract import Contract
from invoices_assets.sandbox.faults import Faults
from invoices_assets.sandbox.live import LiveBook
from invoices_assets.sandbox.store import AnyBook

START_LIMIT = 30.0


class Sandbox:
    """A running sandbox.

    Attributes:
        url: the base URL, `http://127.0.0.1:<port>`.
        requests: every request so far, as `Call`.
        book, contract, faults, key: what it was started with.
    """

    def __init__(
        self,
        book: AnyBook,
        contract: Contract,
        faults: Faults,
        key: str,
        more: Mapping[str, AnyBook],
        record: bool,
    ) -> None:
        self.book = book
        self.contract = contract
        self.faults = faults
        self.key = key
        self.url = ""
        self.requests: list[Call] = []
        self._record = record
        self._callbacks: list[Callable[[int], Any]] = []
        self.error: Exception | None = None
        self.api = Api({contract.path: book, **more}, contract, faults, key, self._arrived)

    def on_request(self, callback: Callable[[int], Any]) -> Callable[[int], Any]:
        """Calls back with the number of each request before it is answered, from the server's thread.

        An exception in the callback is raised again when the `with serve()` block ends.
        """
        self._callbacks.append(callback)
        return callback

    def _arrived(self, call: Call) -> None:
        if self._record:
            self.requests.append(call)
        for callback in self._callbacks:
            try:
                callback(call.number)
            except Exception as error:
                self.failed(error)

    def failed(self, error: Exception) -> None:
        """Keeps the first error of the server's thread, to raise it when the block ends."""
        self.error = self.error or error


@contextmanager
def serve(
    book: AnyBook | None = None,
    faults: Faults | None = None,
    contract: Contract | None = None,
    key: str = SANDBOX_KEY,
    port: int = 0,
    more: Mapping[str, AnyBook] | None = None,
    record: bool = True,
) -> Iterator[Sandbox]:
    """Runs the sandbox in a thread of this process until the block ends.

    Parameters:
        book: the invoices; by default 12,000 that change with the clock (`LiveBook`).
        faults: how it misbehaves; by default not at all.
        contract: how the API looks; by default as the project's own source file describes it.
        key: the key it accepts.
        port: on 127.0.0.1; 0 takes a free one.
        more: further paths with books of their own, under the same contract.
        record: whether `requests` is kept; turn it off where a server runs for long.

    Raises:
        OSError: the port is taken.
    """
    book = LiveBook() if book is None else book
    faults = Faults() if faults is None else faults
    sandbox = Sandbox(book, contract or Contract(), faults, key, more or {}, record)
    with listening(port) as listener:
        sandbox.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = _Server(sandbox.api, sandbox.failed)
        thread = threading.Thread(target=server.run, args=([listener],), name="sandbox", daemon=True)
        thread.start()
        try:
            if not server.ready.wait(START_LIMIT) or not server.started:
                raise RuntimeError("the sandbox did not start")
            yield sandbox
        finally:
            server.stop()
            thread.join()
    if sandbox.error is not None:
        raise sandbox.error


@contextmanager
def listening(port: int) -> Iterator[socket.socket]:
    """A socket on 127.0.0.1 that queues connections from now on.

    Raises:
        OSError: the port is taken.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        if os.name == "posix":  # elsewhere it would let two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(2048)
        yield listener


class _Server(uvicorn.Server):
    """Uvicorn without its logs, which would print addresses and so keys; it stops at once when told to."""

    def __init__(self, api: Api, failed: Callable[[Exception], None]) -> None:
        app = api.application()

        async def with_transport(scope: Any, receive: Any, send: Any) -> None:
            # ASGI has no way to cut a connection; `faults.drop` needs uvicorn's own transport for it.
            scope["sandbox.transport"] = getattr(getattr(send, "__self__", None), "transport", None)
            try:
                await app(scope, receive, send)
            except Exception as error:
                failed(error)
                raise

        super().__init__(
            uvicorn.Config(
                with_transport,
                lifespan="off",
                ws="none",
                log_config=None,
                log_level="critical",
                access_log=False,
                server_header=False,
            )
        )
        self.ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped: asyncio.Event | None = None

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            super().run(sockets)
        finally:
            self.ready.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        self.ready.set()

    async def main_loop(self) -> None:
        counter = 0
        assert self._stopped is not None
        while not await self.on_tick(counter):
            counter = (counter + 1) % 864_000
            try:
                await asyncio.wait_for(self._stopped.wait(), 0.1)
            except TimeoutError:
                continue
            self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Uvicorn's own way waits a tenth of a second at the least, which hundreds of tests would feel.
        for listener in self.servers:
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        for task in list(self.server_state.tasks):
            task.cancel()
        await asyncio.sleep(0)

    def stop(self) -> None:
        """Ends the server from another thread."""
        self.should_exit = True
        if self._loop is not None and self._stopped is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stopped.set)
