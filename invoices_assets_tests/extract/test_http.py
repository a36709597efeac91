"""The HTTP client over real connections: answers, addresses and redirects."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests

from invoices_assets.errors import ApiStatusError, ApiUnreachable, RequestFailed, SourceError
from invoices_assets_tests.support.fake_clock import FakeClock
from invoices_assets_tests.support.http_helpers import (
    KEY,
    OK,
    client,
    get,
    self_signed,
)
from invoices_assets_tests.vendor.fake_api import Asked, FakeApi, Reply


@pytest.fixture
def other_api() -> Iterator[FakeApi]:
    with FakeApi() as server:
        yield server


@pytest.fixture
def tls_api(tmp_path: Path) -> Iterator[tuple[FakeApi, Path]]:
    """A server with a certificate that nobody knows, and that certificate."""
    certificate, context = self_signed(tmp_path)
    with FakeApi(context) as server:
        yield server, certificate


@pytest.fixture
def trusted_api(tls_api: tuple[FakeApi, Path], monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """The same, whose certificate is in the bundle that the environment names."""
    api, certificate = tls_api
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    return api


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

    with pytest.raises(ApiUnreachable, match=r"no secure connection to https://127.0.0.1:\d+: its certificate"):
        client(clock=clock).send(get(api))

    assert clock.sleeps == []


def test_a_server_that_speaks_no_tls_is_not_tried_again(api: FakeApi) -> None:
    clock = FakeClock()
    url = api.url.replace("http:", "https:")

    with pytest.raises(ApiUnreachable, match=r"no secure connection to https://127.0.0.1:\d+: "):
        client(clock=clock).send(requests.Request("GET", url))

    assert clock.sleeps == []


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_a_certificate_bundle_of_the_environment_is_trusted(
    tls_api: tuple[FakeApi, Path], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    api, certificate = tls_api
    for bundle in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(bundle, raising=False)
    monkeypatch.setenv(name, str(certificate))
    api.route("/v1/invoices", OK)

    assert client().send(get(api)).json() == {"data": []}


def test_a_certificate_bundle_that_is_not_there_is_named(tls_api: tuple[FakeApi, Path], monkeypatch: Any) -> None:
    api, _ = tls_api
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/bundle.pem")

    with pytest.raises(SourceError, match="the certificates that REQUESTS_CA_BUNDLE names cannot be read: /no/such"):
        client().send(get(api))


# Proxies


def test_a_host_that_is_excepted_from_the_proxy_is_asked_directly(api: FakeApi, monkeypatch: Any) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    api.route("/v1/invoices", OK)

    assert client().send(get(api)).json() == {"data": []}


def test_a_proxy_sees_the_whole_address_and_its_own_password(api: FakeApi, monkeypatch: Any) -> None:
    monkeypatch.setenv("http_proxy", f"http://ann:p%40ss@127.0.0.1:{api.port}")
    monkeypatch.delenv("no_proxy", raising=False)
    api.route("/v1/invoices", OK)

    client().send(requests.Request("GET", "http://behind.invalid/v1/invoices"))

    assert api.asked[0].headers["host"] == "behind.invalid"
    assert api.asked[0].headers["proxy-authorization"] == "Basic YW5uOnBAc3M="


def test_a_proxy_of_https_sees_nothing_of_the_request(trusted_api: FakeApi, monkeypatch: Any) -> None:
    trusted_api.route("/v1/invoices", OK)
    seen: list[bytes] = []

    def tunnel(listening: socket.socket) -> None:
        here, _ = listening.accept()
        seen.append(here.recv(65536))
        there = socket.create_connection(("127.0.0.1", trusted_api.port))
        here.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        threading.Thread(target=pass_on, args=(there, here), daemon=True).start()
        pass_on(here, there)

    def pass_on(one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=tunnel, args=(listening,), daemon=True).start()
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{listening.getsockname()[1]}")
        monkeypatch.delenv("no_proxy", raising=False)

        assert client().send(get(trusted_api)).json() == {"data": []}

    assert seen[0].startswith(f"CONNECT 127.0.0.1:{trusted_api.port} ".encode())
    assert b"invoices" not in b"".join(seen)


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
        with pytest.raises(ApiStatusError, match=f"redirect to {place}, http://.*; the key is not sent there"):
            client().send(get(api))

    assert other_api.asked == []


@pytest.mark.parametrize(
    "location",
    [
        r"http://127.0.0.1:{other}\@127.0.0.1:{own}/v1/invoices",
        r"http:\\127.0.0.1:{other}/v1/invoices",
        r"\\127.0.0.1:{other}/v1/invoices",
        "http://127.0.0.1:{own}@127.0.0.1:{other}/v1/invoices",
        "http://ann:pass@127.0.0.1:{own}/v1/invoices",
        "http://127.0.0.1:{other} @127.0.0.1:{own}/v1/invoices",
        "http://127.0.0.1:{other}\t@127.0.0.1:{own}/v1/invoices",
        "http://127.0.0.1:{other}\u3000@127.0.0.1:{own}/v1/invoices",
        "http://127.0.0.1:{other}\x85/v1/invoices",
    ],
)
def test_a_redirect_that_parsers_may_read_in_two_ways_is_not_followed(
    api: FakeApi, other_api: FakeApi, location: str
) -> None:
    other_api.route("/v1/invoices", OK)
    target = location.format(other=other_api.port, own=api.port).encode().decode("latin-1")
    api.route("/v1/invoices", Reply(302, headers={"Location": target}))

    with pytest.raises(RequestFailed) as caught:
        client().send(get(api))

    assert "it is not followed" in str(caught.value)
    assert other_api.asked == []
    assert len(api.asked) == 1


def test_a_redirect_with_a_blank_in_its_query_is_followed(api: FakeApi) -> None:
    api.route("/v1/invoices", Reply(302, headers={"Location": "/found?since=2024-01-01 00:00:00"}))
    api.route("/found", OK)

    client().send(get(api))

    assert api.asked[1].query["since"] == ["2024-01-01 00:00:00"]


def test_a_link_to_another_host_is_not_followed(api: FakeApi, other_api: FakeApi) -> None:
    api.route("/v1/invoices", OK)
    http = client()
    http.send(get(api))

    with pytest.raises(RequestFailed, match=r"the API points to another port .*; the key is not sent there"):
        http.send(get(other_api))

    assert other_api.asked == []


def test_a_link_that_urllib_reads_otherwise_is_judged_by_where_it_is_sent(api: FakeApi, other_api: FakeApi) -> None:
    api.route("/v1/invoices", OK)
    http = client()
    http.send(get(api))

    with pytest.raises(RequestFailed, match=f"another port of the host, {other_api.url}; the key is not sent there"):
        http.send(requests.Request("GET", rf"{other_api.url}\@127.0.0.1:{api.port}/v1/invoices"))

    assert other_api.asked == []


def test_an_upgrade_to_tls_is_followed_and_a_way_back_is_not(api: FakeApi, trusted_api: FakeApi) -> None:
    api.route("/v1/invoices", Reply(301, headers={"Location": f"{trusted_api.url}/v1/invoices"}))
    trusted_api.route("/v1/invoices", OK, Reply(301, headers={"Location": f"{api.url}/v1/invoices"}))

    assert client().send(get(api)).status_code == 200
    with pytest.raises(ApiStatusError, match="redirect to an address without TLS"):
        client().send(get(trusted_api))


def test_after_an_upgrade_to_tls_the_key_is_no_longer_sent_without(api: FakeApi, trusted_api: FakeApi) -> None:
    api.route("/v1/invoices", Reply(301, headers={"Location": f"{trusted_api.url}/v1/invoices"}))
    trusted_api.route("/v1/invoices", OK)
    http = client()

    for offset in (0, 100, 200):
        http.send(get(api, offset=offset))

    assert len(api.asked) == 1
    assert [asked.query["offset"] for asked in trusted_api.asked[1:]] == [["100"], ["200"]]


def test_a_link_without_tls_to_the_same_server_is_asked_with_tls(trusted_api: FakeApi) -> None:
    trusted_api.route("/v1/invoices", OK)
    http = client()
    http.send(get(trusted_api))

    http.send(requests.Request("GET", "http://127.0.0.1/v1/invoices?page=2"))

    assert trusted_api.asked[1].query == {"page": ["2"], "api_key": [KEY]}


def test_endless_redirects_end(api: FakeApi) -> None:
    api.route("/v1/invoices", Reply(302, headers={"Location": "/v1/invoices"}))

    with pytest.raises(ApiStatusError, match="answers with more than 5 redirects"):
        client().send(get(api))

    assert len(api.asked) == 6
