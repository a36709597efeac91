"""Traits of APIs that exist: each is loaded exactly by configuration alone, or refused in a clear sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from invoices_assets.sandbox import Book, Contract, Faults, Filter, Key, Paging, Raw, Total, serve
from invoices_assets.sandbox.faults import Fault, http_date, status
from invoices_assets.sandbox.text import loads
from invoices_assets_tests.exactly import (
    NEUTRAL,
    assert_same_as,
    loaded,
    loaded_lines,
    neutral,
    put_rows,
    untouched,
    without_waits,
)
from invoices_assets_tests.fake_clock import FakeClock
from invoices_assets_tests.running import Project
from invoices_assets_tests.sweeping import config

SECRET = "k3y-of-the-traits"
Record = dict[str, Any]


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    return without_waits(monkeypatch)


def source(
    auth: Any = None,
    every_header: Mapping[str, str] | None = None,
    columns: Mapping[str, Any] | None = None,
    **endpoint: Any,
) -> Record:
    """The default source file with another auth, further headers and columns, and changes of the endpoint."""
    content = config(**endpoint)
    if auth is not None:
        content["client"]["auth"] = auth
    content["client"]["headers"] = dict(every_header or {})
    content["resources"][0]["columns"].update(columns or {})
    return content


@dataclass(frozen=True)
class Trait:
    """An API and the source file that describes it."""

    contract: Contract = field(default_factory=Contract)
    source: Mapping[str, Any] = field(default_factory=source)
    key: str = SECRET
    records: int = 230
    faults: Callable[[], list[Fault]] = list


def trait(name: str, **parts: Any) -> Any:
    return pytest.param(Trait(**parts), id=name)


def header(name: str, template: str = "{key}") -> Contract:
    return Contract(key=Key("header", name, template))


def in_header(name: str) -> Record:
    return {"type": "api_key", "name": name, "location": "header"}


def offset(**settings: Any) -> Record:
    return {"type": "offset", "limit": 100, "total_path": "total", **settings}


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
        contract=Contract(
            key=Key("header", "X-Parse-REST-API-Key"), required={"X-Parse-Application-Id": "app"}
        ),
        source=source(in_header("X-Parse-REST-API-Key"), every_header={"X-Parse-Application-Id": "app"}),
    ),
    trait(
        "fixed parameters", contract=Contract(required={"company": "7"}), source=source(params={"company": 7})
    ),
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

SHAPES = [
    trait(
        "a bare array",
        contract=Contract(data=(), total=Total(None, "X-Total-Count")),
        source=source(data_selector="$"),
    ),
    trait(
        "a bare array, no selector",
        contract=Contract(data=(), total=Total(None)),
        source=source(data_selector=None),
    ),
    trait(
        "a nested selector",
        contract=Contract(data=("response", "result", "items"), total=Total(("response", "paging", "count"))),
        source=source(
            data_selector="response.result.items", paginator=offset(total_path="response.paging.count")
        ),
    ),
    trait(
        "keys with dots",
        contract=Contract(data=("d.results",), total=Total(("meta.total",))),
        source=source(data_selector="d.results", paginator=offset(total_path="meta.total")),
    ),
    trait(
        "keys with @",
        contract=Contract(data=("value",), total=Total(("@odata.count",))),
        source=source(data_selector="value", paginator=offset(total_path="@odata.count")),
    ),
    trait(
        "keys with @ and links",
        contract=Contract(
            data=("value",), total=Total(None), paging=Paging(style="json_link", next=("@odata.nextLink",))
        ),
        source=source(
            data_selector="value", paginator={"type": "json_link", "next_url_path": "@odata.nextLink"}
        ),
    ),
    trait("the last page collapsed to an object", contract=Contract(collapse_single=True), records=201),
    trait("the only record collapsed to an object", contract=Contract(collapse_single=True), records=1),
    trait("newest first", contract=Contract(order="newest")),
    trait(
        "a random order, and a stable sort asked for",
        contract=Contract(order="random", sort="order_by"),
        source=source(params={"order_by": "id"}),
    ),
    trait(
        "closed records hidden, and all asked for",
        contract=Contract(hides={"status": ("paid", "void")}),
        source=source(params={"show_all": 1}),
    ),
    trait(
        "pages counted from 1, with names of its own",
        contract=Contract(
            total=Total(("totalItems",)), paging=Paging(style="page", position="pageNumber", limit="perPage")
        ),
        source=source(
            paginator={
                "type": "page_number",
                "base_page": 1,
                "page_param": "pageNumber",
                "total_path": "totalItems",
            },
            params={"perPage": 40},
        ),
    ),
]


@pytest.mark.parametrize("api", [*ACCESS, *SHAPES])
def test_everything_arrives_with(api: Trait, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    book = Book.of(api.records)
    with serve(book, Faults(*api.faults()), api.contract, SECRET) as server:
        project = Project(monkeypatch, tmp_path, server.url, api.key, dict(api.source))
        result = project.run()
        assert result.success, project.failure(result)
        assert_same_as(project, book)


# Amounts and dates


def changed(**fields: Callable[[Record], Any]) -> Callable[[Record], Record]:
    """Turns an invoice of the sandbox into the vendor's: fields are made anew, `None` removes one."""

    def change(record: Record) -> Record:
        made = {**record, **{name: make(record) for name, make in fields.items()}}
        return {name: value for name, value in made.items() if value is not GONE}

    return change


GONE = object()
MONEY = ("total", "amount_paid", "amount_due")


def money(write: Callable[[Decimal], Any]) -> Callable[[Record], Record]:
    return changed(**{name: lambda record, name=name: write(Decimal(record[name])) for name in MONEY})


def decimals(**hints: Any) -> Record:
    """Columns for the three amounts; in hints `{}` stands for the name."""
    own = {"data_type": "decimal", "precision": 38, "scale": 9}
    return {
        name: {
            **own,
            **{
                hint: value.format(name) if isinstance(value, str) else value for hint, value in hints.items()
            },
        }
        for name in MONEY
    }


NOTATIONS = [
    pytest.param(
        money(lambda amount: f"{amount:.8f}"), source(), {}, id="amounts as strings with 8 decimals"
    ),
    pytest.param(
        money(lambda amount: int(amount * 100)),
        source(columns=decimals(**{"x-scale": -2})),
        {},
        id="amounts in cents",
    ),
    pytest.param(
        money(lambda amount: int(amount * 1000)),
        source(columns=decimals(**{"x-scale": -3})),
        {},
        id="amounts in milli-units",
    ),
    pytest.param(
        money(lambda amount: {"amount": amount, "code": "EUR"}),
        source(columns=decimals(**{"x-from": "{}.amount"})),
        {},
        id="amounts as objects with a code",
    ),
    pytest.param(
        changed(total_ttc=lambda record: str(record["total"]), total=lambda _: GONE),
        source(
            columns={"total": {"data_type": "decimal", "precision": 38, "scale": 9, "x-from": "total_ttc"}}
        ),
        {},
        id="an amount under the vendor's own name",
    ),
    pytest.param(
        changed(),
        source(
            columns={
                name: {"data_type": "date", "x-format": "%d-%m-%Y"} for name in ("issue_date", "due_date")
            }
        ),
        {"dates": "%d-%m-%Y"},
        id="dates as dd-mm-yyyy",
    ),
]


@pytest.mark.parametrize(("write", "content", "style"), NOTATIONS)
def test_every_value_arrives_exactly_from(
    write: Callable[[Record], Record],
    content: Record,
    style: Record,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    with serve(Book.of(120, change=write), contract=Contract(**style), key=SECRET) as server:
        project = Project(monkeypatch, tmp_path, server.url, SECRET, content)
        result = project.run()
        assert result.success, project.failure(result)
        assert loaded(project, NEUTRAL) == neutral(Book.of(120).records)


def stamps(**hints: Any) -> Record:
    return source(
        columns={name: {"data_type": "timestamp", **hints} for name in ("created_at", "updated_at")}
    )


def in_berlin(record: Record) -> Record:
    """The stamps as a server writes them that knows no zones and stands in Berlin."""
    moved = {}
    for name in ("created_at", "updated_at"):
        moment = datetime.fromisoformat(record[name].replace("Z", "+00:00"))
        moved[name] = moment.astimezone(ZoneInfo("Europe/Berlin")).strftime("%Y-%m-%d %H:%M:%S")
    return {**record, **moved}


STAMPS = [
    pytest.param("iso_offset", source(), id="ISO with an offset"),
    pytest.param("iso_no_zone", source(), id="ISO without a zone"),
    pytest.param("iso_space", source(), id="ISO with a space"),
    pytest.param("epoch_s", stamps(**{"x-format": "epoch_s"}), id="epoch seconds"),
    pytest.param("epoch_ms", stamps(**{"x-format": "epoch_ms"}), id="epoch milliseconds"),
]


@pytest.mark.parametrize(("style", "content"), STAMPS)
def test_stamps_arrive_exactly_and_a_refresh_asks_in_their_notation(
    style: str, content: Record, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    book = Book.of(120)
    with serve(book, contract=Contract(stamps=style), key=SECRET) as server:
        project = Project(monkeypatch, tmp_path, server.url, SECRET, content)
        assert project.run().success
        assert loaded(project, NEUTRAL) == neutral(book.records)
        change(book)
        result = project.run()
        assert result.success, project.failure(result)
        assert loaded(project, NEUTRAL) == neutral(book.records)
        assert project.metadata(result)["rows_fetched"] < len(book)


def test_stamps_without_a_zone_are_read_in_the_declared_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    content = stamps(**{"x-timezone": "Europe/Berlin"})
    with serve(Book.of(120, change=in_berlin), key=SECRET) as server:
        project = Project(monkeypatch, tmp_path, server.url, SECRET, content)
        assert project.run().success
        assert loaded(project, NEUTRAL) == neutral(Book.of(120).records)


NUMBERS = {
    "1e3": "1000",
    "-0.00": "0",
    "10": "10",
    "10.5": "10.5",
    "1234567890123456789.123456789": "1234567890123456789.123456789",
    "0.000000001": "0.000000001",
    '"12.50"': "12.5",
    '"1234567890123456789"': "1234567890123456789",
    "-99999999999999999999999999999.999999999": "-99999999999999999999999999999.999999999",
}


def test_amounts_arrive_digit_by_digit_and_those_that_do_not_fit_are_rejected(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    template = Book.of(1).records[0]
    book = Book(
        {**template, "id": written, "total": Raw(written)}
        for written in [*NUMBERS, "0.0000000001", "123456789012345678901234567890", '"twelve"']
    )
    with serve(book, key=SECRET) as server:
        project = Project(monkeypatch, tmp_path, server.url, SECRET)
        result = project.run()
        assert result.success
        assert dict(project.query("SELECT id, total FROM invoices")) == {
            written: Decimal(number) for written, number in NUMBERS.items()
        }
        rejected = project.query("SELECT key, raw, reason, _dlt_load_id FROM invoices_rejected ORDER BY key")
        assert [key for key, *_ in rejected] == ['"twelve"', "0.0000000001", "123456789012345678901234567890"]
        assert [loads(raw)["total"] for _, raw, *_ in rejected] == [
            "twelve",
            Decimal("1E-10"),
            123456789012345678901234567890,
        ]
        assert all(load_id for *_, load_id in rejected)
        assert [reason.partition(":")[0] for _, _, reason, _ in rejected] == [
            "`total` is not a number that can be stored",
            "`total` has more than 9 digits after the point",
            "`total` has more than 29 digits before the point",
        ]
        checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
        assert not checks["no_rejected_records"].passed
        assert checks["no_rejected_records"].metadata["rejected_records"].value == 3


def test_whole_and_fractional_amounts_of_undeclared_fields_share_one_exact_column(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole = [{"id": f"{at:03}", "fee": at} for at in range(150)]
    book = Book(
        [*whole, *({"id": f"{at:03}", "fee": Decimal(at) + Decimal("0.5")} for at in range(150, 300))]
    )
    with serve(book, key=SECRET) as server:
        project = Project(monkeypatch, tmp_path, server.url, SECRET)
        assert project.run().success
        assert project.query("SELECT sum(fee) FROM invoices") == [
            (sum(Decimal(r["fee"]) for r in book.records),)
        ]
        columns = project.query("SELECT * FROM (DESCRIBE invoices) WHERE column_name LIKE 'fee%'")
        assert [column[:2] for column in columns] == [("fee", "DECIMAL(38,9)")]


def test_a_field_of_the_last_page_becomes_a_column(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    book = Book.of(230)
    book.update(book.records[-1]["id"], po_number="4711/B")
    with serve(book, key=SECRET) as server:
        project = Project(monkeypatch, tmp_path, server.url, SECRET)
        assert project.run().success
        found = project.query("SELECT po_number, count(*) FROM invoices GROUP BY 1 ORDER BY 2")
        assert found == [("4711/B", 1), (None, 229)]


def test_a_text_that_turns_into_an_object_is_kept_and_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    book = Book.of(30)
    for record in book.records:
        book.update(record["id"], terms="net 30")
    with serve(book, key=SECRET) as server:
        project = Project(monkeypatch, tmp_path, server.url, SECRET)
        assert project.run().success
        last = book.records[-1]["id"]
        book.update(last, terms={"days": 30, "text": "net 30"})
        result = project.run(mode="full")
        assert result.success, project.failure(result)
        assert project.query(f"SELECT terms, terms__days, terms__text FROM invoices WHERE id = '{last}'") == [
            (None, Decimal(30), "net 30")
        ]
        assert project.query("SELECT count(*) FROM invoices WHERE terms = 'net 30'") == [(29,)]
        assert_same_as(project, book)


# Filters by change


def change(book: Book, at: datetime | None = None) -> None:
    """Changes one invoice and adds one, now or at a moment."""
    now = (at or datetime.now(timezone.utc)).strftime("%Y-%m-%dT%H:%M:%SZ")
    book.update("inv_0000007", status="void", updated_at=now)
    book.insert({**Book.of(1, seed=3).records[0], "id": "inv_9999999", "created_at": now, "updated_at": now})


def filtered(**settings: Any) -> Contract:
    return Contract(filters=(Filter(**settings),))


def placed(**endpoint: Any) -> Record:
    """A source whose start goes into a placeholder."""
    incremental = {"cursor_path": "updated_at", "initial_value": "2000-01-01T00:00:00Z", "lag": 600}
    return source(incremental=incremental, **endpoint)


FILTERS = [
    pytest.param(filtered(op=">="), source(), id="inclusive"),
    pytest.param(filtered(op=">"), source(), id="exclusive"),
    pytest.param(filtered(by_day=True), source(), id="by day, though it takes a stamp"),
    pytest.param(
        filtered(by_day=True),
        placed(params={"updated_since": "{incremental.start_value:.10}"}),
        id="by day only",
    ),
    pytest.param(
        filtered(name="if-modified-since", where="header"),
        placed(headers={"If-Modified-Since": "{incremental.start_value:%a, %d %b %Y %H:%M:%S GMT}"}),
        id="If-Modified-Since",
    ),
    pytest.param(
        filtered(name="$filter", where="expression"),
        placed(params={"$filter": "updated_at ge {incremental.start_value}"}),
        id="an OData expression",
    ),
    pytest.param(
        filtered(name="filter", where="expression"),
        placed(params={"filter": "(updated_at>='{incremental.start_value}')"}),
        id="an expression in quotes",
    ),
    pytest.param(
        filtered(name="updatedMin"),
        source(incremental={"cursor_path": "updated_at", "start_param": "updatedMin", "lag": 3600}),
        id="another name and overlap",
    ),
]


@pytest.mark.parametrize(("contract", "content"), FILTERS)
def test_a_refresh_asks_for_changes_and_finds_them_by_a_filter_that_is(
    contract: Contract, content: Record, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    book = Book.of(230)
    with serve(book, contract=contract, key=SECRET) as server:
        project = Project(monkeypatch, tmp_path, server.url, SECRET, content)
        assert project.run().success
        assert_same_as(project, book)
        change(book)
        result = project.run()
        assert result.success, project.failure(result)
        assert_same_as(project, book)
        assert project.metadata(result)["rows_fetched"] < len(book)
        assert (project.metadata(result)["rows_new"], project.metadata(result)["rows_changed"]) == (1, 1)


@pytest.mark.parametrize(
    ("contract", "content"),
    [
        pytest.param(Contract(filters=()), source(incremental=None), id="that is not there"),
        pytest.param(Contract(filters=()), source(), id="that the API ignores"),
    ],
)
def test_a_refresh_reads_everything_without_a_filter(
    contract: Contract, content: Record, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    book = Book.of(230)
    with serve(book, contract=contract, key=SECRET) as server:
        project = Project(monkeypatch, tmp_path, server.url, SECRET, content)
        assert project.run().success
        change(book, datetime.now(timezone.utc) - timedelta(days=900))
        assert project.run().success
        assert_same_as(project, book)


def test_invoices_that_no_filter_shows_before_their_first_edit_arrive_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    book = Book.of(150)
    book.update("inv_0000003", updated_at=None)
    with serve(book, key=SECRET) as server:
        project = Project(monkeypatch, tmp_path, server.url, SECRET)
        assert project.run().success
        book.insert({**Book.of(1, seed=5).records[0], "id": "inv_0009999", "updated_at": None})
        assert project.run().success
        assert_same_as(project, book)
        for record in book.records:
            book.update(record["id"], status="void")
        assert project.run().success
        change(book)
        assert project.run().success
        assert "updated_since" in server.requests[-1].query
        assert_same_as(project, book)


def test_a_filter_that_also_shows_unstamped_invoices_can_be_declared(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    content = config()
    content["resources"][0]["endpoint"]["incremental"]["on_cursor_value_missing"] = "include"
    book = Book.of(150)
    book.update("inv_0000003", updated_at=None)
    with serve(book, key=SECRET) as server:
        project = Project(monkeypatch, tmp_path, server.url, SECRET, content)
        assert project.run().success
        assert project.run().success
        assert "updated_since" in server.requests[-1].query


def test_304_means_that_nothing_changed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    book = Book.of(150)
    content = placed(headers={"If-Modified-Since": "{incremental.start_value:%a, %d %b %Y %H:%M:%S GMT}"})
    first = "Sat, 01 Jan 2000 00:00:00 GMT"
    unchanged = status(304, body="empty", on=lambda call: call.headers["if-modified-since"] != first)
    contract = filtered(name="if-modified-since", where="header")
    with serve(book, Faults(unchanged), contract, SECRET) as server:
        project = Project(monkeypatch, tmp_path, server.url, SECRET, content)
        assert project.run().success
        with untouched(project):
            result = project.run()
        assert result.success, project.failure(result)
        assert_same_as(project, book)


# Refusals and errors of servers


@pytest.mark.parametrize(
    ("retry_after", "waited"),
    [
        pytest.param(7, 7, id="in seconds"),
        pytest.param(http_date(40), 35, id="as a date"),
        pytest.param(0, 2, id="of 0"),
        pytest.param(None, 2, id="absent"),
    ],
)
def test_429_is_waited_out_with_retry_after(
    retry_after: Any, waited: float, waits: FakeClock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    book = Book.of(150)
    with serve(book, Faults(status(429, retry_after=retry_after, times=1)), key=SECRET) as server:
        project = Project(monkeypatch, tmp_path, server.url, SECRET)
        result = project.run()
        assert result.success, project.failure(result)
        assert_same_as(project, book)
        assert max(waits.sleeps) >= waited
        assert project.metadata(result)["retries"] == 1


def test_a_wrong_key_is_sent_once_for_some_apis_ban_a_client_after_several(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with serve(Book.of(150), contract=Contract(key=Key(ban_after=2)), key=SECRET) as server:
        project = Project(monkeypatch, tmp_path, server.url, "wrong key")
        result = project.run()
        assert project.failure(result).startswith("the API refused the key (401)")
        assert [call.status for call in server.requests] == [401]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("html", ": Oops, 400 "),
        ("text", ": upstream is not well"),
        ("json", "answered by a switch"),
        ("empty", "400 Bad Request"),
    ],
)
def test_an_error_body_is_told_without_markup_as(
    body: str, told: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with serve(Book.of(150), Faults(status(400, body=body)), key=SECRET) as server:
        project = Project(monkeypatch, tmp_path, server.url, SECRET)
        put_rows(project, 40)
        with untouched(project):
            failure = project.failure(project.run())
        assert "answered 400 Bad Request" in failure
        assert told in failure
        assert "<" not in failure


# Lines, deletions


def test_a_line_that_is_removed_upstream_is_gone_here(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    book = Book.of(60)
    many = next(record for record in book.records if len(record["line_items"]) > 1)
    with serve(book, key=SECRET) as server:
        project = Project(monkeypatch, tmp_path, server.url, SECRET)
        assert project.run().success
        book.update(many["id"], line_items=many["line_items"][1:])
        assert project.run().success
        assert_same_as(project, book)
        book.update(many["id"], line_items=[])
        assert project.run().success
        assert [line for line in loaded_lines(project) if line[0] == many["id"]] == []


def test_reconcile_marks_what_is_gone_and_takes_the_mark_back_when_it_returns(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    book = Book.of(60)
    gone = book.records[5]
    with serve(book, key=SECRET) as server:
        project = Project(monkeypatch, tmp_path, server.url, SECRET)
        assert project.run().success
        book.delete(gone["id"])
        assert project.run(mode="full").success
        assert project.query("SELECT count(*) FROM invoices WHERE deleted_at IS NOT NULL") == [(0,)]
        result = project.run("reconcile_invoices")
        assert result.success, project.failure(result)
        assert project.query("SELECT id FROM invoices WHERE deleted_at IS NOT NULL") == [(gone["id"],)]
        assert project.metadata(result)["rows_deleted"] == 1
        book.insert(gone, at=5)
        assert project.run("reconcile_invoices").success
        assert project.query("SELECT id FROM invoices WHERE deleted_at IS NOT NULL") == []
        assert_same_as(project, book)


def test_a_large_deletion_is_marked_when_the_run_config_allows_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    book = Book.of(60)
    with serve(book, key=SECRET) as server:
        project = Project(monkeypatch, tmp_path, server.url, SECRET)
        assert project.run().success
        for record in book.records[:20]:
            book.delete(record["id"])
        with untouched(project):
            assert not project.run(mode="reconcile").success
        assert project.run(mode="reconcile", max_deleted_share=0.5).success
        assert_same_as(project, book)
        assert project.query("SELECT count(*) FROM invoices") == [(60,)]
