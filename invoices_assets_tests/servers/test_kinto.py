"""Kinto: a header that holds the address of the next page, stamps in milliseconds, deletions as tombstones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import requests

from invoices_assets_tests.support.drafting import draft_of
from invoices_assets_tests.support.project import Project
from invoices_assets_tests.support.servers import contradicted, example, running

KEY = "loader:an-invented-password"
RECORDS = "/v1/buckets/billing/collections/invoices/records"
INVOICES = 330
BATCH = 25
"""As many requests as Kinto takes in one."""

SETTINGS = """
[server:main]
use = egg:waitress#main
host = 127.0.0.1
port = %(http_port)s
[app:main]
use = egg:kinto
kinto.storage_backend = kinto.core.storage.memory
kinto.cache_backend = kinto.core.cache.memory
kinto.permission_backend = kinto.core.permission.memory
kinto.userid_hmac_secret = an invented secret
multiauth.policies = basicauth
"""


@dataclass
class Records:
    """A collection of a running Kinto, asked for single records: its list is what the project reads."""

    url: str
    ids: set[str] = field(default_factory=set)
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        user, _, password = KEY.partition(":")
        self.session.auth = (user, password)
        for path in ("/v1/buckets/billing", "/v1/buckets/billing/collections/invoices"):
            assert self.session.put(self.url + path, timeout=30).ok

    def put(self, *records: dict[str, Any]) -> None:
        self._send({"method": "PUT", "path": f"{RECORDS}/{one['id']}", "body": {"data": one}} for one in records)
        self.ids |= {one["id"] for one in records}

    def delete(self, *ids: str) -> None:
        self._send({"method": "DELETE", "path": f"{RECORDS}/{id}"} for id in ids)
        self.ids -= set(ids)

    def truth(self) -> list[dict[str, Any]]:
        found = self._send({"method": "GET", "path": f"{RECORDS}/{id}"} for id in sorted(self.ids))
        return [one["data"] for one in found]

    def _send(self, asked: Any) -> list[Any]:
        bodies: list[Any] = []
        rest = iter(asked)
        while some := list(islice(rest, BATCH)):
            answer = self.session.post(f"{self.url}/v1/batch", json={"requests": some}, timeout=60).json()
            assert all(one["status"] < 300 for one in answer["responses"]), answer
            bodies += [one["body"] for one in answer["responses"]]
        return bodies


def record(number: int, **changes: Any) -> dict[str, Any]:
    day = date(2026, 1, 1) + timedelta(days=number)
    return {
        "id": f"inv-{number:04}",
        "currency": ("EUR", "JPY")[number % 2],
        "issue_date": day.isoformat(),
        "total": f"{number * 7919}.{number % 100:02}",
        "customer": {"name": "Ærø & Søn", "vat": None if number % 5 else f"DK{number}"},
        "lines": [{"amount": f"{number}.{line}"} for line in range(number % 3)],
        **changes,
    }


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Records]:
    folder = tmp_path_factory.mktemp("kinto")
    (folder / "kinto.ini").write_text(SETTINGS)
    command = ["-c", "from kinto.__main__ import main; main()", "start", "--ini", "kinto.ini", "--port", "{port}"]
    with running("kinto", command, folder, "/v1/__heartbeat__") as url:
        server = Records(url)
        server.put(*map(record, range(INVOICES)))
        yield server


def test_all_is_loaded_refreshed_and_reconciled_to_the_cent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, records: Records
) -> None:
    project = Project(monkeypatch, tmp_path, records.url, KEY, example("kinto"))
    result = project.run()
    assert result.success, project.failure(result)
    assert (project.metadata(result).get("remarks"), project.metadata(result)["end_proven"]) == (None, True)
    assert project.metadata(result)["pages"] == 4
    assert_same(project, records)

    records.put(*(record(number) for number in range(INVOICES, INVOICES + 20)))
    records.put(*(record(number, total="0.10") for number in range(100, 220)))
    done = project.metadata(project.run())
    assert (done["rows_new"], done["rows_changed"], done["rows_deleted"]) == (20, 120, 0)
    assert_same(project, records)


def test_a_tombstone_among_the_changes_marks_the_invoice_as_deleted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, records: Records
) -> None:
    project = Project(monkeypatch, tmp_path, records.url, KEY, example("kinto"))
    project.run()
    records.delete("inv-0003", "inv-0004", "inv-0110")
    records.put(record(5, total="1.00"))
    done = project.metadata(project.run())
    assert (done["rows_changed"], done["rows_deleted"]) == (1, 3)
    assert_same(project, records)
    [(total, customer)] = project.query("SELECT total, customer__name FROM invoices WHERE id = 'inv-0003'")
    assert (total, customer) == (Decimal("23757.03"), "Ærø & Søn")
    assert project.metadata(project.run())["rows_deleted"] == 0

    records.put(record(4))
    assert project.metadata(project.run())["rows_returned"] == 1
    assert_same(project, records)
    assert project.metadata(project.run("reconcile_invoices"))["rows_deleted"] == 0
    assert_same(project, records)


def test_the_server_contradicts_nothing_of_the_example(records: Records) -> None:
    assert contradicted("kinto", records.url, KEY) == []


def assert_same(project: Project, records: Records) -> None:
    names = "id, currency, issue_date, total, customer__name, customer__vat, updated_at"
    stored = project.query(f"SELECT {names} FROM invoices WHERE deleted_at IS NULL ORDER BY id")
    invoices = records.truth()
    assert stored == [
        (
            *(one["id"], one["currency"], date.fromisoformat(one["issue_date"]), Decimal(one["total"])),
            *(one["customer"]["name"], one["customer"]["vat"]),
            datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=one["last_modified"]),
        )
        for one in invoices
    ]
    lines = project.query(
        "SELECT i.id, l.amount FROM invoices__lines l JOIN invoices i ON i._dlt_id = l._dlt_parent_id "
        "WHERE i.deleted_at IS NULL ORDER BY i.id, l._dlt_list_idx"
    )
    assert lines == [(one["id"], line["amount"]) for one in invoices for line in one["lines"]]


def test_a_draft_loads_refreshes_and_deletes_without_an_edit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, records: Records
) -> None:
    records.put(*(record(number) for number in range(INVOICES)))
    records.delete("inv-0007")
    project = Project(monkeypatch, tmp_path, records.url, KEY, draft_of(records.url, RECORDS, KEY))
    result = project.run()
    assert result.success, project.failure(result)
    assert drafted_rows(project) == [(one["id"], Decimal(one["total"])) for one in records.truth()]

    records.put(record(8, total="0.01"), record(INVOICES + 100))
    records.delete("inv-0009")
    done = project.metadata(project.run())
    assert (done["rows_new"], done["rows_changed"], done["rows_deleted"]) == (1, 1, 1)
    assert drafted_rows(project) == [(one["id"], Decimal(one["total"])) for one in records.truth()]


def drafted_rows(project: Project) -> list[tuple[Any, ...]]:
    return project.query("SELECT id, total FROM invoices WHERE deleted_at IS NULL ORDER BY id")
