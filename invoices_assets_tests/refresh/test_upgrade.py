"""Warehouses that somebody else began: plain dlt under the same names, and this project itself."""

from __future__ import annotations

from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from typing import Any

import dlt
import duckdb
import pytest
from dlt.sources.rest_api import rest_api_source

from invoices_assets.errors import TableRefused
from invoices_assets_tests.support.invoices import invoice, stamped
from invoices_assets_tests.support.loader import Loader, loaded
from invoices_assets_tests.support.project import Project
from invoices_assets_tests.support.sweep_helpers import config
from invoices_assets_tests.vendor import Book, Contract, Paging, Vendor, serve


def record(at: int, **fields: Any) -> dict[str, Any]:
    return invoice(f"{at:03}", line_items=[{"sku": f"s{at}", "count": at}], **fields)


@pytest.fixture
def book() -> Book:
    return Book(record(at) for at in range(30))


@pytest.fixture
def loader(tmp_path: Path, server: Vendor) -> Loader:
    return Loader(tmp_path, server.url)


def plain_dlt(
    server: Vendor, path: Path, *, pipeline: str = "invoicing", source: str = "invoicing", hints: bool = True
) -> None:
    """The same source file run without this project, into the same dataset."""
    content: dict[str, Any] = deepcopy(config())
    content["client"] = {
        "base_url": server.url,
        "auth": {"type": "api_key", "name": "api_key", "location": "query", "api_key": server.key},
    }
    for hint in [] if hints else content["resources"]:
        del hint["columns"]
    run = dlt.pipeline(
        pipeline,
        pipelines_dir=str(path.parent / "dlt"),
        destination=dlt.destinations.duckdb(str(path)),
        dataset_name="invoicing",
    )
    run.run(rest_api_source(content, name=source)).raise_on_failed_jobs()
    run.drop()


def assert_equal(loader: Loader, book: Book) -> None:
    expected = [(row["id"], Decimal(row["total"]), row["line_items"][0]["count"]) for row in book.records]
    stored = loader.query(
        "SELECT i.id, total, l.count FROM invoices i "
        "JOIN invoices__line_items l ON l._dlt_root_id = i._dlt_id WHERE deleted_at IS NULL ORDER BY 1"
    )
    assert stored == sorted(expected)


@pytest.mark.parametrize(
    ("pipeline", "source"), [("by_hand", "rest_api"), ("invoicing", "rest_api"), ("invoicing", "invoicing")]
)
def test_a_warehouse_that_plain_dlt_began_is_continued(
    pipeline: str, source: str, loader: Loader, server: Vendor, book: Book
) -> None:
    plain_dlt(server, loader.settings.path, pipeline=pipeline, source=source)
    book.update("007", total=11, updated_at=stamped(60))
    book.insert(record(30, updated_at=stamped(60)))
    done = loader.refresh()
    assert (loaded(done).new, loaded(done).changed) == (1, 29 + 1)
    assert_equal(loader, book)
    assert loader.cursor == stamped(60)
    book.delete("008")
    assert loader.load("reconcile").deleted == 1
    assert loader.load().load_id is None
    assert_equal(loader, book)


def test_a_cursor_that_plain_dlt_left_behind_is_not_trusted_for_rows_that_it_lost(loader: Loader, book: Book) -> None:
    with serve(book=book, contract=Contract(paging=Paging(largest=10))) as server:
        plain_dlt(server, loader.settings.path)
        loader.url = server.url
        [(rows,)] = loader.query("SELECT count(*) FROM invoices")
        assert rows < 30
        done = loader.refresh()
        assert done.cursor_before is None
        assert (
            "the stored cursor was not relied on: the table invoicing.invoices was written by plain dlt" in done.remarks
        )
        assert_equal(loader, book)


def test_numbers_that_plain_dlt_split_over_columns_are_refused_with_the_way_out(
    loader: Loader, server: Vendor, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    book.insert(record(30, total=Decimal("10.5")))
    plain_dlt(server, loader.settings.path, hints=False)
    assert "total__v_double" in {name for (name,) in loader.query("SELECT column_name FROM duckdb_columns()")}
    before = loader.query("SELECT * FROM invoices ORDER BY id")
    with pytest.raises(TableRefused, match=r"total__v_double.*duckdb_path"):
        loader.refresh()
    assert loader.query("SELECT * FROM invoices ORDER BY id") == before

    (loader.folder / "data").mkdir()
    loader.settings.path.rename(loader.folder / "data" / "invoices.duckdb")
    project = Project(monkeypatch, loader.folder, server.url)
    assert "plain dlt" in project.failure(project.run())
    monkeypatch.setenv("INVOICES_DUCKDB_PATH", str(loader.settings.path))
    assert project.run("reconcile_invoices").success
    assert loader.query("SELECT sum(total) FROM invoices") == [(Decimal("310.5"),)]


def test_plain_dlt_can_go_on_with_a_warehouse_of_this_project(loader: Loader, server: Vendor, book: Book) -> None:
    loader.refresh()
    book.insert(record(30, updated_at=stamped(60)))
    plain_dlt(server, loader.settings.path)
    assert loader.query("SELECT count(*), count(DISTINCT id) FROM invoices") == [(31, 31)]
    book.update("030", total=11, updated_at=stamped(70))
    loader.refresh()
    assert_equal(loader, book)


@pytest.mark.parametrize(
    ("damage", "doubt"),
    [
        ("DROP TABLE invoicing.invoices", "the table invoicing.invoices is missing or empty"),
        ("ALTER TABLE invoicing.invoices RENAME TO kept", "the table invoicing.invoices is missing or empty"),
        ("DELETE FROM invoicing.invoices", "the table invoicing.invoices is missing or empty"),
        ("ALTER TABLE invoicing.invoices DROP COLUMN total", "the table invoicing.invoices has lost total"),
        (
            "DROP TABLE invoicing.invoices__line_items",
            "the table invoicing.invoices__line_items is missing",
        ),
        ("DROP TABLE invoicing._dlt_pipeline_state", None),
        ("DROP TABLE invoicing._dlt_loads", None),
    ],
)
def test_a_warehouse_that_somebody_has_taken_from_is_filled_again(
    damage: str, doubt: str | None, loader: Loader, book: Book
) -> None:
    loader.refresh()
    with duckdb.connect(str(loader.settings.path)) as connection:
        connection.execute(damage)
    done = loader.refresh()
    assert done.cursor_before is None
    told = [remark for remark in done.remarks if "relied on" in remark]
    assert told == ([f"the stored cursor was not relied on: {doubt}"] if doubt else [])
    assert_equal(loader, book)
    assert loader.load().load_id is None


@pytest.mark.parametrize("partly", [{"limit": 1}, {"since": stamped(30)}])
def test_a_cursor_that_is_not_relied_on_does_not_come_back_when_the_table_is_filled_in_part(
    partly: dict[str, Any], loader: Loader, book: Book
) -> None:
    loader.content = config(paginator={"type": "offset", "limit": 10, "total_path": "total"})
    loader.refresh()
    with duckdb.connect(str(loader.settings.path)) as connection:
        connection.execute("DELETE FROM invoicing.invoices")
    book.update("007", total=11, updated_at=stamped(60))
    loader.refresh(**partly)
    [(rows,)] = loader.query("SELECT count(*) FROM invoices")
    assert 0 < rows < 30
    assert loader.cursor is None
    loader.refresh()
    assert_equal(loader, book)


def test_child_rows_of_a_row_that_somebody_removed_do_not_double(loader: Loader, book: Book) -> None:
    loader.refresh()
    with duckdb.connect(str(loader.settings.path)) as connection:
        connection.execute("DELETE FROM invoicing.invoices WHERE id = '007'")
    loader.refresh("reconcile")
    assert_equal(loader, book)


def test_another_cursor_starts_anew_and_leaves_the_old_one(loader: Loader, server: Vendor) -> None:
    loader.refresh()
    server.requests.clear()
    loader.content = config(incremental={"cursor_path": "created_at", "start_param": "created_from", "lag": 600})
    loader.refresh()
    assert {call.query.get("created_from") for call in server.requests} == {None}
    assert loader.cursor == stamped(0)


def test_a_cursor_in_another_notation_than_before_is_asked_for_anew_in_full_mode(loader: Loader, book: Book) -> None:
    loader.refresh()
    book.insert(record(30, updated_at=stamped(60)))
    with serve(book=book, contract=Contract(stamps="epoch_s")) as changed:
        loader.url, loader.content = changed.url, config()
        loader.content["resources"][0]["columns"]["updated_at"]["x-format"] = "epoch_s"
        with pytest.raises(Exception, match="mode: full"):
            loader.refresh()
        loader.refresh("full")
        assert loader.cursor == 1709294460
        assert loader.refresh().swept.rows == 31
    assert_equal(loader, book)
