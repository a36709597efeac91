"""What the warehouse holds, against what the server has: row by row, digit by digit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import duckdb
import pytest

from invoices_assets.extract import api
from invoices_assets.extract.http.client import HttpClient
from invoices_assets_tests.support.fake_clock import FakeClock
from invoices_assets_tests.support.project import Project
from invoices_assets_tests.vendor import Book, serve

Row = tuple[Any, ...]


class HasWarehouse(Protocol):
    """A project in this process, or one deployed elsewhere."""

    @property
    def warehouse(self) -> Path: ...


NEUTRAL = "id, number, status, currency, issue_date, due_date, total, amount_paid, amount_due, created_at, updated_at"
"""The columns that the default source file declares."""

_OTHERS = "customer__id, customer__name, customer__vat_id, note, subtotal, tax_amount, paid_at"
_LINES = "description, quantity, unit_price, tax_rate, amount"


def loaded(project: HasWarehouse, columns: str = f"{NEUTRAL}, {_OTHERS}") -> list[Row]:
    """The rows of `invoices` that are not marked as deleted, by id; none where there is no table yet."""
    with _opened(project) as warehouse:
        return _invoices(warehouse, columns)


def loaded_lines(project: HasWarehouse) -> list[Row]:
    """The line items of those, with the id of their invoice and their position."""
    with _opened(project) as warehouse:
        return _line_items(warehouse)


@contextmanager
def _opened(project: HasWarehouse) -> Iterator[duckdb.DuckDBPyConnection]:
    path = project.warehouse
    with duckdb.connect(str(path) if path.exists() else ":memory:", read_only=path.exists()) as warehouse:
        warehouse.execute("SET TimeZone = 'UTC'")
        if warehouse.execute("SELECT 1 FROM duckdb_schemas() WHERE schema_name = 'invoicing'").fetchone():
            warehouse.execute("USE invoicing")
        yield warehouse


def _invoices(warehouse: duckdb.DuckDBPyConnection, columns: str) -> list[Row]:
    there = _columns(warehouse, "invoices")
    if not there:
        return []
    # Undeclared fields that were null so far are no columns yet.
    names = [name if name in there else "NULL" for name in columns.split(", ")]
    query = f"SELECT {', '.join(names)} FROM invoices WHERE deleted_at IS NULL ORDER BY id"
    return warehouse.execute(query).fetchall()


def _line_items(warehouse: duckdb.DuckDBPyConnection) -> list[Row]:
    if not _columns(warehouse, "invoices__line_items"):
        return []
    return warehouse.execute(
        f"SELECT i.id, l._dlt_list_idx, {', '.join('l.' + name for name in _LINES.split(', '))} "
        "FROM invoices__line_items l JOIN invoices i ON i._dlt_id = l._dlt_parent_id "
        "WHERE i.deleted_at IS NULL ORDER BY 1, 2"
    ).fetchall()


def _columns(warehouse: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    query = "SELECT column_name FROM duckdb_columns() WHERE schema_name = current_schema() AND table_name = ?"
    return [name for (name,) in warehouse.execute(query, [table]).fetchall()]


def invoices(records: Iterable[Mapping[str, Any]]) -> list[Row]:
    """The rows that these records of the sandbox must become, see `loaded`."""
    return sorted(_row(record) for record in records)


def neutral(records: Iterable[Mapping[str, Any]]) -> list[Row]:
    """The same for the columns of `NEUTRAL`."""
    return [row[: len(NEUTRAL.split(","))] for row in invoices(records)]


def lines(records: Iterable[Mapping[str, Any]]) -> list[Row]:
    """The rows that the line items of these records must become, see `loaded_lines`."""
    return sorted(
        (record["id"], at, item["description"], *(Decimal(item[name]) for name in _LINES.split(", ")[1:]))
        for record in records
        for at, item in enumerate(record["line_items"])
    )


def assert_same_as(project: HasWarehouse, book: Book) -> None:
    """The warehouse has what the server has: every invoice, every line, to the last digit."""
    with _opened(project) as warehouse:
        assert_holds(warehouse, book)


def assert_holds(warehouse: duckdb.DuckDBPyConnection, book: Book) -> None:
    """The same for an open warehouse, of whatever kind, with the schema of the tables in use."""
    assert _invoices(warehouse, f"{NEUTRAL}, {_OTHERS}") == invoices(book.records)
    assert _line_items(warehouse) == lines(book.records)


@contextmanager
def untouched(project: HasWarehouse) -> Iterator[None]:
    """The warehouse is byte for byte the same afterwards, and there is none if there was none."""
    before = fingerprint(project.warehouse)
    yield
    assert fingerprint(project.warehouse) == before
    assert not Path(f"{project.warehouse}.wal").exists()
    assert not Path(f"{project.warehouse}.runs").exists()


def fingerprint(path: Path) -> str | None:
    """Of a file; None where there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None


def put_rows(project: HasWarehouse, count: int) -> None:
    """Gives a project a warehouse that an earlier run has filled with the first invoices of `Book.of`."""
    project.warehouse.parent.mkdir(exist_ok=True)
    project.warehouse.write_bytes(_filled(count))


@lru_cache(maxsize=4)
def _filled(count: int) -> bytes:
    with (
        TemporaryDirectory() as folder,
        pytest.MonkeyPatch.context() as patch,
        serve(Book.of(count)) as server,
    ):
        # the API of the test is on another port
        patch.setattr(api.Api, "address", None)
        project = Project(patch, Path(folder), server.url)
        assert project.run().success
        return project.warehouse.read_bytes()


def without_waits(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """Lets the waits of all clients take no time; returns the clock that they wait by."""
    clock = FakeClock()

    def client(**settings: Any) -> HttpClient:
        return HttpClient(**settings, clock=clock)

    monkeypatch.setattr(api, "HttpClient", client)
    return clock


def _row(record: Mapping[str, Any]) -> Row:
    customer = record["customer"]
    return (
        record["id"],
        record["number"],
        record["status"],
        record["currency"],
        _day(record["issue_date"]),
        _day(record["due_date"]),
        *(Decimal(record[name]) for name in ("total", "amount_paid", "amount_due")),
        _moment(record["created_at"]),
        _moment(record["updated_at"]),
        customer["id"],
        customer["name"],
        customer["vat_id"],
        record["note"],
        Decimal(record["subtotal"]),
        Decimal(record["tax_amount"]),
        record["paid_at"],
    )


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)
