"""How an API is asked: its keys, parameters, methods and sizes of a page; configuration alone does it."""

from __future__ import annotations

from pathlib import Path

import pytest

from invoices_assets_tests.support.traits import (
    SECRET,
    Record,
    Trait,
    assert_loaded_exactly,
    assert_swept_exactly,
    named,
    offset,
    source,
    trait,
)
from invoices_assets_tests.vendor import Contract, Key, Paging

pytestmark = pytest.mark.usefixtures("waits")


def header(name: str, template: str = "{key}") -> Contract:
    return Contract(key=Key("header", name, template))


def in_header(name: str) -> Record:
    return {"type": "api_key", "name": name, "location": "header"}


ACCESS = [
    trait(
        "key in the query",
        contract=Contract(key=Key(name="token")),
        source=source({"type": "api_key", "name": "token", "location": "query"}),
    ),
    trait("key in a header", contract=header("DOLAPIKEY"), source=source(in_header("DOLAPIKEY"))),
    trait(
        "raw key as Authorization",
        contract=header("Authorization"),
        source=source(in_header("Authorization")),
    ),
    trait(
        "key with a prefix",
        contract=header("Authorization", "Token {key}"),
        source=source(in_header("Authorization")),
        key=f"Token {SECRET}",
    ),
    trait(
        "key with a declared prefix",
        contract=header("X-Auth", "Key token={key}"),
        source=source({**in_header("X-Auth"), "x-prefix": "Key token="}),
    ),
    trait("bearer", contract=header("Authorization", "Bearer {key}"), source=source({"type": "bearer"})),
    trait(
        "Basic, the key as password",
        contract=Contract(key=Key("basic", template="us:{key}")),
        source=source({"type": "http_basic", "username": "us"}),
    ),
    trait(
        "Basic, the key as user name",
        contract=Contract(key=Key("basic", template="{key}:")),
        source=source({"type": "http_basic", "password": ""}),
    ),
    trait(
        "Basic, user and password in the key",
        contract=Contract(key=Key("basic", template="me:{key}")),
        source=source("http_basic"),
        key=f"me:{SECRET}",
    ),
    trait(
        "two headers",
        contract=Contract(key=Key("header", "X-Parse-REST-API-Key"), required={"X-Parse-Application-Id": "app"}),
        source=source(in_header("X-Parse-REST-API-Key"), every_header={"X-Parse-Application-Id": "app"}),
    ),
    trait("fixed parameters", contract=Contract(required={"company": "7"}), source=source(params={"company": 7})),
    trait(
        "a search by POST",
        contract=Contract(method="POST", required={"kind": "invoice"}),
        source=source(
            method="POST",
            json={"kind": "invoice", "page": {}},
            paginator=offset(offset_body_path="offset", limit_body_path="limit"),
        ),
    ),
    *(
        trait(
            f"{position} and {limit}",
            contract=Contract(paging=Paging(position=position, limit=limit, size=20)),
            source=source(paginator=offset(offset_param=position, limit_param=limit)),
        )
        for position, limit in [
            ("$skip", "$top"),
            ("pagination[start]", "pagination[limit]"),
            ("_start", "_limit"),
        ]
    ),
    *(
        trait(
            f"pages capped in silence at {cap}",
            contract=Contract(paging=Paging(size=cap, largest=cap)),
            source=source(paginator=offset(limit=5000)),
            records=2 * cap + 3,
        )
        for cap in (50, 100, 250, 500, 1000)
    ),
    trait(
        "a larger page is refused, so a smaller one is asked for",
        contract=Contract(paging=Paging(largest=50, above="refuse")),
        source=source(paginator=offset(limit=50)),
    ),
]


@pytest.mark.parametrize("api", ACCESS)
def test_everything_arrives_by(api: Trait) -> None:
    assert_swept_exactly(api)


@pytest.mark.parametrize("api", named(ACCESS, "key with a declared prefix", "a search by POST"))
def test_a_run_loads_everything_by(api: Trait, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert_loaded_exactly(api, monkeypatch, tmp_path)
