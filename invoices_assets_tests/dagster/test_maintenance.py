"""The upkeep of the warehouse as a job: it runs by its settings, and tells what it did."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from invoices_assets.load.warehouses.lock import warehouse_lock
from invoices_assets_tests.support.project import Project
from invoices_assets_tests.support.warehouses import PASSWORD, extension_or_skip, postgres_server
from invoices_assets_tests.vendor import Book

JOB = "maintain_warehouse"
LAKE = "DESTINATION__DUCKLAKE__CREDENTIALS__"


@pytest.fixture
def server_of_catalogs() -> Iterator[str]:
    with postgres_server() as dsn:
        yield dsn


def told(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """The metadata of the step."""
    (output,) = (event for event in result.all_node_events if event.is_successful_output)
    return {name: value.value for name, value in output.step_output_data.metadata.items()}


def test_the_job_leaves_the_rows_of_a_duckdb_file_and_tells_its_size(project: Project, book: Book) -> None:
    assert project.run().success
    before = project.query("SELECT * FROM invoices ORDER BY id")
    result = project.run(JOB)
    assert result.success
    assert told(result)["bytes_after"] == project.warehouse.stat().st_size
    assert project.query("SELECT * FROM invoices ORDER BY id") == before
    assert project.run().success


def test_the_job_makes_no_warehouse_where_there_is_none(project: Project) -> None:
    result = project.run(JOB)
    assert result.success
    assert told(result) == {}
    assert not project.warehouse.exists()


def test_the_job_asks_the_api_for_nothing_and_needs_no_key(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    assert project.run().success
    monkeypatch.delenv("INVOICES_API_KEY")
    assert project.run(JOB).success


def test_the_job_waits_for_the_turn_of_a_load(project: Project) -> None:
    assert project.run().success
    config = {"resources": {"warehouse": {"config": {"lock_limit_seconds": 0.1}}}}
    job = project.definitions().resolve_job_def(JOB)
    with warehouse_lock(project.warehouse, limit_seconds=1, log=print):
        result = job.execute_in_process(instance=project.instance, run_config=config, raise_on_error=False)
    assert "another run has been loading into" in project.failure(result)


@pytest.mark.parametrize("days", [-1, 1e9, float("inf")])
def test_days_that_no_calendar_has_are_refused_by_name(project: Project, days: float) -> None:
    config = {"ops": {"upkeep": {"config": {"keep_snapshots_days": days}}}}
    job = project.definitions().resolve_job_def(JOB)
    result = job.execute_in_process(instance=project.instance, run_config=config, raise_on_error=False)
    assert "keep_snapshots_days" in project.failure(result)


def test_a_warehouse_that_cannot_be_used_is_one_sentence(project: Project) -> None:
    project.warehouse.parent.mkdir()
    project.warehouse.write_bytes(b"no database" * 1000)
    result = project.run(JOB)
    assert not result.success
    assert "is not a readable DuckDB database" in project.failure(result)


def test_the_job_drops_former_states_of_a_lake_as_its_config_says(
    project: Project, book: Book, server_of_catalogs: str, tmp_path: Path
) -> None:
    extension_or_skip("ducklake")
    project.monkeypatch.setenv("INVOICES_DESTINATION", "ducklake")
    project.monkeypatch.setenv(f"{LAKE}CATALOG", server_of_catalogs)
    project.monkeypatch.setenv(f"{LAKE}STORAGE", str(tmp_path / "lake"))
    for record in book.records[:3]:
        assert project.run("reconcile_invoices").success
        book.delete(record["id"])
    first = project.run(JOB)
    assert first.success, project.failure(first)
    assert told(first)["snapshots_expired"] == 0
    config = {"ops": {"upkeep": {"config": {"keep_snapshots_days": 0}}}}
    job = project.definitions().resolve_job_def(JOB)
    second = job.execute_in_process(instance=project.instance, run_config=config)
    assert told(second)["snapshots_expired"] > 3
    assert told(second)["files_removed"] > told(first)["files_removed"] == 0
    assert PASSWORD not in "".join(str(event) for run in (first, second) for event in run.all_events)
    assert project.run("reconcile_invoices").success
