"""The vendor records what it is asked, calls back, and leaves nothing behind."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from invoices_assets import sandbox
from invoices_assets_tests.support.sandbox_client import Clock, get, ids
from invoices_assets_tests.vendor import SANDBOX_KEY, Book, Faults, LiveBook, faults, serve


def test_requests_are_recorded_with_what_was_sent_and_answered() -> None:
    with serve(Book.of(1)) as server:
        get(server, headers={"X-Mine": "1"}, offset=7)
        get(server, api_key="wrong")
    first, second = server.requests
    assert (first.number, first.method, first.path, first.status) == (1, "GET", "/v1/invoices", 200)
    assert first.query == {"api_key": SANDBOX_KEY, "offset": "7"}
    assert first.headers["x-mine"] == "1"
    assert (second.status, second.key) == (401, "wrong")
    assert second.monotonic >= first.monotonic


def test_a_callback_comes_before_the_answer() -> None:
    book = Book.of(3)
    with serve(book) as server:
        server.on_request(lambda number: book.delete("inv_0000001") if number == 2 else None)
        assert [len(ids(get(server))) for _ in range(3)] == [3, 2, 2]


def test_an_error_in_a_callback_is_raised_when_the_block_ends() -> None:
    book = Book.of(1)

    def run() -> None:
        with serve(book) as server:
            server.on_request(lambda number: book.delete("nobody"))
            get(server)

    with pytest.raises(KeyError, match="nobody"):
        run()


def test_further_paths_have_books_of_their_own() -> None:
    with serve(Book.of(1), more={"/v1/customers": Book([{"id": 7}])}) as server:
        answer = requests.get(server.url + "/v1/customers", params={"api_key": server.key}, timeout=10)
        assert answer.json() == {"data": [{"id": 7}], "total": 1}


def test_nothing_is_printed_or_logged(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(0), serve(Book.of(5), Faults(faults.cut(on=2))) as server:
        get(server)
        with pytest.raises(requests.RequestException):
            get(server)
    assert "".join(capfd.readouterr()) == ""
    assert [record for record in caplog.records if record.name.startswith("uvicorn")] == []


def test_the_port_is_closed_after_the_block() -> None:
    with serve(Book.of(1)) as server:
        get(server)
    with pytest.raises(requests.ConnectionError):
        get(server)


@pytest.mark.parametrize(
    "query",
    [
        {"offset": 90, "limit": 500},
        {"offset": 1000},
        {"updated_since": "2026-11-18T00:00:00Z"},
        {"created_from": "2025-03-01", "created_to": "2025-06-01T12:00:00Z"},
        {"api_key": "wrong"},
        {"limit": 0},
    ],
)
def test_unless_told_otherwise_it_looks_as_the_sandbox_does(query: dict[str, Any]) -> None:
    book = LiveBook(300, clock=Clock())
    with serve(book) as vendor, sandbox.serve(book) as real:
        assert get(vendor, **query).json() == get(real, **query).json()
        assert get(vendor, **query).status_code == get(real, **query).status_code
