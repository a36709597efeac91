"""The HTTP client over real connections: the key, redirects, answers, and many threads at once."""

from __future__ import annotations

import base64
import gzip
import json
import logging
import shutil
import ssl
import subprocess
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
from dlt.sources.helpers.rest_client.auth import (
    APIKeyAuth,
    BearerTokenAuth,
    HttpBasicAuth,
    OAuth2ClientCredentials,
)
from hypothesis import given
from hypothesis import strategies as st

from invoices_assets.extract.errors import ApiStatusError, ApiUnreachable, KeyRefused, RequestFailed
from invoices_assets.extract.http import HttpClient
from invoices_assets.extract.redaction import Redactor
from invoices_assets.extract.throttle import Gate
from invoices_assets_tests.fake_api import Asked, FakeApi, Reply
from invoices_assets_tests.fake_clock import FakeClock, HeldClock

KEY = "s3cr%t/K&y+ü"
KEY_IN_QUERY = APIKeyAuth(name="api_key", api_key=KEY, location="query")
OK = Reply(body={"data": []})


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi() as server:
        yield server


@pytest.fixture
def other_api() -> Iterator[FakeApi]:
    with FakeApi() as server:
        yield server


@pytest.fixture
def tls_api(tmp_path: Path) -> Iterator[tuple[FakeApi, Path]]:
    """A server with a certificate that nobody knows, and that certificate."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("makes its certificate with openssl, which is not there")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            *(
                openssl,
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=127.0.0.1",
            ),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-out", str(certificate), "-keyout", str(key)),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with FakeApi(context) as server:
        yield server, certificate


def client(auth: Any = KEY_IN_QUERY, **settings: Any) -> HttpClient:
    clock = FakeClock()
    return HttpClient(
        **{
            "auth": auth,
            "redactor": Redactor([KEY]),
            "sleep": clock.sleep,
            "clock": clock,
            "timeout": (5, 5),
            **settings,
        }
    )


def get(api: FakeApi, path: str = "/v1/invoices", /, **params: Any) -> requests.Request:
    return requests.Request("GET", f"{api.url}{path}", params=params)


def everything(error: BaseException) -> str:
    """All that handlers may print of an exception: with causes, contexts, attributes and local variables."""
    seen = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is not None:
            seen += [str(one), repr(one.args), repr(vars(one))]
            trace = traceback.TracebackException.from_exception(one, capture_locals=True)
            frames = [frame for frame in trace.stack if Path(frame.filename) != Path(__file__)]
            seen += [repr(frame.locals) for frame in frames]
            waiting += [one.__cause__, one.__context__]
    return "\n".join(seen)


def spellings_of(key: str) -> list[str]:
    return [key, quote(key, safe=""), quote(key), base64.b64encode(key.encode()).decode(), ascii(key)[1:-1]]


def assert_holds_no_key(text: str) -> None:
    assert [spelling for spelling in spellings_of(KEY) if spelling in text] == []


# The key


def test_a_key_in_the_query_arrives_beside_the_parameters(api: FakeApi) -> None:
    api.route("/v1/invoices", OK)

    client().send(get(api, limit=100, **{"$skip": "0", "page[size]": "5 0"}))

    assert api.asked[0].query == {
        "limit": ["100"],
        "$skip": ["0"],
        "page[size]": ["5 0"],
        "api_key": [KEY],
    }


@pytest.mark.parametrize(
    ("auth", "name", "value"),
    [
        (BearerTokenAuth("k3y-for-header"), "authorization", "Bearer k3y-for-header"),
        (APIKeyAuth("X-Api-Key", "k3y-for-header"), "x-api-key", "k3y-for-header"),
        (HttpBasicAuth("ann", "pass"), "authorization", "Basic YW5uOnBhc3M="),
    ],
)
def test_a_key_in_a_header_arrives(api: FakeApi, auth: Any, name: str, value: str) -> None:
    api.route("/v1/invoices", OK)

    client(auth, headers={"X-Second": "two"}).send(get(api))

    assert api.asked[0].headers[name] == value
    assert api.asked[0].headers["x-second"] == "two"
    assert api.asked[0].headers["accept"] == "application/json"


def test_netrc_does_not_replace_the_key(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password person\n")
    monkeypatch.setenv("NETRC", str(netrc))
    api.route("/v1/invoices", OK)

    client(BearerTokenAuth("k3y-for-header")).send(get(api))
    client(None).send(get(api))

    assert [asked.headers.get("authorization") for asked in api.asked] == ["Bearer k3y-for-header", None]


def test_a_proxy_of_the_environment_is_used(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", api.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    api.route("/v1/invoices", OK)

    client().send(requests.Request("GET", "http://behind.invalid/v1/invoices"))

    assert api.asked[0].headers["host"] == "behind.invalid"


def test_a_link_that_repeats_the_key_does_not_send_it_twice(api: FakeApi) -> None:
    @api.route("/v1/invoices")
    def page(asked: Asked) -> Reply:
        return Reply(body={"next": f"{api.url}/v1/invoices?page=2&api_key={quote(KEY, safe='')}"})

    http = client()
    link = http.send(get(api)).json()["next"]
    http.send(requests.Request("GET", link))

    assert api.asked[1].query == {"page": ["2"], "api_key": [KEY]}


def test_a_token_that_was_obtained_is_secret_too(api: FakeApi) -> None:
    redactor = Redactor([KEY])
    auth = OAuth2ClientCredentials(
        access_token_url=f"{api.url}/token",
        client_id="us",
        client_secret=KEY,
    )
    api.route("/token", Reply(503), Reply(body={"access_token": "t0k3n-of-the-hour"}))
    api.route("/v1/invoices", OK)

    with ThreadPoolExecutor(4) as pool:
        http = client(auth, redactor=redactor)
        list(pool.map(lambda _: http.send(get(api)), range(8)))

    assert [asked.path for asked in api.asked].count("/token") == 2
    assert api.asked[-1].headers["authorization"] == "Bearer t0k3n-of-the-hour"
    assert redactor.text("Bearer t0k3n-of-the-hour") == "***"


def test_a_refused_token_request_is_a_refused_key(api: FakeApi) -> None:
    auth = OAuth2ClientCredentials(
        access_token_url=f"{api.url}/token",
        client_id="us",
        client_secret=KEY,
    )
    api.route("/token", Reply(401))

    with pytest.raises(KeyRefused, match=r"^the API refused the key \(401\)") as caught:
        client(auth).send(get(api))

    assert_holds_no_key(everything(caught.value))
    assert [asked.path for asked in api.asked] == ["/token"]


@pytest.mark.parametrize("key", ["line\nbreak-in-key", "key-with-€uro"])
def test_a_key_that_no_header_can_hold_is_refused_without_its_value(api: FakeApi, key: str) -> None:
    with pytest.raises(RequestFailed, match="a character that no HTTP header can hold") as caught:
        client(APIKeyAuth("X-Key", key), redactor=Redactor([key])).send(get(api))

    assert "key" in key
    assert "uro" not in everything(caught.value)
    assert "break" not in everything(caught.value)
    assert api.asked == []


FAILURES = {
    "refused": Reply(401, f"key {KEY} is unknown".encode()),
    "missing": Reply(404, f"no page for ?api_key={quote(KEY, safe='')}".encode()),
    "down": Reply(503, KEY.encode()),
    "cut": Reply(body=KEY.encode() * 9, cut=10),
    "gone": Reply(hang_up=True),
    "away": Reply(302, headers={"Location": f"http://other.invalid/?api_key={quote(KEY, safe='')}"}),
}


@pytest.mark.parametrize("reply", FAILURES.values(), ids=FAILURES)
def test_an_error_holds_no_key_in_message_causes_or_frames(api: FakeApi, reply: Reply) -> None:
    api.route("/v1/invoices", reply)

    with pytest.raises(RequestFailed) as caught:
        client().send(get(api))

    assert_holds_no_key(everything(caught.value))
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_an_interrupt_holds_no_key_in_its_frames(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("urllib3.connectionpool.HTTPConnectionPool._make_request", interrupted)

    with pytest.raises(KeyboardInterrupt) as caught:
        client().send(get(api))

    assert_holds_no_key(everything(caught.value))


def test_an_answer_comes_back_without_the_key(api: FakeApi) -> None:
    echo = {"you asked": f"/v1/invoices?api_key={quote(KEY, safe='')}", "key": KEY, "id": 1}
    link = f"<{api.url}/v1/invoices?api_key={quote(KEY, safe='')}&page=2>; rel=next"
    api.route("/v1/invoices", Reply(body=echo, headers={"Link": link, "X-Total-Count": "7"}))

    response = client().send(get(api))

    assert response.json() == {"you asked": "/v1/invoices?api_key=***", "key": "***", "id": 1}
    assert response.headers["x-total-count"] == "7"
    assert "page=2" in response.links["next"]["url"]
    assert_holds_no_key(
        repr([response.url, dict(response.headers), response.content, vars(response.request)])
    )


def test_the_base64_of_user_and_key_echoed_in_a_body_is_taken_out(api: FakeApi) -> None:
    @api.route("/v1/invoices")
    def echo(asked: Asked) -> Reply:
        return Reply(body={"sent": asked.headers["authorization"]})

    response = client(HttpBasicAuth("ann", KEY)).send(get(api))

    assert response.json() == {"sent": "***"}


# Answers


def test_the_body_is_complete_when_send_returns(api: FakeApi) -> None:
    rows = [{"id": number, "total": "9.99"} for number in range(5000)]
    body = json.dumps({"data": rows}).encode()
    packed = gzip.compress(body)
    api.route("/plain", Reply(body=body))
    api.route("/gzip", Reply(body=packed, headers={"Content-Encoding": "gzip"}))
    api.route("/chunked", Reply(body=body, chunked=True))
    http = client()

    answers = [http.send(get(api, path)) for path in ("/plain", "/gzip", "/chunked")]

    assert [answer.json()["data"] for answer in answers] == [rows] * 3
    assert http.stats.bytes_received == 2 * len(body) + len(packed)


def test_connections_are_kept_open(api: FakeApi) -> None:
    api.route("/v1/invoices", OK)
    ports: set[str] = set()

    @api.route("/v1/invoices")
    def note(asked: Asked) -> Reply:
        ports.add(threading.current_thread().name)
        return OK

    http = client()
    for _ in range(5):
        http.send(get(api))

    assert len(ports) == 1


def test_not_modified_answers_a_conditional_request(api: FakeApi) -> None:
    api.route("/v1/invoices", Reply(304, b""))
    since = {"If-Modified-Since": "Tue, 14 Nov 2023 22:13:20 GMT"}

    assert client().send(requests.Request("GET", f"{api.url}/v1/invoices", headers=since)).status_code == 304
    with pytest.raises(ApiStatusError, match="answered 304 Not Modified"):
        client().send(get(api))


def test_an_error_quotes_html_as_one_short_line_of_text(api: FakeApi) -> None:
    page = f"<html><style>p{{}}</style><body><h1>Bad &amp; ugly</h1>\n<p>{'very ' * 99}</p></body></html>"
    api.route("/v1/invoices", Reply(400, page.encode(), {"Content-Type": "text/html"}))

    with pytest.raises(ApiStatusError) as caught:
        client().send(get(api))

    quoted = str(caught.value).partition("400 Bad Request: ")[2]
    assert quoted.startswith("Bad & ugly very very")
    assert len(quoted) <= 200


def test_an_error_names_the_path_without_query_user_and_fragment(api: FakeApi) -> None:
    url = f"http://ann:pass@127.0.0.1:{api.port}/v1/invoices?token=abc#top"

    with pytest.raises(ApiStatusError, match=rf"^GET {api.url}/v1/invoices answered 404 Not Found"):
        client(None).send(requests.Request("GET", url))


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("api.vendor.example/v1", "the address `api.vendor.example/v1` must begin with http:// or https://"),
        ("ftp://vendor.example/v1", "the address `ftp://vendor.example/v1` must begin with http://"),
        ("localhost:8000/v1?api_key=abc", "the address `localhost:8000/v1` must begin with http://"),
        ("http://", "the address `http://` is not a valid URL"),
        ("http://[::1/v1", "is not a valid URL"),
        ("http://host:port/v1", "is not a valid URL"),
        ("", "must begin with http:// or https://"),
    ],
)
def test_an_address_that_cannot_be_asked_is_named(url: str, sentence: str) -> None:
    with pytest.raises(RequestFailed) as caught:
        client().send(requests.Request("GET", url))

    assert sentence in str(caught.value)


def test_a_certificate_that_cannot_be_verified_is_not_tried_again(tls_api: tuple[FakeApi, Path]) -> None:
    api, _ = tls_api
    clock = FakeClock()

    with pytest.raises(
        ApiUnreachable, match=r"no secure connection to https://127.0.0.1:\d+: its certificate"
    ):
        client(sleep=clock.sleep, clock=clock).send(get(api))

    assert clock.sleeps == []


def test_a_server_that_speaks_no_tls_is_not_tried_again(api: FakeApi) -> None:
    clock = FakeClock()
    url = api.url.replace("http:", "https:")

    with pytest.raises(ApiUnreachable, match=r"no secure connection to https://127.0.0.1:\d+: "):
        client(sleep=clock.sleep, clock=clock).send(requests.Request("GET", url))

    assert clock.sleeps == []


def test_a_certificate_bundle_of_the_environment_is_trusted(
    tls_api: tuple[FakeApi, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    api, certificate = tls_api
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    api.route("/v1/invoices", OK)

    assert client().send(get(api)).json() == {"data": []}


# Redirects


def test_a_redirect_on_the_same_host_is_followed_with_the_key(api: FakeApi) -> None:
    location = f"/v1/invoices/?limit=5&api_key={quote(KEY, safe='')}"
    api.route("/v1/invoices", Reply(301, headers={"Location": location}))
    api.route("/v1/invoices/", OK)

    client().send(get(api, limit=5))

    assert api.asked[1].query == {"limit": ["5"], "api_key": [KEY]}


@pytest.mark.parametrize(
    ("status", "method", "body"),
    [(301, "POST", b'{"a": 1}'), (302, "POST", b'{"a": 1}'), (303, "GET", b""), (307, "POST", b'{"a": 1}')],
)
def test_a_redirected_search_keeps_its_condition(api: FakeApi, status: int, method: str, body: bytes) -> None:
    api.route("/search", Reply(status, headers={"Location": "/found"}))
    api.route("/found", OK)

    client().send(requests.Request("POST", f"{api.url}/search", json={"a": 1}))

    assert (api.asked[1].method, api.asked[1].body) == (method, body)


def test_a_key_is_not_sent_to_another_host_or_port(api: FakeApi, other_api: FakeApi) -> None:
    other_api.route("/v1/invoices", OK)
    for name, place in (
        (f"http://127.0.0.1:{other_api.port}", "another port of the host"),
        (f"http://localhost:{other_api.port}", "another host"),
        (f"//localhost:{other_api.port}", "another host"),
    ):
        api.route("/v1/invoices", Reply(302, headers={"Location": f"{name}/v1/invoices"}))
        with pytest.raises(
            ApiStatusError, match=f"redirect to {place}, http://.*; the key is not sent there"
        ):
            client().send(get(api))

    assert other_api.asked == []


def test_a_link_to_another_host_is_not_followed(api: FakeApi, other_api: FakeApi) -> None:
    api.route("/v1/invoices", OK)
    http = client()
    http.send(get(api))

    with pytest.raises(RequestFailed, match=r"the API points to another port .*; the key is not sent there"):
        http.send(get(other_api))

    assert other_api.asked == []


def test_an_upgrade_to_tls_is_followed_and_a_way_back_is_not(
    api: FakeApi, tls_api: tuple[FakeApi, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    secure, certificate = tls_api
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    api.route("/v1/invoices", Reply(301, headers={"Location": f"{secure.url}/v1/invoices"}))
    secure.route("/v1/invoices", OK, Reply(301, headers={"Location": f"{api.url}/v1/invoices"}))

    assert client().send(get(api)).status_code == 200
    with pytest.raises(ApiStatusError, match="redirect to an address without TLS"):
        client().send(get(secure))


def test_a_link_without_tls_to_the_same_server_is_asked_with_tls(
    tls_api: tuple[FakeApi, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    api, certificate = tls_api
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    api.route("/v1/invoices", OK)
    http = client()
    http.send(get(api))

    http.send(requests.Request("GET", "http://127.0.0.1/v1/invoices?page=2"))

    assert api.asked[1].query == {"page": ["2"], "api_key": [KEY]}


def test_endless_redirects_end(api: FakeApi) -> None:
    api.route("/v1/invoices", Reply(302, headers={"Location": "/v1/invoices"}))

    with pytest.raises(ApiStatusError, match="answers with more than 5 redirects"):
        client().send(get(api))

    assert len(api.asked) == 6


# Many threads


def test_429_pauses_all_threads(api: FakeApi) -> None:
    api.route("/v1/invoices", Reply(429, headers={"Retry-After": "30"}), OK)
    clock = HeldClock()
    http = client(sleep=clock.sleep, clock=clock)

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(http.send, get(api))
        clock.wait_for_sleepers(1)
        others = [pool.submit(http.send, get(api)) for _ in range(3)]
        clock.wait_for_sleepers(2)
        clock.advance(29)
        asked_during_the_pause = len(api.asked)
        clock.advance(1)
        answers = [future.result(10) for future in (first, *others)]

    assert asked_during_the_pause == 1
    assert [answer.status_code for answer in answers] == [200] * 4
    assert len(api.asked) == 5
    assert http.stats.seconds_waited == 30
    assert http.times_throttled() == 1


def test_500_holds_up_only_its_own_request(api: FakeApi) -> None:
    api.route("/broken", Reply(500), OK)
    api.route("/v1/invoices", OK)
    clock = HeldClock()
    http = client(sleep=clock.sleep, clock=clock)

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(http.send, get(api, "/broken"))
        clock.wait_for_sleepers(1)

        assert http.send(get(api)).status_code == 200
        clock.advance(2)
        assert first.result(10).status_code == 200


def test_the_window_halves_on_429_and_grows_back(api: FakeApi) -> None:
    api.route("/v1/invoices", OK, Reply(429), Reply(429), OK)
    http = client(pool=8)
    windows = []

    for _ in range(150):
        http.send(get(api))
        windows.append(http.window)

    assert windows[:2] == [8, 2]
    assert windows[-1] == 8
    assert sorted(windows[1:]) == windows[1:]


def test_no_more_requests_are_under_way_than_the_window(api: FakeApi) -> None:
    under_way = threading.Semaphore(3)
    crowded = []
    meet = threading.Barrier(3)

    @api.route("/v1/invoices")
    def count(asked: Asked) -> Reply:
        return OK

    def reply(asked: Asked) -> Reply:
        if not under_way.acquire(blocking=False):
            crowded.append(asked)
        meet.wait(10)
        under_way.release()
        return OK

    api.reply_to = reply  # type: ignore[method-assign]
    http = client(pool=3)
    with ThreadPoolExecutor(9) as pool:
        list(pool.map(http.send, [get(api) for _ in range(12)]))

    assert crowded == []


@pytest.mark.parametrize("rate", [2.0, 50.0])
def test_a_rate_budget_is_shared_by_all_threads_and_used_up(api: FakeApi, rate: float) -> None:
    clock = FakeClock()
    api.route("/v1/invoices", OK)
    http = client(requests_per_second=rate, sleep=clock.sleep, clock=clock)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(http.send, [get(api) for _ in range(100)]))

    assert 99 / rate <= clock() <= 1.15 * 99 / rate
    assert http.stats.seconds_waited == 0


@given(
    rate=st.floats(0.1, 200),
    delays=st.lists(st.tuples(st.floats(0, 0.9), st.floats(0, 0.9)), min_size=2, max_size=40),
)
def test_requests_are_never_closer_than_the_budget_allows(
    rate: float, delays: list[tuple[float, float]]
) -> None:
    """Delays are parts of the spacing: how much too long a sleep took, and how long a request."""
    clock = FakeClock()
    overshoots = iter([too_long for too_long, _ in delays] + [0.0] * 99)
    gate = Gate(1, rate, lambda seconds: clock.sleep(seconds + next(overshoots) / rate), clock)
    departures = []
    for _, took in delays:
        ticket = gate.enter()
        departures.append(clock())
        clock.sleep(took / rate)
        gate.leave(ticket, throttled=False)

    gaps = [departures[number + 1] - departures[number] for number in range(len(departures) - 1)]
    assert min(gaps) >= 1 / rate * (1 - 1e-9)


def test_of_waiting_requests_the_one_that_failed_most_often_goes_first() -> None:
    clock = HeldClock()
    gate = Gate(1, None, clock.sleep, clock)
    gate.pause(5)
    order: list[int] = []

    def pass_through(failures: int) -> None:
        ticket = gate.enter(failures)
        order.append(failures)
        gate.leave(ticket, throttled=False)

    with ThreadPoolExecutor(4) as pool:
        for failures in (0, 1, 2, 3):
            pool.submit(pass_through, failures)
            clock.wait_for_sleepers(failures + 1)
        clock.advance(5)

    assert order == [3, 2, 1, 0]


def test_retries_are_part_of_the_budget(api: FakeApi) -> None:
    clock = FakeClock()
    api.route("/v1/invoices", Reply(500), OK)
    http = client(requests_per_second=0.1, sleep=clock.sleep, clock=clock)

    http.send(get(api))

    assert clock() >= 10


def test_close_ends_a_long_wait(api: FakeApi) -> None:
    answered = threading.Event()

    @api.route("/v1/invoices")
    def busy(asked: Asked) -> Reply:
        answered.set()
        return Reply(429, headers={"Retry-After": "600"})

    http = HttpClient(auth=None, redactor=Redactor())
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(http.send, get(api)) for _ in range(2)]
        assert answered.wait(10)
        http.close()
        for future in waiting:
            with pytest.raises(RequestFailed):
                future.result(10)


def test_many_threads_get_their_own_answers(api: FakeApi) -> None:
    @api.route("/v1/invoices")
    def own(asked: Asked) -> Reply:
        return Reply(body={"page": asked.query["page"][0]})

    http = client()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda page: http.send(get(api, page=page)).json(), range(200)))

    assert answers == [{"page": str(page)} for page in range(200)]
    assert http.stats.requests == http.stats.status_counts[200] == 200


# Logs


def test_retries_are_logged_without_query_and_key(api: FakeApi, caplog: pytest.LogCaptureFixture) -> None:
    api.route(f"/{quote(KEY, safe='')}/invoices", Reply(503), OK)

    with caplog.at_level(logging.WARNING, "invoices_assets"):
        client().send(requests.Request("GET", f"{api.url}/{quote(KEY, safe='')}/invoices?a=b"))

    assert caplog.messages == [
        f"GET {api.url}/***/invoices: 503 Service Unavailable; trying again in 2 s (attempt 2 of 4)"
    ]
