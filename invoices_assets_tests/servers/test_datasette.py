"""Datasette: links to the next page, a total in the body, a filter by column, over a SQLite file that is the truth."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from invoices_assets_tests.support.drafting import draft_of
from invoices_assets_tests.support.project import Project
from invoices_assets_tests.support.servers import contradicted, example, running

INVOICES = 430
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
TABLES = """
CREATE TABLE invoices (id INTEGER PRIMARY KEY, currency TEXT, issue_date TEXT, total TEXT, amount_due_cents INTEGER,
    note TEXT, updated_at TEXT NOT NULL);
CREATE TABLE line_items (id INTEGER PRIMARY KEY, invoice_id INTEGER REFERENCES invoices, amount NUMERIC);
"""


@dataclass
class Shown:
    """A SQLite file and the address of the Datasette that shows it."""

    url: str
    path: Path

    def write(self, statement: str, *rows: tuple[Any, ...]) -> None:
        with closing(sqlite3.connect(self.path)) as database, database:
            database.executemany(statement, rows or [()])

    def read(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path)) as database:
            return database.execute(query).fetchall()

    def add(self, numbers: range) -> None:
        rows = [
            (
                *(n, ("EUR", "USD")[n % 2], f"2026-{1 + n % 12:02}-{1 + n % 28:02}", f"{n * 7919}.{n % 100:02}"),
                *(n * 103, None if n % 3 else f"Größe {n}", at(n)),
            )
            for n in numbers
        ]
        self.write("INSERT INTO invoices VALUES (?, ?, ?, ?, ?, ?, ?)", *rows)
        lines = [(n * 2 + line, n, f"{n * 13 + line}.{line}5") for n in numbers for line in (0, 1)]
        self.write("INSERT INTO line_items VALUES (?, ?, ?)", *lines)


def at(minutes: int) -> str:
    """The stamp so many minutes after the beginning."""
    return (BEGAN + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    folder = tmp_path_factory.mktemp("datasette")
    path = folder / "invoices.db"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(TABLES)
    command = ["-m", "datasette", "serve", str(path), "-h", "127.0.0.1", "-p", "{port}"]
    with running("datasette", command, folder, "/-/versions.json") as url:
        server = Shown(url, path)
        server.add(range(1, INVOICES + 1))
        yield server


def test_all_is_loaded_refreshed_and_reconciled_to_the_cent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shown: Shown
) -> None:
    project = Project(monkeypatch, tmp_path, shown.url, source=example("datasette"))
    result = project.run()
    assert result.success, project.failure(result)
    assert (project.metadata(result).get("remarks"), project.metadata(result)["end_proven"]) == (None, True)
    assert (project.metadata(result)["pages"], project.metadata(result)["api_total"]) == (5, INVOICES)
    assert_same(project, shown)

    shown.add(range(INVOICES + 1, INVOICES + 31))
    changed = [(f"{n}.99", n * 10, at(2 * INVOICES + n), n) for n in range(100, 260)]
    shown.write("UPDATE invoices SET total = ?, amount_due_cents = ?, updated_at = ? WHERE id = ?", *changed)
    done = project.metadata(project.run())
    assert (done["rows_new"], done["rows_changed"], done["rows_unchanged"]) == (30, 160, 11)
    assert_same(project, shown)

    shown.write("DELETE FROM line_items WHERE invoice_id BETWEEN 300 AND 320")
    shown.write("DELETE FROM invoices WHERE id BETWEEN 300 AND 320")
    done = project.metadata(project.run("reconcile_invoices"))
    assert (done["rows_deleted"], done["missed_by_incremental"]) == (21, 0)
    assert_same(project, shown)


def test_the_server_contradicts_nothing_of_the_example(shown: Shown) -> None:
    assert contradicted("datasette", shown.url) == []


def assert_same(project: Project, shown: Shown) -> None:
    stored = project.query(
        "SELECT id, currency, issue_date, total, amount_due, note, updated_at FROM invoices "
        "WHERE deleted_at IS NULL ORDER BY id"
    )
    assert stored == [
        (
            id,
            currency,
            date.fromisoformat(day),
            Decimal(total),
            Decimal(cents) / 100,
            note,
            datetime.fromisoformat(stamp),
        )
        for id, currency, day, total, cents, note, stamp in shown.read("SELECT * FROM invoices ORDER BY id")
    ]
    lines = project.query("SELECT id, invoice_id, amount FROM line_items WHERE deleted_at IS NULL ORDER BY id")
    assert lines == [
        (id, invoice, Decimal(str(amount)))
        for id, invoice, amount in shown.read("SELECT * FROM line_items ORDER BY id")
    ]


def test_a_draft_loads_and_refreshes_without_an_edit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shown: Shown
) -> None:
    content = draft_of(shown.url, "/invoices/invoices.json")
    project = Project(monkeypatch, tmp_path, shown.url, source=content)
    result = project.run()
    assert result.success, project.failure(result)
    assert (project.metadata(result).get("remarks"), project.metadata(result)["end_proven"]) == (None, True)
    shown.write("UPDATE invoices SET total = '0.01', updated_at = ? WHERE id = 7", (at(9 * INVOICES),))
    assert project.metadata(project.run())["rows_changed"] == 1
    stored = project.query(
        "SELECT id, currency, issue_date, total, amount_due_cents, note, updated_at FROM invoices ORDER BY id"
    )
    assert stored == [
        (id, currency, date.fromisoformat(day), Decimal(total), cents, note, datetime.fromisoformat(stamp))
        for id, currency, day, total, cents, note, stamp in shown.read("SELECT * FROM invoices ORDER BY id")
    ]
