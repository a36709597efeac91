"""Which answers are asked for again, how often, and after which waits."""

from __future__ import annotations

import gzip
import logging
import socket
from email.utils import formatdate

import pytest
import requests

from invoices_assets.errors import ApiStatusError, ApiUnreachable, KeyRefused, NotFound
from invoices_assets.extract.http.client import HttpClient
from invoices_assets.extract.http.limits import AnswerLimits
from invoices_assets.extract.http.retry import RetryPolicy, retry_after_seconds
from invoices_assets.redaction.redactor import Redactor
from invoices_assets_tests.support.fake_clock import EPOCH as NOW
from invoices_assets_tests.support.fake_clock import FakeClock
from invoices_assets_tests.vendor.fake_api import FakeApi, Reply

OK = Reply(body={"data": []})


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def client(clock: FakeClock, policy: RetryPolicy | None = None) -> HttpClient:
    return HttpClient(
        auth=None,
        redactor=Redactor(),
        policy=policy or RetryPolicy(),
        clock=clock,
        limits=AnswerLimits(connect=5, read=5),
    )


def get(api: FakeApi, path: str = "/v1/invoices") -> requests.Request:
    return requests.Request("GET", f"{api.url}{path}", params={"limit": 100})


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
@pytest.mark.parametrize("failures", [1, 2, 3])
def test_a_passing_failure_is_asked_again_after_2_4_and_8_seconds(
    api: FakeApi, clock: FakeClock, status: int, failures: int
) -> None:
    api.route("/v1/invoices", *[Reply(status)] * failures, OK)

    http = client(clock)

    assert http.send(get(api)).json() == {"data": []}
    assert clock.sleeps == [2, 4, 8][:failures]
    assert http.stats.retries == failures
    assert http.stats.requests == len(api.asked) == failures + 1
    assert http.stats.seconds_waited == sum(clock.sleeps)
    assert http.stats.status_counts == {status: failures, 200: 1}


@pytest.mark.parametrize(
    ("status", "phrase"),
    [
        (429, "429 Too Many Requests"),
        (500, "500 Internal Server Error"),
        (502, "502 Bad Gateway"),
        (503, "503 Service Unavailable"),
        (504, "504 Gateway Timeout"),
    ],
)
def test_a_failure_that_stays_fails_after_four_attempts(
    api: FakeApi, clock: FakeClock, status: int, phrase: str
) -> None:
    api.route("/v1/invoices", Reply(status, b"<h1>down</h1>", {"Content-Type": "text/html"}))

    with pytest.raises(ApiStatusError) as caught:
        client(clock).send(get(api))

    assert str(caught.value) == f"GET {api.url}/v1/invoices failed after 4 attempts: {phrase}"
    assert caught.value.status == status
    assert len(api.asked) == 4
    assert clock.sleeps == [2, 4, 8]


@pytest.mark.parametrize("status", [400, 402, 405, 406, 409, 410, 418, 422, 451, 501, 505, 599])
def test_every_other_status_fails_at_once(api: FakeApi, clock: FakeClock, status: int) -> None:
    api.route("/v1/invoices", Reply(status, b"limit must not\nexceed 50"))

    with pytest.raises(ApiStatusError, match=f"GET {api.url}/v1/invoices answered {status}") as caught:
        client(clock).send(get(api))

    assert str(caught.value).endswith(": limit must not exceed 50")
    assert len(api.asked) == 1
    assert clock.sleeps == []


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_never_sent_again(api: FakeApi, clock: FakeClock, status: int) -> None:
    api.route("/v1/invoices", Reply(status))
    http = client(clock)

    for _ in range(3):
        with pytest.raises(KeyRefused, match=rf"^the API refused the key \({status}\)") as caught:
            http.send(get(api))
        assert caught.value.status == status

    assert len(api.asked) == 1


def test_after_401_other_addresses_are_not_asked_either(api: FakeApi, clock: FakeClock) -> None:
    api.route("/v1/invoices", Reply(401))
    http = client(clock)

    for path in ("/v1/invoices", "/v1/customers"):
        with pytest.raises(KeyRefused):
            http.send(get(api, path))

    assert len(api.asked) == 1


def test_404_is_an_error_of_its_own(api: FakeApi, clock: FakeClock) -> None:
    with pytest.raises(NotFound, match=r"answered 404 Not Found: no such path$"):
        client(clock).send(get(api))

    assert len(api.asked) == 1


@pytest.mark.parametrize(
    ("header", "waits"),
    [
        ("30", [30, 30, 30]),
        ("5", [5, 5, 8]),
        ("1", [2, 4, 8]),
        ("0", [2, 4, 8]),
        ("-5", [2, 4, 8]),
        ("4.5", [4.5, 4.5, 8]),
        ("soon", [2, 4, 8]),
        ("", [2, 4, 8]),
        ("Wed, 99 Foo 2023 25:61:61 GMT", [2, 4, 8]),
        (formatdate(NOW + 60, usegmt=True), [60, 4, 8]),
        (formatdate(NOW - 60, usegmt=True), [2, 4, 8]),
        ("Tuesday, 14-Nov-23 22:14:20 GMT", [60, 4, 8]),
        ("600", [600, 600, 600]),
    ],
)
def test_a_longer_retry_after_is_honoured_and_anything_else_ignored(
    api: FakeApi, clock: FakeClock, header: str, waits: list[float]
) -> None:
    api.route("/v1/invoices", *[Reply(429, headers={"Retry-After": header})] * 3, OK)

    client(clock).send(get(api))

    assert clock.sleeps == waits


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("header", ["3600", formatdate(NOW + 3600, usegmt=True)])
def test_a_retry_after_beyond_the_longest_wait_fails_at_once_with_both_numbers(
    api: FakeApi, clock: FakeClock, status: int, header: str
) -> None:
    api.route("/v1/invoices", Reply(status, headers={"Retry-After": header}))

    with pytest.raises(ApiStatusError, match=r"asks to wait 3,600 s .* longer than the 600 s allowed"):
        client(clock).send(get(api))

    assert len(api.asked) == 1
    assert clock.sleeps == []


@pytest.mark.parametrize("header", ["1e3", "inf", "nan", "٣", "0x10", "1,5", "Fri"])
def test_a_retry_after_that_is_no_number_and_no_date_is_none(header: str) -> None:
    assert retry_after_seconds(header, NOW) is None


BROKEN_BODIES = {
    "length": Reply(body=b'{"data": [1, 2, 3]}', cut=5),
    "nothing of it": Reply(body=b'{"data": []}', cut=12),
    "chunked": Reply(body=b'{"data": [1, 2, 3]}', cut=5, chunked=True),
    "gzip checksum": Reply(body=gzip.compress(b'{"data": []}')[:-8] + bytes(8), headers={"Content-Encoding": "gzip"}),
    "no gzip at all": Reply(body=b'{"data": []}', headers={"Content-Encoding": "gzip"}),
    "no answer": Reply(hang_up=True),
}


@pytest.mark.parametrize("broken", BROKEN_BODIES.values(), ids=BROKEN_BODIES)
def test_a_body_cut_short_is_asked_for_again(api: FakeApi, clock: FakeClock, broken: Reply) -> None:
    api.route("/v1/invoices", broken, broken, OK)

    assert client(clock).send(get(api)).json() == {"data": []}
    assert clock.sleeps == [2, 4]


@pytest.mark.parametrize("broken", BROKEN_BODIES.values(), ids=BROKEN_BODIES)
def test_a_body_cut_short_every_time_is_no_answer(api: FakeApi, clock: FakeClock, broken: Reply) -> None:
    api.route("/v1/invoices", broken)

    with pytest.raises(ApiUnreachable, match=f"^GET {api.url}/v1/invoices failed after 4 attempts: the "):
        client(clock).send(get(api))

    assert len(api.asked) == 4


def test_a_refused_connection_is_tried_four_times(clock: FakeClock) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

        with pytest.raises(ApiUnreachable) as caught:
            client(clock).send(requests.Request("GET", f"http://127.0.0.1:{port}/v1/invoices?api_key=abc"))

    assert str(caught.value) == f"cannot reach http://127.0.0.1:{port} after 4 attempts: connection refused"
    assert clock.sleeps == [2, 4, 8]


def test_an_answer_that_does_not_come_in_time_is_asked_for_again(clock: FakeClock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        http = HttpClient(auth=None, redactor=Redactor(), limits=AnswerLimits(read=0.05), clock=clock)

        with pytest.raises(ApiUnreachable, match=r"failed after 4 attempts: no answer within 0.05 s$"):
            http.send(requests.Request("GET", f"http://127.0.0.1:{silent.getsockname()[1]}/"))

    assert clock.sleeps == [2, 4, 8]


def test_a_host_name_that_does_not_exist_is_named(clock: FakeClock) -> None:
    policy = RetryPolicy(retries=0)

    with pytest.raises(ApiUnreachable) as caught:
        client(clock, policy).send(requests.Request("GET", "http://no-such-host.invalid/v1/invoices"))

    assert str(caught.value) == (
        "cannot reach http://no-such-host.invalid after 1 attempt: the name of the host is not known"
    )


def test_searches_by_post_are_repeated_with_their_body(api: FakeApi, clock: FakeClock) -> None:
    api.route("/search", Reply(502), OK)

    client(clock).send(requests.Request("POST", f"{api.url}/search", json={"query": "é"}))

    assert [asked.body for asked in api.asked] == [b'{"query": "\\u00e9"}'] * 2


def test_other_policies_count_from_their_own_numbers(api: FakeApi, clock: FakeClock) -> None:
    api.route("/v1/invoices", Reply(500))
    policy = RetryPolicy(retries=4, factor=0.5, statuses=frozenset({500}), longest_wait=3)

    with pytest.raises(ApiStatusError, match="after 5 attempts"):
        client(clock, policy).send(get(api))

    assert clock.sleeps == [0.5, 1, 2, 3]


def test_each_retry_is_logged_with_its_reason_wait_and_number(
    api: FakeApi, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    api.route("/v1/invoices", Reply(503), Reply(429, headers={"Retry-After": "90"}), Reply(hang_up=True), OK)

    with caplog.at_level(logging.WARNING, "invoices_assets"):
        client(clock).send(get(api))

    asked = f"GET {api.url}/v1/invoices"
    assert [record.getMessage() for record in caplog.records] == [
        f"{asked}: 503 Service Unavailable; trying again in 2 s (attempt 2 of 4)",
        f"{asked}: 429 Too Many Requests; trying again in 90 s (attempt 3 of 4)",
        f"{asked}: the connection was closed without an answer; trying again in 8 s (attempt 4 of 4)",
    ]
