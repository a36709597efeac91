"""The sandbox looks like other vendors' APIs where its `Contract` says so."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urljoin

import pytest
import requests

from invoices_assets_tests.support.sandbox_client import START, Clock, get, ids
from invoices_assets_tests.vendor import (
    SANDBOX_KEY,
    Book,
    Contract,
    Filter,
    Key,
    LiveBook,
    Paging,
    Total,
    Vendor,
    serve,
)

# How the API looks: key


@pytest.mark.parametrize(
    ("key", "headers", "query"),
    [
        (Key(name="token"), {}, {"token": "k&=ä"}),
        (Key("header", "X-Api-Key"), {"x-api-key": "k"}, {}),
        (Key("header", "Authorization", "Token {key}"), {"Authorization": "Token k"}, {}),
        (Key("header", "Authorization", "Bearer {key}"), {"Authorization": "Bearer k"}, {}),
        (Key("basic", template="ada:{key}"), {"Authorization": "Basic YWRhOms="}, {}),
    ],
)
def test_the_key_goes_where_the_contract_says(key: Key, headers: dict[str, str], query: dict[str, str]) -> None:
    secret = query.get("token", "k")
    with serve(Book.of(2), contract=Contract(key=key), key=secret) as server:
        assert len(ids(get(server, headers=headers, api_key=None, **query))) == 2
        assert get(server, api_key=None).status_code == 401


def test_the_key_in_a_json_body() -> None:
    with serve(Book.of(3), contract=Contract(method="POST", key=Key("body", "auth"))) as server:
        url = server.url + "/v1/invoices"
        sent: dict[str, Any] = {"auth": SANDBOX_KEY, "limit": 2}
        assert len(ids(requests.post(url, json=sent, timeout=10))) == 2
        assert requests.post(url, json={}, timeout=10).status_code == 401


@pytest.mark.parametrize(("wrong", "status"), [(401, 401), (403, 403), ("empty", 200)])
def test_what_a_wrong_key_gets(wrong: Any, status: int) -> None:
    with serve(Book.of(2), contract=Contract(key=Key(wrong=wrong))) as server:
        answer = get(server, api_key="no")
        assert answer.status_code == status
        if wrong == "empty":
            assert answer.json() == {"data": [], "total": 0}


def test_too_many_wrong_keys_are_a_ban() -> None:
    with serve(Book.of(2), contract=Contract(key=Key(ban_after=2))) as server:
        assert [get(server, api_key=key).status_code for key in ("a", SANDBOX_KEY, "b", SANDBOX_KEY)] == [
            401,
            200,
            403,
            403,
        ]


def test_fixed_parameters_and_second_headers_are_asked_for() -> None:
    with serve(Book.of(2), contract=Contract(required={"X-App": "7", "format": "json"})) as server:
        assert get(server).status_code == 400
        assert get(server, headers={"X-App": "7"}, format="json").status_code == 200


# How the API looks: envelope and total


def test_data_and_total_at_other_places() -> None:
    contract = Contract(
        data=("@odata.value",), total=Total(("meta", "page.count")), envelope={"meta": {"ok": True}, "v": 1}
    )
    with serve(Book.of(2), contract=contract) as server:
        for _ in range(2):
            answer = get(server).json()
            assert answer["meta"] == {"ok": True, "page.count": 2}
            assert len(answer["@odata.value"]) == 2


def test_a_bare_array_with_the_total_in_a_header() -> None:
    with serve(Book.of(3), contract=Contract(data=(), total=Total(None, "X-Total-Count"))) as server:
        answer = get(server, limit=2)
        assert len(answer.json()) == 2
        assert answer.headers["x-total-count"] == "3"


@pytest.mark.parametrize(
    ("total", "told"),
    [
        (Total(form="string"), {"total": "5"}),
        (Total(form="minus_one"), {"total": -1}),
        (Total(form="page_count"), {"total": 2}),
        (Total(None), {}),
    ],
)
def test_totals_of_all_forms(total: Total, told: dict[str, Any]) -> None:
    with serve(Book.of(5), contract=Contract(total=total)) as server:
        answer = get(server, limit=2).json()
        assert {name: answer[name] for name in answer if name != "data"} == told


def test_one_record_collapses_to_an_object() -> None:
    with serve(Book.of(3), contract=Contract(collapse_single=True)) as server:
        assert get(server, offset=2).json()["data"]["id"] == "inv_0000003"
        assert len(ids(get(server))) == 3


# How the API looks: paging


@pytest.mark.parametrize(
    ("limit", "offset"), [("$top", "$skip"), ("pagination[limit]", "pagination[start]"), ("_limit", "_start")]
)
def test_parameter_names(limit: str, offset: str) -> None:
    with serve(Book.of(5), contract=Contract(paging=Paging(limit=limit, position=offset))) as server:
        assert ids(get(server, None, **{limit: 2, offset: 3})) == ["inv_0000004", "inv_0000005"]


@pytest.mark.parametrize("first", [0, 1])
def test_page_numbers(first: int) -> None:
    paging = Paging("page", position="page", limit="per_page", first_page=first)
    with serve(Book.of(5), contract=Contract(paging=paging)) as server:
        one, two, three = (ids(get(server, page=page, per_page=2)) for page in range(first, first + 3))
        assert [len(page) for page in (one, two, three)] == [2, 2, 1]
        assert one + two + three == ids(get(server))


def test_a_page_size_above_the_largest_is_refused() -> None:
    with serve(Book.of(5), contract=Contract(paging=Paging(size=2, largest=2, above="refuse"))) as server:
        assert get(server, limit=3).status_code == 400
        assert len(ids(get(server))) == len(ids(get(server, limit=2))) == 2


def test_past_the_end_404_or_the_last_page_again() -> None:
    with serve(Book.of(5), contract=Contract(paging=Paging(past_end="404"))) as server:
        assert get(server, limit=2, offset=6).status_code == 404
    with serve(Book.of(5), contract=Contract(paging=Paging(past_end="last_page"))) as server:
        assert ids(get(server, limit=2, offset=6)) == ["inv_0000005"]


def walked(server: Vendor, follow: Any, **query: Any) -> list[str]:
    """The ids on all pages, by a client that knows nothing but how to follow."""
    answer, seen = get(server, **query), []
    while True:
        seen += ids(answer)
        step = follow(answer)
        if step is None:
            return seen
        if isinstance(step, dict):
            answer = get(server, **{**query, **step})
        else:
            answer = requests.get(urljoin(server.url, step), params={"api_key": server.key}, timeout=10)


CURSOR = Contract(paging=Paging("cursor", position="cursor", next=("meta", "next_cursor")))
LINKS = [
    (Contract(paging=Paging("header_link")), lambda answer: answer.links.get("next", {}).get("url")),
    (
        Contract(paging=Paging("header_link", counts="page", position="page[number]", first_page=0)),
        lambda answer: answer.links.get("next", {}).get("url"),
    ),
    (
        Contract(paging=Paging("json_link", next=("links", "next"), absolute=False)),
        lambda answer: answer.json()["links"]["next"],
    ),
    (
        Contract(paging=Paging("json_link", counts="token", position="after")),
        lambda answer: answer.json()["next"],
    ),
    (CURSOR, lambda answer: (c := answer.json()["meta"]["next_cursor"]) and {"cursor": c}),
]


@pytest.mark.parametrize(("contract", "follow"), LINKS)
@pytest.mark.parametrize("book", [Book.of(7), LiveBook(7, clock=Clock(START - timedelta(days=9)))])
def test_cursors_and_links_lead_to_the_end(contract: Contract, follow: Any, book: Any) -> None:
    with serve(book, contract=contract) as server:
        for limit in (3, 7, 100):
            assert walked(server, follow, limit=limit) == [f"inv_{n:07}" for n in range(1, 8)]


def test_links_leave_the_key_out_unless_told() -> None:
    for keep in (False, True):
        with serve(Book.of(3), contract=Contract(paging=Paging("json_link", keep_key=keep))) as server:
            assert (SANDBOX_KEY in get(server, limit=1).json()["next"]) is keep


def test_a_cursor_goes_on_after_the_last_record_whatever_came_or_went_before_it() -> None:
    book = Book.of(6)
    with serve(book, contract=CURSOR) as server:
        first = get(server, limit=3)
        book.delete("inv_0000001")
        book.insert({"id": "front"}, at=0)
        book.insert({"id": "front2"}, at=0)
        second = get(server, limit=3, cursor=first.json()["meta"]["next_cursor"])
        assert ids(second) == ["inv_0000004", "inv_0000005", "inv_0000006"]
        assert get(server, cursor="???").status_code == 400


# How the API looks: order, filters, style


def test_the_last_page_may_lead_to_an_empty_one() -> None:
    contract = Contract(paging=Paging("cursor", position="cursor", empty_end=True))
    with serve(Book.of(4), contract=contract) as server:
        assert walked(server, lambda a: (c := a.json()["next"]) and {"cursor": c}, limit=2) == ids(get(server))
        assert len(server.requests) == 4


def test_orders() -> None:
    with serve(Book.of(30), contract=Contract(order="newest")) as server:
        assert ids(get(server)) == [f"inv_{n:07}" for n in range(30, 0, -1)]
    with serve(Book.of(30), contract=Contract(order="random")) as server:
        shuffled = [ids(get(server)) for _ in range(3)]
        assert len(set(map(tuple, shuffled))) > 1
        assert len({tuple(sorted(page)) for page in shuffled}) == 1
        assert ids(get(server, sort="id")) == sorted(shuffled[0])
    with serve(Book.of(30), contract=Contract(order="updated_at")) as server:
        stamps = [record["updated_at"] for record in get(server).json()["data"]]
        assert stamps == sorted(stamps)


def test_a_default_filter_hides_records_until_asked() -> None:
    with serve(Book.of(50), contract=Contract(hides={"status": ("paid", "void")}, show_all="all")) as server:
        open_ones = get(server).json()
        assert 0 < open_ones["total"] < 50
        assert not {"paid", "void"} & {record["status"] for record in open_ones["data"]}
        assert get(server, all=1).json()["total"] == 50


STAMPED = [{"id": n, "updated_at": f"2026-03-0{n}T12:00:00Z"} for n in (1, 2, 3)] + [{"id": 4, "updated_at": None}]


@pytest.mark.parametrize(
    ("filter", "name", "value", "found"),
    [
        (Filter(), "updated_since", "2026-03-02T12:00:00Z", [2, 3]),
        (Filter(), "updated_since", "2026-03-02 13:00:00+01:00", [2, 3]),
        (Filter(), "updated_since", "1772452800", [2, 3]),
        (Filter(), "updated_since", "1772452801000", [3]),
        (Filter(op=">"), "updated_since", "2026-03-02T12:00:00Z", [3]),
        (Filter("until", op="<="), "until", "2026-03-02T12:00:00Z", [1, 2]),
        (Filter(by_day=True), "updated_since", "2026-03-02T18:00:00Z", [2, 3]),
        (Filter("$filter", where="expression"), "$filter", "updated_at ge 2026-03-02T12:00:00Z", [2, 3]),
        (Filter("$filter", where="expression"), "$filter", "updated_at gt 2026-03-02T12:00:00Z", [3]),
        (Filter("filter", where="expression"), "filter", "(updated_at>='2026-03-02 12:00:00')", [2, 3]),
        (Filter("sql", where="expression"), "sql", "(t.updated_at:>:'2026-03-02 12:00:00')", [3]),
        (None, "updated_since", "2026-03-02T12:00:00Z", [1, 2, 3, 4]),
    ],
)
def test_change_filters(filter: Filter | None, name: str, value: str, found: list[int]) -> None:
    with serve(Book(STAMPED), contract=Contract(filters=(filter,) if filter else ())) as server:
        assert ids(get(server, None, **{name: value})) == found


def test_a_change_filter_in_a_header() -> None:
    contract = Contract(filters=(Filter("If-Modified-Since", where="header"),))
    with serve(Book(STAMPED), contract=contract) as server:
        since = {"If-Modified-Since": "Mon, 02 Mar 2026 12:00:00 GMT"}
        assert ids(get(server, headers=since)) == [2, 3]


@pytest.mark.parametrize(
    ("stamps", "written"),
    [
        ("iso_z", '"2026-03-01T12:00:00Z"'),
        ("iso_space", '"2026-03-01 12:00:00"'),
        ("iso_no_zone", '"2026-03-01T12:00:00"'),
        ("iso_offset", '"2026-03-01T12:00:00+00:00"'),
        ("epoch_s", "1772366400"),
        ("epoch_ms", "1772366400000"),
        ("day", '"2026-03-01"'),
    ],
)
def test_stamps_in_other_styles(stamps: str, written: str) -> None:
    book = Book([{"id": 1, "day": "2026-02-28", "updated_at": "2026-03-01T12:00:00Z"}])
    with serve(book, contract=Contract(stamps=stamps, dates="%d-%m-%Y")) as server:
        assert f'"day":"28-02-2026","updated_at":{written}' in get(server).text
