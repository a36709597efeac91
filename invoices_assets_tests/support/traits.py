"""Traits of APIs that exist: an API, the source file that describes it, and how it changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from invoices_assets_tests.support.project import Project
from invoices_assets_tests.support.rows import assert_same_as
from invoices_assets_tests.support.sweep_helpers import config, swept_from
from invoices_assets_tests.vendor import Book, Contract, serve

SECRET = "k3y-of-the-traits"
Record = dict[str, Any]


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


def offset(**settings: Any) -> Record:
    return {"type": "offset", "limit": 100, "total_path": "total", **settings}


@dataclass(frozen=True)
class Trait:
    """An API and the source file that describes it."""

    contract: Contract = field(default_factory=Contract)
    source: Mapping[str, Any] = field(default_factory=source)
    key: str = SECRET
    records: int = 230


def trait(name: str, **parts: Any) -> Any:
    return pytest.param(Trait(**parts), id=name)


def assert_swept_exactly(api: Trait) -> None:
    """A sweep proves to be complete, and brings every record as it is written there."""
    book = Book.of(api.records)
    with serve(book, contract=api.contract, key=SECRET) as server:
        result, swept = swept_from(server, dict(api.source), key=api.key)
    assert {record["id"]: record for record in swept.records} == {record["id"]: record for record in book.records}
    assert result.distinct == len(book)
    assert result.complete is True


def assert_loaded_exactly(api: Trait, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    book = Book.of(api.records)
    with serve(book, contract=api.contract, key=SECRET) as server:
        project = Project(monkeypatch, folder, server.url, api.key, dict(api.source))
        result = project.run()
        assert result.success, project.failure(result)
        assert_same_as(project, book)


def change(book: Book, at: datetime | None = None) -> None:
    """Changes one invoice and adds one, now or at a moment."""
    now = (at or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
    book.update("inv_0000007", status="void", updated_at=now)
    book.insert({**Book.of(1, seed=3).records[0], "id": "inv_9999999", "created_at": now, "updated_at": now})


def named(rows: list[Any], *names: str) -> list[Any]:
    """The rows of these names."""
    by_name = {row.id: row for row in rows}
    return [by_name[name] for name in names]
