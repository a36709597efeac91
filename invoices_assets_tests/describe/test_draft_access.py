"""Where a draft finds the list and the place of the key, and what it asks until then."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from invoices_assets.errors import SourceError
from invoices_assets_tests.support.drafting import draft_of, endpoint_of
from invoices_assets_tests.support.loader import Loader, loaded
from invoices_assets_tests.vendor.fake_api import Asked, FakeApi, Reply

KEY = "a-key-that-is-long-enough"
ROWS = [{"id": n, "total": n * 1.5} for n in range(30)]


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi() as api:
        yield api


def rows(shown: list[dict[str, Any]] = ROWS) -> Reply:
    return Reply(200, json.dumps({"data": shown}).encode(), {"content-type": "application/json"})


def keyed(header: str, value: str, refusal: Reply) -> Any:
    return lambda asked: rows() if asked.headers.get(header) == value else refusal


@pytest.mark.parametrize(
    ("refusal", "header", "value", "auth"),
    [
        (
            Reply(401, b"", {"www-authenticate": 'Basic realm="api"'}),
            "authorization",
            "Basic YS1rZXktdGhhdC1pcy1sb25nLWVub3VnaDo=",
            {"type": "http_basic"},
        ),
        (Reply(401, b"", {"www-authenticate": "Bearer"}), "authorization", f"Bearer {KEY}", {"type": "bearer"}),
        (
            Reply(401, b"", {"www-authenticate": "Token"}),
            "authorization",
            f"Token {KEY}",
            {"type": "api_key", "name": "Authorization", "location": "header", "x-prefix": "Token "},
        ),
        (
            Reply(403, b'{"message": "the header X-Auth-Token is missing"}'),
            "x-auth-token",
            KEY,
            {"type": "api_key", "name": "X-Auth-Token", "location": "header"},
        ),
        (
            Reply(401, b"No parameter 'HTTP_DOLAPIKEY' on HTTP header (and no parameter DOLAPIKEY in URL)"),
            "dolapikey",
            KEY,
            {"type": "api_key", "name": "DOLAPIKEY", "location": "header"},
        ),
    ],
)
def test_the_place_that_a_refusal_names_is_tried_first(
    api: FakeApi, refusal: Reply, header: str, value: str, auth: dict[str, Any]
) -> None:
    api.route("/v1/invoices")(keyed(header, value, refusal))
    assert draft_of(api.url, None, KEY)["client"] == {"auth": auth}
    assert sum(asked.headers.get(header) != value for asked in api.asked) == 1


def test_a_parameter_that_a_refusal_names_is_tried_first(api: FakeApi) -> None:
    refusal = Reply(401, b"pass your access_token, please")
    api.route("/v1/invoices")(lambda asked: rows() if asked.query.get("access_token") == [KEY] else refusal)
    auth = {"type": "api_key", "name": "access_token", "location": "query"}
    assert draft_of(api.url, None, KEY)["client"] == {"auth": auth}
    assert [asked.query.get("access_token") for asked in api.asked[:2]] == [None, [KEY]]


def test_an_api_that_needs_no_key_gets_none(api: FakeApi) -> None:
    api.route("/v1/invoices", rows())
    assert draft_of(api.url, None, KEY)["client"] == {}


def test_an_api_that_shows_more_to_a_key_gets_it(api: FakeApi) -> None:
    api.route("/v1/invoices")(keyed("authorization", f"Bearer {KEY}", rows(ROWS[:4])))
    assert draft_of(api.url, None, KEY)["client"] == {"auth": {"type": "bearer"}}


def test_the_path_is_found_where_every_path_refuses_a_request_without_a_key(api: FakeApi) -> None:
    @api.route("/v1/invoices")
    def nothing(asked: Asked) -> Reply:
        return Reply(404) if asked.headers.get("x-api-key") == KEY else Reply(401)

    api.route("/api/invoices")(keyed("x-api-key", KEY, Reply(401)))
    content = draft_of(api.url, None, KEY)
    assert endpoint_of(content)["path"] == "/api/invoices"
    assert content["client"]["auth"]["name"] == "X-Api-Key"


def test_a_path_that_is_hidden_without_a_key_is_found(api: FakeApi) -> None:
    api.route("/bills")(keyed("authorization", f"Bearer {KEY}", Reply(404)))
    assert endpoint_of(draft_of(api.url, "/bills", KEY))["path"] == "/bills"


def test_a_parameter_that_a_path_gives_twice_is_sent_twice(api: FakeApi, tmp_path: Path) -> None:
    @api.route("/bills")
    def chosen(asked: Asked) -> Reply:
        return rows(ROWS if asked.query.get("status") == ["open", "paid"] else ROWS[:5])

    content = draft_of(api.url, "/bills?status=open&status=paid", KEY)
    loader = Loader(tmp_path, api.url, content, key=KEY)
    assert loaded(loader.refresh()).table_rows == len(ROWS)


@pytest.mark.parametrize("shown", [{"data": [], "total": 0}, []])
def test_an_empty_list_to_every_key_is_no_proof_of_one(api: FakeApi, shown: Any) -> None:
    api.route("/v1/invoices", Reply(200, json.dumps(shown).encode()))
    with pytest.raises(SourceError, match="some APIs answer an empty list to a wrong key"):
        draft_of(api.url, None, KEY)


def test_records_as_lists_of_values_are_asked_for_as_objects_or_refused(api: FakeApi) -> None:
    api.route("/v1/invoices", Reply(200, {"columns": ["id", "total"], "rows": [[1, 2], [2, 3]]}))
    with pytest.raises(SourceError, match="as a list of values"):
        draft_of(api.url, None, KEY)


def test_a_single_record_in_the_place_of_the_list_is_not_taken_for_its_lines(api: FakeApi) -> None:
    api.route("/v1/invoices", Reply(200, {"data": {"id": "a", "lines": [{"id": 1}, {"id": 2}]}}))
    assert endpoint_of(draft_of(api.url, None, KEY))["data_selector"] == "data"


def test_lists_in_lists_without_the_names_of_columns_are_no_records(api: FakeApi) -> None:
    api.route("/v1/invoices", Reply(200, {"data": [[{"id": 1}], [{"id": 2}]]}))
    with pytest.raises(SourceError, match="has no list of objects"):
        draft_of(api.url, None, KEY)
