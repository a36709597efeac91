"""The sandbox misbehaves exactly as its switches say."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import requests

from invoices_assets_tests.support.sandbox_client import get, ids
from invoices_assets_tests.vendor import (
    SANDBOX_KEY,
    Book,
    Faults,
    Vendor,
    faults,
    serve,
)

# Faults


def statuses(server: Vendor, count: int, **query: Any) -> list[int]:
    return [get(server, **query).status_code for _ in range(count)]


def test_statuses_by_request_number_by_times_in_turn_and_always() -> None:
    for fault, expected in (
        (faults.status(503, on=range(2, 4)), [200, 503, 503, 200]),
        (faults.status(503, times=2), [503, 503, 200, 200]),
        (faults.status(503, 429, 500), [503, 429, 500, 200]),
        (faults.status(502), [502, 502, 502, 502]),
        (faults.status(500, on=3), [200, 200, 500, 200]),
    ):
        with serve(Book.of(1), Faults(fault)) as server:
            assert statuses(server, 4) == expected
            assert [call.status for call in server.requests] == expected


def test_a_fault_may_follow_the_parameters() -> None:
    with serve(Book.of(9), Faults(faults.status(503, on=faults.where(offset=3), times=1))) as server:
        assert [get(server, offset=offset).status_code for offset in (0, 3, 3, 6)] == [200, 503, 200, 200]


@pytest.mark.parametrize(("given", "sent"), [(5, "5"), (0, "0"), ("soon", "soon"), (None, None)])
def test_retry_after(given: Any, sent: str | None) -> None:
    with serve(Book.of(1), Faults(faults.status(429, retry_after=given))) as server:
        assert get(server).headers.get("retry-after") == sent


def test_retry_after_as_a_date() -> None:
    with serve(Book.of(1), Faults(faults.status(429, retry_after=faults.http_date(3600)))) as server:
        wait = parsedate_to_datetime(get(server).headers["retry-after"]) - datetime.now(UTC)
        assert timedelta(minutes=55) < wait < timedelta(minutes=65)


def test_error_bodies_of_all_kinds() -> None:
    for body, kind in (
        ("html", "text/html"),
        ("text", "text/plain"),
        ("json", "application/json"),
        ("empty", ""),
    ):
        with serve(Book.of(1), Faults(faults.status(500, body=body))) as server:
            answer = get(server)
            assert answer.headers["content-type"].startswith(kind)
            assert bool(answer.text) == (body != "empty")


def test_error_bodies_that_echo_the_key() -> None:
    with serve(Book.of(1), Faults(faults.status(500, body="key {key} at {url}"))) as server:
        assert get(server).text == f"key {SANDBOX_KEY} at {server.url}/v1/invoices?api_key={SANDBOX_KEY}"


def test_an_error_under_200() -> None:
    with serve(Book.of(1), Faults(faults.answer({"error": "try later"}, times=1))) as server:
        assert get(server).json() == {"error": "try later"}
        assert get(server).json()["total"] == 1


def test_a_key_echoed_in_records() -> None:
    with serve(Book.of(2), Faults(faults.echo_key("memo"))) as server:
        assert all(SANDBOX_KEY in record["memo"] for record in get(server).json()["data"])


def test_pages_that_lie() -> None:
    def page(fault: faults.Fault) -> list[str]:
        with serve(Book.of(9), Faults(fault)) as server:
            answer = get(server, offset=6, limit=3)
            assert answer.json()["total"] == 9
            return ids(answer)

    assert page(faults.empty_page(on=1)) == []
    assert page(faults.ignore_offset()) == ["inv_0000001", "inv_0000002", "inv_0000003"]
    assert page(faults.same_page()) == ["inv_0000004", "inv_0000005", "inv_0000006"]
    assert page(faults.edit_rows(lambda rows: rows[:1])) == ["inv_0000007"]


def test_totals_that_lie() -> None:
    for change, told in ((100, 100), (lambda total: total + 1, 10), ("many", "many"), (lambda _: None, None)):
        with serve(Book.of(9), Faults(faults.wrong_total(change))) as server:
            assert get(server).json()["total"] == told


@pytest.mark.parametrize("fault", [faults.cut(), faults.cut(chunked=True), faults.drop()])
def test_connections_that_break(fault: faults.Fault) -> None:
    fault.times = 1
    with serve(Book.of(50), Faults(fault)) as server:
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            get(server)
        assert len(ids(get(server))) == 50


def test_json_that_ends_in_the_middle() -> None:
    with serve(Book.of(5), Faults(faults.half_json())) as server:
        answer = get(server)
        assert answer.status_code == 200
        with pytest.raises(requests.exceptions.JSONDecodeError):
            answer.json()


def test_gzip_slow_drip_and_headers_change_nothing_in_the_body() -> None:
    switches = Faults(faults.gzipped(on=2), faults.drip(0.001, on=3), faults.headers({"X-A": "b"}, on=3))
    with serve(Book.of(5), switches) as server:
        answers = [get(server) for _ in range(3)]
    assert len({answer.text for answer in answers}) == 1
    assert answers[1].headers["content-encoding"] == "gzip"
    assert answers[2].headers["x-a"] == "b"


def test_latency_is_waited_for() -> None:
    with serve(Book.of(1), Faults(faults.latency(0.2))) as server:
        start = time.monotonic()
        get(server)
        assert time.monotonic() - start >= 0.2


def test_a_rate_limit_answers_429_with_retry_after_until_tokens_are_back() -> None:
    with serve(Book.of(1), Faults(faults.rate_limit(1, burst=3))) as server:
        answers = [get(server) for _ in range(6)]
    assert [answer.status_code for answer in answers[:4]] == [200, 200, 200, 429]
    assert answers[3].headers["retry-after"] == "1"


def test_a_redirect_to_another_host_keeps_path_and_query() -> None:
    with serve(Book.of(1)) as other, serve(Book.of(2), Faults(faults.redirect(other.url))) as server:
        answer = get(server, offset=0)
        assert answer.status_code == 302
        assert answer.headers["location"] == f"{other.url}/v1/invoices?api_key={SANDBOX_KEY}&offset=0"


def test_switches_work_together_in_their_order() -> None:
    switches = Faults(faults.status(503, on=1), faults.empty_page(on=2), faults.drop(on=3))
    with serve(Book.of(4), switches) as server:
        assert get(server).status_code == 503
        assert ids(get(server)) == []
        with pytest.raises(requests.ConnectionError):
            get(server)
        assert len(ids(get(server))) == 4
