"""The HTTP client over real connections: answers, addresses and proxies."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from invoices_assets.errors import ApiStatusError, ApiUnreachable, RequestFailed, SourceError
from invoices_assets.redaction.redactor import MARK
from invoices_assets_tests.support.fake_clock import FakeClock
from invoices_assets_tests.support.http_helpers import KEY, OK, client, get
from invoices_assets_tests.vendor.fake_api import Asked, FakeApi, Reply


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


@pytest.mark.parametrize(("charset", "sent_in"), [("ISO-8859-1", "latin-1"), ('"windows-1252"', "cp1252")])
def test_a_body_in_the_charset_that_it_names_is_read_in_it(api: FakeApi, charset: str, sent_in: str) -> None:
    body = json.dumps({"data": [{"name": "Müller", "key": KEY}]}, ensure_ascii=False).encode(sent_in)
    api.route("/v1/invoices", Reply(body=body, headers={"Content-Type": f"application/json; charset={charset}"}))
    assert json.loads(client().send(get(api)).content) == {"data": [{"name": "Müller", "key": MARK}]}


@pytest.mark.parametrize("charset", ["ISO-8859-1", "latin1", "us-ascii"])
def test_who_names_a_part_of_windows_1252_may_send_all_of_it(api: FakeApi, charset: str) -> None:
    body = json.dumps({"name": "Café – 50 €"}, ensure_ascii=False).encode("cp1252")
    api.route("/v1/invoices", Reply(body=body, headers={"Content-Type": f"application/json; charset={charset}"}))
    assert json.loads(client().send(get(api)).content) == {"name": "Café – 50 €"}


@pytest.mark.parametrize("charset", ["ISO-8859-1", "utf-8", "x-nobody-knows", "rot13", ""])
def test_a_body_in_utf_8_is_read_in_it_whatever_charset_is_named(api: FakeApi, charset: str) -> None:
    body = json.dumps({"name": "Müller"}, ensure_ascii=False).encode()
    api.route("/v1/invoices", Reply(body=body, headers={"Content-Type": f"application/json; charset={charset}"}))
    assert client().send(get(api)).content == body


def test_a_body_that_is_in_utf_8_in_part_is_not_read_in_another_charset(api: FakeApi) -> None:
    body = "Müller".encode() + "Müller".encode("latin-1")
    api.route("/v1/invoices", Reply(body=body, headers={"Content-Type": "application/json; charset=ISO-8859-1"}))
    assert client().send(get(api)).content == body


@pytest.mark.parametrize("charset", ["utf-8", "x-nobody-knows", "rot13", ""])
def test_a_body_in_an_encoding_that_it_does_not_name_stays_as_it_is(api: FakeApi, charset: str) -> None:
    body = json.dumps({"name": "Müller"}, ensure_ascii=False).encode("latin-1")
    api.route("/v1/invoices", Reply(body=body, headers={"Content-Type": f"application/json; charset={charset}"}))
    assert client().send(get(api)).content == body


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
