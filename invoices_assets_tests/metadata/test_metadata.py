"""What a run says of itself: true numbers, in the metadata, the checks and the event log."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from invoices_assets.refresh import progress
from invoices_assets_tests.support.project import Project
from invoices_assets_tests.support.rows import put_rows
from invoices_assets_tests.support.sandbox_client import get
from invoices_assets_tests.support.sweep_helpers import config
from invoices_assets_tests.vendor import SANDBOX_KEY, Book, Contract, Vendor, faults, serve

First = tuple[Project, dg.ExecuteInProcessResult]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[First]:
    """The first load of 250 invoices, which nobody changes afterwards."""
    with pytest.MonkeyPatch.context() as patch, serve(book=Book.of(250)) as server:
        project = Project(patch, tmp_path_factory.mktemp("first"), server.url)
        yield project, project.run()


def told(project: Project, result: dg.ExecuteInProcessResult, level: int = logging.INFO) -> list[str]:
    """The messages of a level that the run itself wrote into Dagster's event log."""
    logs = project.instance.all_logs(result.run_id)
    return [entry.user_message for entry in logs if not entry.is_dagster_event and entry.level == level]


def test_the_first_load_tells_what_it_fetched_and_loaded(project: Project, server: Vendor, book: Book) -> None:
    shown = project.metadata(project.run())
    pages = [get(server, limit=100, offset=offset) for offset in (0, 99, 198)]
    expected = {
        "rows_fetched": 250,
        "pages": 3,
        "passes": 1,
        "requests": 3,
        "retries": 0,
        "seconds_waited": 0,
        "bytes": sum(len(page.content) for page in pages),
        "api_total": 250,
        "complete": True,
        "loaded": True,
        "cursor_after": max(record["updated_at"] for record in book.records),
        "rows_new": 250,
        "rows_changed": 0,
        "rows_unchanged": 0,
        "rows_deleted": 0,
        "rows_returned": 0,
        "rows_rejected": 0,
        "table_rows": 250,
    }
    assert {name: shown[name] for name in expected} == expected
    assert not {"cursor_before", "remarks", "misfits", "missed_by_incremental", "history_versions"} & shown.keys()


def test_dagster_hears_of_the_lists_after_the_records_where_only_these_were_chosen(project: Project) -> None:
    job, chosen = project.definitions().resolve_implicit_global_asset_job_def(), dg.AssetKey(["invoicing", "invoices"])
    result = job.execute_in_process(instance=project.instance, asset_selection=[chosen])
    keys = [event.asset_key for event in result.all_events if event.is_step_materialization]
    assert keys[0] == chosen
    assert dg.AssetKey(["invoicing", "invoices__line_items"]) in keys


def test_the_stages_take_no_longer_than_the_whole(first: First) -> None:
    project, result = first
    shown = project.metadata(result)
    seconds = {row.data["stage"]: row.data["seconds"] for row in shown["seconds"].records}
    assert {"sweep", "compare", "commit", "total"} <= set(seconds)
    assert 0 < seconds["sweep"] + seconds["compare"] + seconds["commit"] <= shown["seconds_total"] + 0.01


def test_the_table_name_can_be_queried_as_it_stands(first: First) -> None:
    project, result = first
    shown = project.metadata(result)
    with duckdb.connect(str(project.warehouse), read_only=True) as connection:
        count = connection.execute(f"SELECT count(*) FROM {shown['dagster/table_name']}").fetchone()
        assert count == (250,)


def test_a_run_that_loads_nothing_tells_so_and_knows_the_table(project: Project, server: Vendor, book: Book) -> None:
    project.run()
    asked = len(server.requests)
    shown = project.metadata(project.run())
    newest = max(record["updated_at"] for record in book.records)
    assert (shown["rows_new"], shown["rows_changed"], shown["rows_deleted"]) == (0, 0, 0)
    assert shown["rows_unchanged"] == shown["rows_fetched"] > 0
    assert shown["table_rows"] == 250
    assert (shown["cursor_before"], shown["cursor_after"]) == (newest, newest)
    assert shown["complete"]
    assert "load_id" not in shown
    assert shown["requests"] == len(server.requests) - asked
    assert len(shown["dagster/column_schema"].columns) > 20


def test_new_and_changed_rows_are_told_apart(project: Project, book: Book) -> None:
    put_rows(project, 250)
    for number in (3, 4, 5):
        book.update(f"inv_000000{number}", status="void")
    for name in ("a", "b"):
        book.insert(book.records[0] | {"id": f"inv_{name}", "updated_at": "2026-11-17T00:00:00Z"})
    shown = project.metadata(project.run())
    assert (shown["rows_new"], shown["rows_changed"], shown["table_rows"]) == (2, 3, 252)
    newest = max(record["updated_at"] for record in book.records)
    assert shown["cursor_before"] < shown["cursor_after"] == newest


def test_deleted_and_returned_rows_are_told(project: Project, book: Book) -> None:
    put_rows(project, 250)
    gone = book.records[9]
    book.delete(gone["id"])
    shown = project.metadata(project.run("reconcile_invoices"))
    assert (shown["rows_deleted"], shown["table_rows"]) == (1, 250)
    book.insert(gone)
    shown = project.metadata(project.run("reconcile_invoices"))
    assert (shown["rows_returned"], shown["rows_deleted"], shown["table_rows"]) == (1, 0, 250)


def test_retries_and_waits_are_told(project: Project, server: Vendor) -> None:
    server.faults.append(faults.status(503, on=2))
    shown = project.metadata(project.run())
    assert (shown["retries"], shown["requests"]) == (1, 4)
    assert 2 <= shown["seconds_waited"] < 3


def test_the_columns_are_shown_with_types_and_descriptions(first: First) -> None:
    project, result = first
    columns = {column.name: column for column in project.metadata(result)["dagster/column_schema"].columns}
    assert columns["total"].type == "DECIMAL(38,9)"
    assert columns["total"].description == "Amount including tax"
    assert columns["customer__name"].type == "VARCHAR"
    assert columns["issue_date"].type == "DATE"
    assert columns["updated_at"].type == "TIMESTAMP WITH TIME ZONE"


def test_a_cursor_with_a_fraction_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    content = config()
    content["resources"][0]["columns"]["updated_at"] = {"data_type": "timestamp", "x-format": "epoch_s"}
    book = Book.of(3, lambda record: record | {"updated_at": Decimal("1700000000.25")})
    with serve(book=book, contract=Contract(filters=())) as server:
        project = Project(monkeypatch, tmp_path, server.url, source=content)
        assert project.metadata(project.run())["cursor_after"] == "1700000000.25"
        assert project.metadata(project.run())["cursor_before"] == "1700000000.25"


def test_a_run_says_in_one_sentence_what_it_did(project: Project, book: Book) -> None:
    [first] = [text for text in told(project, project.run()) if text.startswith("invoices: ")]
    assert first.startswith("invoices: 250 new, 0 changed, 250 rows in invoicing.invoices; 3 pages, ")
    book.update("inv_0000003", status="void")
    book.delete("inv_0000004")
    said = told(project, project.run("reconcile_invoices"))
    [second] = [text for text in said if text.startswith("invoices: ")]
    assert "invoices: 0 new, 1 changed, 1 deleted, 250 rows in invoicing.invoices; 3 pages, " in second


def test_an_error_that_nobody_foresaw_leaves_no_key_in_the_event_log(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise ValueError(f"a bug, with {SANDBOX_KEY} in hand")

    monkeypatch.setattr("invoices_assets.refresh.source.sweep_resource", refuse)
    result = project.run()
    assert not result.success
    log = [dg.serialize_value(entry) for entry in project.instance.all_logs(result.run_id)]
    assert any("a bug, with ***" in entry for entry in log)
    assert not any(SANDBOX_KEY in entry for entry in log)


def test_progress_of_a_long_sweep_is_in_the_event_log(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PROGRESS_EVERY_SECONDS", 0.0)
    said = [text for text in told(project, project.run()) if "rows/s" in text]
    assert len(said) == 3
    assert said[0].startswith("invoices: ████░░░░░░░░ 40 %, 100 of 250 rows, ")
    assert said[0].endswith(" s left")


def test_a_short_sweep_does_not_report_progress(first: First) -> None:
    project, result = first
    assert not [text for text in told(project, result) if "rows/s" in text]


def test_a_run_on_the_sandbox_says_that_its_rows_are_invented(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    project = Project(monkeypatch, tmp_path)
    result = project.run(limit=1)
    warnings = told(project, result, level=logging.WARNING)
    assert [text for text in warnings if "invented" in text and "INVOICES_API_BASE_URL" in text]
    assert project.metadata(result)["dagster/table_name"] == "sandbox.sandbox.invoices"
