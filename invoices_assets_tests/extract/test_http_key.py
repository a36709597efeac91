"""The key is in the request, on the host it is meant for, and nowhere else."""

from __future__ import annotations

import logging
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

from invoices_assets.errors import KeyRefused, RequestFailed
from invoices_assets.extract.endpoint import Endpoint
from invoices_assets.extract.sweep import sweep
from invoices_assets.redaction.redactor import Redactor
from invoices_assets_tests.support.http_helpers import (
    KEY,
    OK,
    assert_holds_no_key,
    client,
    everything_in,
    get,
)
from invoices_assets_tests.support.sweep_helpers import Records, config, spec_of
from invoices_assets_tests.vendor.fake_api import Asked, FakeApi, Reply


def test_a_key_in_the_query_arrives_beside_the_parameters(api: FakeApi) -> None:
    api.route("/v1/invoices", OK)

    client().send(get(api, limit=100, **{"$skip": "0", "page[size]": "5 0"}))

    assert api.asked[0].query == {
        "limit": ["100"],
        "$skip": ["0"],
        "page[size]": ["5 0"],
        "api_key": [KEY],
    }


def test_a_space_in_the_query_is_percent_encoded_and_all_else_is_as_forms_have_it(api: FakeApi) -> None:
    api.route("/v1/invoices", OK)

    client(None).send(get(api, **{"$filter": "a ge 1+1 and b eq 'x/y:z~ü'", "page[size]": "5"}))

    encoded = "%24filter=a%20ge%201%2B1%20and%20b%20eq%20%27x%2Fy%3Az~%C3%BC%27&page%5Bsize%5D=5"
    assert api.asked[0].target == f"/v1/invoices?{encoded}"


def test_a_key_with_a_space_in_the_query_is_masked(api: FakeApi) -> None:
    key = "two words-of-k3y"
    api.route("/v1/invoices", OK)

    client(APIKeyAuth("api_key", key, "query")).send(get(api))

    assert api.asked[0].target == "/v1/invoices?api_key=two%20words-of-k3y"
    assert "words" not in Redactor([key]).text(api.asked[0].target)


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

    client(auth).send(requests.Request("GET", f"{api.url}/v1/invoices", headers={"X-Second": "two"}))

    assert api.asked[0].headers[name] == value
    assert api.asked[0].headers["x-second"] == "two"
    assert api.asked[0].headers["accept"] == "application/json"


def test_what_stands_before_a_short_key_does_not_let_it_out(api: FakeApi) -> None:
    redactor = Redactor(["abcd"])
    api.route("/v1/invoices", OK)

    client(APIKeyAuth("X-Key", "Token abcd"), redactor=redactor).send(get(api))

    assert redactor.text("was sent: Token abcd") == "was sent: ***"


def test_netrc_does_not_replace_the_key(api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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

    assert_holds_no_key(everything_in(caught.value))
    assert [asked.path for asked in api.asked] == ["/token"]


@pytest.mark.parametrize("key", ["line\nbreak-in-key", "key-with-€uro"])
def test_a_key_that_no_header_can_hold_is_refused_without_its_value(api: FakeApi, key: str) -> None:
    with pytest.raises(RequestFailed, match="a character that no HTTP header can hold") as caught:
        client(APIKeyAuth("X-Key", key), redactor=Redactor([key])).send(get(api))

    assert "key" in key
    assert "uro" not in everything_in(caught.value)
    assert "break" not in everything_in(caught.value)
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

    assert_holds_no_key(everything_in(caught.value))
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_an_interrupt_holds_no_key_in_its_frames(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("urllib3.connectionpool.HTTPConnectionPool._make_request", interrupted)

    with pytest.raises(KeyboardInterrupt) as caught:
        client().send(get(api))

    assert_holds_no_key(everything_in(caught.value))


def test_an_answer_comes_back_without_the_key(api: FakeApi) -> None:
    echo = {"you asked": f"/v1/invoices?api_key={quote(KEY, safe='')}", "key": KEY, "id": 1}
    link = f"<{api.url}/v1/invoices?api_key={quote(KEY, safe='')}&page=2>; rel=next"
    api.route("/v1/invoices", Reply(body=echo, headers={"Link": link, "X-Total-Count": "7"}))

    response = client().send(get(api))

    assert response.json() == {"you asked": "/v1/invoices?api_key=***", "key": "***", "id": 1}
    assert response.headers["x-total-count"] == "7"
    assert "page=2" in response.links["next"]["url"]
    assert_holds_no_key(repr([response.url, dict(response.headers), response.content, vars(response)]))


def test_the_base64_of_user_and_key_echoed_in_a_body_is_taken_out(api: FakeApi) -> None:
    @api.route("/v1/invoices")
    def echo(asked: Asked) -> Reply:
        return Reply(body={"sent": asked.headers["authorization"]})

    response = client(HttpBasicAuth("ann", KEY)).send(get(api))

    assert response.json() == {"sent": "***"}


def test_retries_are_logged_without_query_and_key(api: FakeApi, caplog: pytest.LogCaptureFixture) -> None:
    api.route(f"/{quote(KEY, safe='')}/invoices", Reply(503), OK)

    with caplog.at_level(logging.WARNING, "invoices_assets"):
        client().send(requests.Request("GET", f"{api.url}/{quote(KEY, safe='')}/invoices?a=b"))

    assert caplog.messages == [
        f"GET {api.url}/***/invoices: 503 Service Unavailable; trying again in 2 s (attempt 2 of 4)"
    ]


@pytest.mark.parametrize(
    "link",
    [
        r"http://evil.invalid:1\@127.0.0.1:{port}/v1/invoices?page=2",
        "http://ann:pass@127.0.0.1:{port}/v1/invoices?page=2",
        "http://127.0.0.1:{port}\t/v1/invoices?page=2",
    ],
)
def test_a_next_link_that_parsers_may_read_in_two_ways_is_not_followed(api: FakeApi, link: str) -> None:
    page = {"data": [{"id": "1"}], "next": link.format(port=api.port)}
    api.route("/v1/invoices", Reply(body=page), Reply(body={"data": [{"id": "2"}], "next": None}))
    spec = spec_of(config(paginator={"type": "json_link", "next_url_path": "next"}))

    with pytest.raises(RequestFailed, match="it is not followed"):
        sweep(spec, Endpoint(client(None), spec, api.url), Records())

    assert len(api.asked) == 1
