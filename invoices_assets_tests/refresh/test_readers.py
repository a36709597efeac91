"""What docs/look-at-the-rows.md says about reading: by dlt's own pipeline, and while refreshes run."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlt
import duckdb
import pytest
from dlt.pipeline.pipeline import Pipeline

from invoices_assets_tests.conftest import PROJECT
from invoices_assets_tests.support.holding import held_open
from invoices_assets_tests.support.loader import Loader
from invoices_assets_tests.vendor import Book


@pytest.fixture
def copying() -> str:
    """The page's program for a copy."""
    page = (PROJECT / "docs" / "look-at-the-rows.md").read_text(encoding="utf-8")
    (program,) = [block for block in re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S) if "sys.argv" in block]
    return program


@pytest.fixture
def destination(loader: Loader) -> Any:
    """The loaded warehouse, as dlt's own destination."""
    loader.refresh()
    return dlt.destinations.duckdb({"database": str(loader.warehouse), "read_only": True})


@pytest.fixture
def attached(destination: Any, tmp_path: Path) -> Iterator[Pipeline]:
    pipeline = dlt.attach(
        "invoicing", pipelines_dir=str(tmp_path / "dlt"), destination=destination, dataset_name="invoicing"
    )
    yield pipeline
    if pipeline.is_active:  # a refresh deactivates whatever is
        pipeline.deactivate()


def copy_rows(program: str, warehouse: Path, copy: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", program, str(warehouse), str(copy)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def counted(connection: duckdb.DuckDBPyConnection) -> int:
    ((count,),) = connection.execute("SELECT count(*) FROM invoicing.invoices").fetchall()
    return int(count)


def cursor(pipeline: Pipeline) -> Any:
    sources: Any = pipeline.state["sources"]
    return sources["invoicing"]["resources"]["invoices"]["incremental"]["updated_at"]["last_value"]


# dlt's own pipeline


def test_attach_restores_the_schema(attached: Pipeline) -> None:
    assert attached.default_schema.name == "invoicing"
    assert attached.default_schema.data_table_names() == ["invoices", "invoices__line_items"]
    assert attached.default_schema.get_table("invoices")["columns"]["id"]["primary_key"]


def test_attach_restores_the_state(attached: Pipeline, loader: Loader) -> None:
    assert cursor(attached) == loader.cursor


def test_sync_destination_brings_what_another_refresh_has_changed(
    attached: Pipeline, loader: Loader, book: Book
) -> None:
    before = cursor(attached)
    book.update("inv_0000003", paid_by="card")
    loader.refresh()
    attached.sync_destination()
    assert before != cursor(attached) == loader.cursor
    assert "paid_by" in attached.default_schema.get_table("invoices")["columns"]


def test_the_dataset_counts_invoices_and_line_items(attached: Pipeline, loader: Loader) -> None:
    lines = loader.query("SELECT count(*) FROM invoices__line_items")
    assert attached.dataset().row_counts().fetchall() == [("invoices", 250), ("invoices__line_items", *lines[0])]


def test_the_dataset_gives_exact_rows(attached: Pipeline, loader: Loader) -> None:
    tables = attached.dataset().invoices.select("id", "total").iter_arrow(chunk_size=5000)
    found = {row["id"]: row["total"] for table in tables for row in table.to_pylist()}
    assert found == dict(loader.query("SELECT id, total FROM invoices"))


def test_the_dataset_takes_sql(attached: Pipeline, loader: Loader) -> None:
    sql = "SELECT sum(amount) FROM invoices__line_items"
    assert attached.dataset()(sql).fetchall() == loader.query(sql)


# While refreshes run


def test_a_copy_waits_for_whoever_writes(loader: Loader, copying: str, tmp_path: Path) -> None:
    loader.refresh()
    with held_open(loader.warehouse) as let_go, copy_rows(copying, loader.warehouse, tmp_path / "rows.duckdb") as copy:
        assert copy.stdout is not None
        assert copy.stdout.readline() == "waiting for a refresh\n"
        let_go()
        assert copy.wait(60) == 0
    with duckdb.connect(str(tmp_path / "rows.duckdb"), read_only=True) as rows:
        assert counted(rows) == 250


def test_a_copy_that_is_open_is_in_nobodys_way(loader: Loader, book: Book, copying: str, tmp_path: Path) -> None:
    rows = tmp_path / "rows.duckdb"
    loader.refresh()
    copy_rows(copying, loader.warehouse, rows).communicate()
    with duckdb.connect(str(rows), read_only=True) as opened:
        book.insert({**book.records[0], "id": "inv_new", "updated_at": "2027-01-01T00:00:00Z"})
        loader.refresh()
        copy_rows(copying, loader.warehouse, rows).communicate()
        assert counted(opened) == 250
    with duckdb.connect(str(rows), read_only=True) as opened:
        assert counted(opened) == 251
