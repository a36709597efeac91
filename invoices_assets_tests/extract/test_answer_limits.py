"""Every answer comes to an end: in time and in size, whatever a server does."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
import requests

from invoices_assets.errors import ApiUnreachable, RequestFailed
from invoices_assets.extract.http.limits import AnswerLimits
from invoices_assets.resources import InvoicesApi
from invoices_assets_tests.support.http_helpers import client, get
from invoices_assets_tests.vendor.fake_api import FakeApi, Reply

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
MEGABYTE = b" " * 1_000_000
Script = Callable[[Callable[[bytes], None]], None]


@contextmanager
def server(script: Script) -> Iterator[tuple[str, list[bytes]]]:
    """A server that answers by a script until it is hung up on; yields its URL, and what it was asked."""
    asked: list[bytes] = []

    def answer(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            asked.append(connection.recv(65536))
            script(connection.sendall)

    def accept(listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=answer, args=(listening.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=accept, args=(listening,), daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1/invoices", asked
        listening.shutdown(socket.SHUT_RDWR)


def dripping(before: bytes) -> Script:
    def drip(send: Callable[[bytes], None]) -> None:
        send(before)
        while True:
            time.sleep(0.01)
            send(b"1")

    return drip


def endless(before: bytes, again: bytes) -> Script:
    def flood(send: Callable[[bytes], None]) -> None:
        send(before)
        while True:
            send(again)

    return flood


SLOW = {
    "status line": dripping(b""),
    "header": dripping(HEAD + b"X-Long: "),
    "body": dripping(HEAD + b"Content-Length: 1000000\r\n\r\n"),
    "body without length": dripping(HEAD + b"\r\n"),
    "length of a chunk": dripping(HEAD + b"Transfer-Encoding: chunked\r\n\r\n"),
    "chunk": dripping(HEAD + b"Transfer-Encoding: chunked\r\n\r\n99999999\r\n"),
    "packed body": dripping(HEAD + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"{}")[:10]),
}
CHUNK = b"f4240\r\n" + MEGABYTE + b"\r\n"
LARGE = {
    "body without length": endless(HEAD + b"\r\n", MEGABYTE),
    "chunks": endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", CHUNK),
    "interim answers": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
    "length of a chunk": endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffffffff\r\n", MEGABYTE),
    "length announced": endless(HEAD + b"Content-Length: 99999999999\r\n\r\n", MEGABYTE),
}


@pytest.mark.parametrize("script", SLOW.values(), ids=SLOW)
def test_an_answer_that_drips_is_asked_again_and_then_given_up(script: Script) -> None:
    with server(script) as (url, asked):
        http = client(limits=AnswerLimits(read=5, seconds=0.2))

        with pytest.raises(ApiUnreachable) as caught:
            http.send(requests.Request("GET", url))

        said = "no complete answer within 0.2 s, the limit (`answer_seconds`)"
        assert str(caught.value) == f"GET {url} failed after 4 attempts: {said}"
        assert len(asked) == 4


@pytest.mark.parametrize("script", LARGE.values(), ids=LARGE)
def test_an_answer_without_end_is_refused_at_once(script: Script) -> None:
    with server(script) as (url, asked):
        with pytest.raises(RequestFailed) as caught:
            client(limits=AnswerLimits(megabytes=3)).send(requests.Request("GET", url))

        assert str(caught.value) == f"the answer of {url} is larger than 3 MB, the limit (`answer_megabytes`)"
        assert len(asked) == 1


@pytest.mark.parametrize("chunked", [False, True])
def test_what_an_answer_unpacks_to_is_limited_too(api: FakeApi, chunked: bool) -> None:
    bomb = gzip.compress(MEGABYTE * 4)
    api.route("/v1/invoices", Reply(body=bomb, headers={"Content-Encoding": "gzip"}, chunked=chunked))

    with pytest.raises(RequestFailed, match="is larger than 3 MB, the limit"):
        client(limits=AnswerLimits(megabytes=3)).send(get(api))

    assert len(bomb) < 10_000
    assert len(api.asked) == 1


def test_an_answer_may_be_as_large_as_the_limit(api: FakeApi) -> None:
    body = MEGABYTE * 2
    api.route("/plain", Reply(body=body))
    api.route("/packed", Reply(body=gzip.compress(body), headers={"Content-Encoding": "gzip"}))
    http = client(limits=AnswerLimits(megabytes=2.1))

    assert [http.send(get(api, path)).content for path in ("/plain", "/packed", "/plain")] == [body] * 3


def test_the_limits_are_settings_of_the_api(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVOICES_API_KEY", "k3y-of-the-test")
    api = InvoicesApi(base_url="http://vendor.example", answer_seconds=5, answer_megabytes=7)

    with api.connect("invoicing") as connection:
        assert connection.limits == AnswerLimits(seconds=5, megabytes=7)
