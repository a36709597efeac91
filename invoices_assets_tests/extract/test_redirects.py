"""Where a redirect and a link may lead, and with what: over real connections."""

from __future__ import annotations

from urllib.parse import quote

import pytest
import requests

from invoices_assets.errors import ApiStatusError, RequestFailed
from invoices_assets_tests.support.http_helpers import (
    KEY,
    OK,
    client,
    get,
)
from invoices_assets_tests.vendor.fake_api import FakeApi, Reply


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
