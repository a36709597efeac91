"""Each recipe of `docs/describe-an-api.md` loads exactly from an API of its kind, and its changes after that."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from invoices_assets.describe.finding import Verdict
from invoices_assets_tests.conftest import PROJECT
from invoices_assets_tests.support.describing import checked
from invoices_assets_tests.support.loader import Loader
from invoices_assets_tests.support.rows import NEUTRAL, loaded, neutral
from invoices_assets_tests.support.sweep_helpers import config
from invoices_assets_tests.support.traits import change
from invoices_assets_tests.vendor import Book, Contract, FakeApi, Filter, Key, Paging, Reply, Total, serve
from invoices_assets_tests.vendor.fake_api import Asked
from invoices_assets_tests.vendor_traits.test_values import GONE, changed, in_berlin

pytestmark = pytest.mark.usefixtures("waits")

SECRET = "k3y-of-the-cookbook"
PATH = "/v1/invoices"
Record = dict[str, Any]


def recipes() -> dict[str, str]:
    """Heading -> its YAML."""
    text = (PROJECT / "docs" / "describe-an-api.md").read_text(encoding="utf-8")
    sections = re.split(r"^### ", text, flags=re.MULTILINE)[1:]
    blocks = {
        section.partition("\n")[0]: re.findall(r"^```yaml\n(.*?)^```$", section, re.M | re.S) for section in sections
    }
    assert all(len(found) == 1 for found in blocks.values()), blocks
    return {heading: found[0] for heading, found in blocks.items()}


def source_of(recipe: str) -> Record:
    """The default source file with a recipe put in."""
    content, part = config(), yaml.safe_load(recipe)
    content["client"] |= part.pop("client", {})
    invoices = content["resources"][0]
    invoices["endpoint"] |= part.pop("endpoint", {})
    invoices["endpoint"] = {name: value for name, value in invoices["endpoint"].items() if value is not None}
    invoices["columns"] |= part.pop("columns", {})
    return {**content, "resources": [{**invoices, **part}]}


@dataclass(frozen=True)
class Kind:
    """An API of one kind: the fake vendor by a contract, with the records written anew."""

    contract: Contract = field(default_factory=Contract)
    write: Callable[[Record], Mapping[str, Any]] | None = None
    key: str = SECRET


def header(name: str, template: str = "{key}") -> Contract:
    return Contract(key=Key("header", name, template))


def filtered(**settings: Any) -> Contract:
    return Contract(filters=(Filter(**settings),))


def paged(style: Any, total: Total | None = None, **settings: Any) -> Contract:
    return Contract(paging=Paging(style=style, size=40, **settings), total=total or Total())


def custom_fields(record: Record) -> Record:
    fields = [{"name": "PO", "value": "x"}, {"name": "No", "value": record["number"]}]
    return {**{name: value for name, value in record.items() if name != "number"}, "custom_fields": fields}


def in_turn(record: Record) -> Record:
    """The issue date under one of two names."""
    name, other = ("dated", "written") if int(record["id"][-1]) % 2 else ("written", "dated")
    return {**changed(issue_date=lambda _: GONE)(record), name: record["issue_date"], other: None}


KINDS = {
    "My key goes into a header": Kind(header("X-Api-Key")),
    "Something stands before the key, as in `Authorization: Token …`": Kind(header("Authorization", "Token {key}")),
    "My key is a user name, a password, or both": Kind(Contract(key=Key("basic", template="accounting:{key}"))),
    "I need two keys": Kind(
        Contract(key=Key("header", "X-Parse-REST-API-Key"), required={"X-Parse-Application-Id": "app"})
    ),
    "My pages have other names, as `$skip` and `$top`": Kind(
        Contract(paging=Paging(position="$skip", limit="$top", size=20))
    ),
    "My pages have numbers": Kind(paged("page", position="page", limit="per_page")),
    "My API has cursors": Kind(paged("cursor", Total(body=None), position="after", next=("meta", "next"))),
    "The answer has the address of the next page": Kind(
        paged("json_link", Total(body=None), counts="token", next=("links", "next"))
    ),
    "The next page is in the `Link` header": Kind(paged("header_link", Total(body=None), counts="token")),
    "My total has dots or `@` in its name": Kind(Contract(data=("value",), total=Total(("@odata.count",)))),
    "My total counts something else": Kind(Contract(total=Total(form="minus_one"))),
    "The answer is a list, and nothing else": Kind(Contract(data=(), total=Total(None, "X-Total-Count"))),
    "My API is searched by POST": Kind(Contract(method="POST", required={"kind": "invoice"})),
    "Some invoices are hidden, or come in another order each time": Kind(
        Contract(hides={"status": ("paid",)}, show_all="status", order="random")
    ),
    "My fields have other names": Kind(
        write=changed(amounts=lambda record: {"gross": record["total"]}, total=lambda _: GONE)
    ),
    "My amounts are in cents": Kind(write=changed(total=lambda record: int(Decimal(record["total"]) * 100))),
    "My dates are written as `31.12.2026`": Kind(Contract(dates="%d.%m.%Y")),
    "My stamps are numbers": Kind(Contract(stamps="epoch_ms")),
    "My stamps have no zone": Kind(write=in_berlin),
    "One of several fields has the value": Kind(write=in_turn),
    "I have a list of custom fields": Kind(write=custom_fields),
    "The key of a record has two parts": Kind(write=changed(series=lambda record: record["id"][:4])),
    "My filter has another name": Kind(filtered(name="modified_from")),
    "My filter is an expression": Kind(filtered(name="filter", where="expression")),
    "My filter is by day, or in another notation": Kind(filtered(by_day=True)),
    "My filter is `If-Modified-Since`": Kind(filtered(name="if-modified-since", where="header")),
    "My API has no filter by change": Kind(Contract(filters=())),
}
"""The recipes that the fake vendor can stand for."""


@pytest.mark.parametrize("heading", KINDS)
def test_all_invoices_arrive_exactly(heading: str, tmp_path: Path) -> None:
    kind, book = KINDS[heading], Book.of(120)
    with serve(Book.of(120, change=kind.write), contract=kind.contract, key=kind.key) as server:
        loader = Loader(tmp_path, server.url, source_of(recipes()[heading]), key=kind.key)
        loader.refresh()
        assert loaded(loader, NEUTRAL) == neutral(book.records)


@pytest.mark.parametrize("heading", [heading for heading in KINDS if "filter" in heading])
def test_a_change_arrives_exactly(heading: str, tmp_path: Path) -> None:
    book = Book.of(120)
    with serve(book, contract=KINDS[heading].contract, key=SECRET) as server:
        loader = Loader(tmp_path, server.url, source_of(recipes()[heading]), key=SECRET)
        loader.refresh()
        change(book)
        loader.refresh()
        assert loaded(loader, NEUTRAL) == neutral(book.records)


@pytest.mark.parametrize("heading", KINDS)
def test_a_check_finds_nothing_wrong(heading: str) -> None:
    kind = KINDS[heading]
    with serve(Book.of(120, change=kind.write), contract=kind.contract, key=kind.key) as server:
        found = checked(server.url, source_of(recipes()[heading]), kind.key)
    assert [finding.sentence for finding in found if finding.verdict is Verdict.WRONG] == []


def test_every_recipe_has_a_test() -> None:
    assert {*KINDS, *OTHERS} == set(recipes())


OTHERS = {
    "last id": "The cursor is the last id, as `starting_after`",
    "header": "The next page is in another header",
    "unstamped": "An invoice that was never edited has no change stamp",
    "tombstones": "Deleted invoices come as tombstones",
    "versions": "One invoice comes in several versions",
}.values()
"""The recipes whose APIs a test writes itself."""


def rows(count: int) -> list[Record]:
    return [{"id": f"{number:04}", "updated_at": f"2026-01-01T{number % 24:02}:00:00Z"} for number in range(count)]


@contextmanager
def loading(api: FakeApi, heading: str, folder: Path) -> Iterator[Loader]:
    (folder / heading[:3]).mkdir()
    yield Loader(folder / heading[:3], api.url, source_of(recipes()[heading]))


def ids(loader: Loader) -> list[str]:
    return [name for (name,) in loader.query("SELECT id FROM invoices ORDER BY id")]


def test_the_last_id_leads_on(api: FakeApi, tmp_path: Path) -> None:
    records = rows(100)

    @api.route(PATH)
    def answer(asked: Asked) -> Reply:
        after = asked.query.get("starting_after", [""])[0]
        left = [record for record in records if record["id"] > after]
        return Reply(body={"data": left[:40], "has_more": len(left) > 40})

    with loading(api, "The cursor is the last id, as `starting_after`", tmp_path) as loader:
        loader.refresh("full")
        assert ids(loader) == [record["id"] for record in records]


def test_an_address_in_a_header_leads_on(api: FakeApi, tmp_path: Path) -> None:
    records = rows(100)

    @api.route(PATH)
    def answer(asked: Asked) -> Reply:
        start = int(asked.query.get("token", ["0"])[0])
        behind = start + 40
        headers = {"Next-Page": f"{api.url}{PATH}?limit=40&token={behind}"} if behind < len(records) else {}
        return Reply(body={"data": records[start:behind]}, headers=headers)

    with loading(api, "The next page is in another header", tmp_path) as loader:
        loader.refresh("full")
        assert ids(loader) == [record["id"] for record in records]


def by_change(api: FakeApi, records: list[Record], stamp: Callable[[Record], str]) -> None:
    """Answers with the records whose stamp is at or after `updated_since`."""

    @api.route(PATH)
    def answer(asked: Asked) -> Reply:
        since = datetime.fromisoformat(asked.query.get("updated_since", ["2000-01-01T00:00:00Z"])[0])
        found = [record for record in records if datetime.fromisoformat(stamp(record)) >= since]
        start = int(asked.query["offset"][0])
        return Reply(body={"data": found[start : start + 100], "total": len(found)})


def test_the_creation_stands_in_for_a_change_that_never_was(api: FakeApi, tmp_path: Path) -> None:
    records: list[Record] = [
        {"id": "1", "created_at": "2026-01-01T00:00:00Z", "modified": None},
        {"id": "2", "created_at": "2026-01-02T00:00:00Z", "modified": "2026-01-05T00:00:00Z"},
    ]
    by_change(api, records, lambda record: record["modified"] or record["created_at"])
    with loading(api, "An invoice that was never edited has no change stamp", tmp_path) as loader:
        loader.refresh()
        records.append({"id": "3", "created_at": "2026-01-06T00:00:00Z", "modified": None})
        done = loader.refresh()
        assert ids(loader) == ["1", "2", "3"]
        assert done.swept.rows == 2
        assert loader.cursor == "2026-01-06T00:00:00Z"


def test_a_tombstone_marks_a_deletion_and_keeps_the_values(api: FakeApi, tmp_path: Path) -> None:
    records: list[Record] = [
        {"id": "1", "total": 10, "updated_at": "2026-01-01T00:00:00Z"},
        {"id": "2", "total": 20, "updated_at": "2026-01-02T00:00:00Z"},
    ]
    by_change(api, records, lambda record: record["updated_at"])
    with loading(api, "Deleted invoices come as tombstones", tmp_path) as loader:
        loader.refresh()
        records[0] = {"id": "1", "deleted": True, "updated_at": "2026-01-03T00:00:00Z"}
        loader.refresh()
        rows = loader.query("SELECT id, total, deleted_at IS NULL FROM invoices ORDER BY id")
        assert [(name, int(total), is_live) for name, total, is_live in rows] == [("1", 10, False), ("2", 20, True)]


def test_the_highest_version_counts(api: FakeApi, tmp_path: Path) -> None:
    records = [
        {"id": "1", "version": 2, "total": 20, "updated_at": "2026-01-02T00:00:00Z"},
        {"id": "1", "version": 1, "total": 10, "updated_at": "2026-01-01T00:00:00Z"},
    ]
    by_change(api, records, lambda record: str(record["updated_at"]))
    with loading(api, "One invoice comes in several versions", tmp_path) as loader:
        loader.refresh("full")
        assert [int(total) for (total,) in loader.query("SELECT total FROM invoices")] == [20]
