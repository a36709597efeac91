"""The main job into a warehouse that machines share, by its settings alone; and nobody shows its password."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.warehouses.catalogs import catalog_of
from invoices_assets.load.warehouses.connection import open_warehouse
from invoices_assets_tests.support.project import Project
from invoices_assets_tests.support.warehouses import PASSWORD, execute, extension_or_skip, postgres_server
from invoices_assets_tests.vendor import Book, serve

POSTGRES = "DESTINATION__POSTGRES__CREDENTIALS"
LAKE = "DESTINATION__DUCKLAKE__CREDENTIALS__"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres_server() as dsn:
        yield dsn


def into(project: Project, destination: str, dsn: str) -> None:
    """Sets the warehouse of a project."""
    project.monkeypatch.setenv("INVOICES_DESTINATION", destination)
    project.monkeypatch.setenv("INVOICES_WORK_DIR", str(project.folder / "work"))
    if destination == "postgres":
        project.monkeypatch.setenv(POSTGRES, dsn)
    else:
        extension_or_skip("ducklake")
        project.monkeypatch.setenv(f"{LAKE}CATALOG", dsn)
        project.monkeypatch.setenv(f"{LAKE}STORAGE", str(project.folder / "lake"))


@pytest.mark.parametrize("destination", ["postgres", "ducklake"])
def test_refresh_and_reconcile_are_exact_and_leave_nothing_on_the_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: str, destination: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    book = Book.of(120)
    with serve(book=book) as api:
        project = Project(monkeypatch, tmp_path, api.url)
        into(project, destination, server)
        first = project.run()
        assert first.success, project.failure(first)
        expected = sum(record["amount_paid"] for record in book.records)
        for record in book.records[:10]:
            book.delete(record["id"])
        second = project.run("reconcile_invoices")
        assert second.success, project.failure(second)
        assert project.metadata(second)["rows_deleted"] == 10
        with open_warehouse(
            catalog_of(WarehouseSettings("invoicing", destination=destination)), read_only=True
        ) as connection:
            found = connection.execute(
                "SELECT count(*), sum(amount_paid), count(deleted_at) FROM warehouse.invoicing.invoices"
            ).fetchone()
        assert found == (120, expected, 10)
    assert not (tmp_path / "data").exists()
    (work,) = (tmp_path / "work").iterdir()
    assert list(work.iterdir()) == []
    events = "".join(str(record) for run in (first, second) for record in run.all_events)
    assert PASSWORD not in events + caplog.text


def test_a_warehouse_that_refuses_is_one_sentence_without_the_password_and_the_api_is_not_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: str
) -> None:
    execute(server, f"CREATE USER nobody_much PASSWORD '{PASSWORD}'")
    with serve(book=Book.of(5)) as api:
        project = Project(monkeypatch, tmp_path, api.url)
        into(project, "postgres", server.replace("loader:", "nobody_much:"))
        result = project.run()
        assert not result.success
        assert f"the user of {POSTGRES} lacks a right" in project.failure(result)
        assert PASSWORD not in "".join(str(event) for event in result.all_events)
        assert len(api.requests) == 0
