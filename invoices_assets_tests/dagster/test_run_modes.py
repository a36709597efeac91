"""The run configuration: what a run is asked to do, from the launchpad or the command line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from invoices_assets_tests.support.invoices import asked_since
from invoices_assets_tests.support.project import Project
from invoices_assets_tests.support.rows import put_rows
from invoices_assets_tests.support.sweep_helpers import config
from invoices_assets_tests.vendor import Book, Vendor

KEY = dg.AssetKey(["invoicing", "invoices"])


@pytest.fixture
def loaded(project: Project) -> Project:
    """The same, with everything loaded; nothing was asked yet."""
    put_rows(project, 250)
    return project


def shown(project: Project, **run_config: Any) -> dict[str, Any]:
    """Metadata of a run that succeeds."""
    result = project.run(**run_config)
    assert result.success, project.failure(result)
    return project.metadata(result)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_by_default_a_run_asks_for_what_changed_less_the_overlap(loaded: Project, server: Vendor) -> None:
    shown(loaded)
    assert asked_since(server) == {"2026-11-15T23:50:00Z"}


def test_full_asks_for_everything_and_deletes_nothing(loaded: Project, server: Vendor, book: Book) -> None:
    book.delete("inv_0000003")
    told = shown(loaded, mode="full")
    assert asked_since(server) == {None}
    assert (told["rows_fetched"], told["rows_deleted"], told["complete"]) == (249, 0, True)
    assert loaded.query("SELECT count(*) FROM invoices WHERE deleted_at IS NULL") == [(250,)]


def test_reconcile_asks_for_everything_and_marks_what_is_gone(loaded: Project, server: Vendor, book: Book) -> None:
    book.delete("inv_0000003")
    assert shown(loaded, mode="reconcile")["rows_deleted"] == 1
    assert asked_since(server) == {None}
    assert loaded.query("SELECT id FROM invoices WHERE deleted_at IS NOT NULL") == [("inv_0000003",)]


def test_since_asks_from_that_moment_and_takes_the_cursor_back_nowhere(loaded: Project, server: Vendor) -> None:
    told = shown(loaded, since="2026-01-01")
    assert asked_since(server) == {"2026-01-01T00:00:00Z"}
    assert told["cursor_after"] == told["cursor_before"] == "2026-11-16T00:00:00Z"


def test_since_a_moment_after_the_cursor_leaves_the_cursor_where_no_gap_is_behind_it(
    loaded: Project, book: Book
) -> None:
    book.update("inv_0000003", updated_at="2026-11-17T00:00:00Z")
    book.update("inv_0000004", updated_at="2026-11-19T00:00:00Z")
    assert shown(loaded, since="2026-11-18T00:00:00Z")["cursor_after"] == "2026-11-16T00:00:00Z"
    assert shown(loaded)["rows_changed"] == 1


@pytest.mark.parametrize(
    ("since", "said"),
    [
        ("2026-11-18T00:00:00Z", "with all of what changed since 2026-11-18T00:00:00Z"),
        ("2026-01-01T00:00:00Z", "up to date with the API"),
    ],
)
def test_since_a_moment_after_the_cursor_is_not_told_as_all_that_has_changed(
    loaded: Project, since: str, said: str
) -> None:
    assert said in shown(loaded, since=since)["summary"]


def test_since_a_moment_is_not_told_as_all_that_has_changed_where_nothing_was_loaded_yet(project: Project) -> None:
    assert "with all of what changed since" in shown(project, since="2026-11-10T00:00:00Z")["summary"]


def test_a_run_that_is_told_how_hard_to_ask_still_asks_the_api_of_the_environment(project: Project) -> None:
    result = project.run(api={"window": 1, "requests_per_second": 1000})
    assert result.success
    assert project.metadata(result)["rows_fetched"] == 250


def test_limit_is_a_trial_that_moves_no_cursor(project: Project) -> None:
    told = shown(project, limit=150)
    assert 150 <= told["rows_fetched"] <= 250
    assert told["rows_fetched"] == told["rows_new"] == told["table_rows"] < 250
    assert (told["complete"], told.get("cursor_after")) == (False, None)
    told = shown(project)
    assert (told["complete"], told["table_rows"]) == (True, 250)


def test_a_limited_reconciliation_deletes_nothing(loaded: Project) -> None:
    told = shown(loaded, mode="reconcile", limit=100)
    assert (told["rows_deleted"], told["complete"]) == (0, False)


def test_a_limit_that_is_not_reached_is_a_whole_sweep(project: Project) -> None:
    told = shown(project, limit=1000)
    assert (told["complete"], told["cursor_after"]) == (True, "2026-11-16T00:00:00Z")


def test_a_dry_run_makes_no_file(project: Project) -> None:
    result = project.run(dry_run=True)
    assert result.success, project.failure(result)
    assert list(project.folder.iterdir()) == []


def test_a_dry_run_leaves_the_warehouse_as_it_is(project: Project, book: Book) -> None:
    assert project.run().success
    book.update("inv_0000003", status="void")
    before = files(project.folder)
    assert project.run(dry_run=True, mode="full").success
    assert files(project.folder) == before
    assert shown(project)["rows_changed"] == 1


def test_a_dry_run_reports_and_does_not_make_the_asset_look_fresh(project: Project) -> None:
    result = project.run(dry_run=True)
    assert project.instance.get_latest_materialization_event(KEY) is None
    [event] = [event for event in result.all_events if event.event_type_value == "ASSET_OBSERVATION"]
    told = {name: value.value for name, value in event.asset_observation_data.asset_observation.metadata.items()}
    assert (told["rows_fetched"], told["complete"], told["loaded"]) == (250, True, False)
    assert not {"cursor_before", "cursor_after"} & told.keys()


def test_too_many_deletions_are_refused_unless_they_are_allowed(loaded: Project, book: Book) -> None:
    for number in range(1, 101):
        book.delete(f"inv_{number:07}")
    result = loaded.run(mode="reconcile")
    assert not result.success
    assert "100 of 250" in loaded.failure(result)
    assert "max_deleted_share" in loaded.failure(result)
    assert loaded.query("SELECT count(*) FROM invoices WHERE deleted_at IS NOT NULL") == [(0,)]
    assert shown(loaded, mode="reconcile", max_deleted_share=0.4)["rows_deleted"] == 100


@pytest.mark.parametrize("config", [{"max_deleted_share": 0.9}, {"dry_run": False}, {"mode": "incremental"}])
def test_the_reconcile_job_reconciles_whatever_its_config_says(
    loaded: Project, book: Book, config: dict[str, Any]
) -> None:
    book.delete("inv_0000001")
    result = loaded.run("reconcile_invoices", **config)
    assert loaded.metadata(result)["rows_deleted"] == 1


def test_the_refusal_of_a_large_deletion_names_a_command_that_works(loaded: Project, book: Book) -> None:
    for number in range(1, 101):
        book.delete(f"inv_{number:07}")
    [command] = re.findall(r"if it is right, run `(.*)`$", loaded.failure(loaded.run("reconcile_invoices")))
    loaded.monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    done = subprocess.run(command, shell=True, cwd=loaded.folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert loaded.query("SELECT count(*) FROM invoices WHERE deleted_at IS NOT NULL") == [(100,)]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"mode": "fast"}, "mode"),
        ({"mode": 1}, "mode"),
        ({"limit": 0}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"dry_run": "maybe"}, "dry_run"),
        ({"max_deleted_share": 1.5}, "max_deleted_share"),
        ({"max_deleted_share": -0.1}, "max_deleted_share"),
        ({"since": 5}, "since"),
        ({"sinse": "2026-01-01"}, "sinse"),
    ],
    ids=str,
)
def test_a_wrong_value_is_refused_by_name_before_anything_is_asked(
    project: Project, server: Vendor, wrong: dict[str, Any], field: str
) -> None:
    try:
        said = project.failure(project.run(**wrong))
    except dg.DagsterInvalidConfigError as error:
        said = str(error)
    assert field in said
    assert server.requests == []


@pytest.mark.parametrize("limit", ["lots", "", "12"])
def test_a_limit_of_memory_that_duckdb_cannot_read_is_refused_in_its_words(
    project: Project, server: Vendor, limit: str
) -> None:
    config = {"resources": {"warehouse": {"config": {"memory_limit": limit}}}}
    job = project.definitions().resolve_job_def("refresh_invoices")
    result = job.execute_in_process(instance=project.instance, run_config=config, raise_on_error=False)
    assert project.failure(result).startswith(f"DuckDB cannot read `memory_limit: {limit}` (")
    assert server.requests == []


def test_the_size_of_an_answer_may_have_no_limit(project: Project) -> None:
    assert project.run(api={"answer_megabytes": float("inf")}).success


def test_a_mode_in_the_tag_of_a_run_that_is_none_is_refused_by_the_name_of_the_tag(
    project: Project, server: Vendor
) -> None:
    job = project.definitions().resolve_job_def("refresh_invoices")
    tags = {"invoices/mode": "everything"}
    result = job.execute_in_process(instance=project.instance, tags=tags, raise_on_error=False)
    assert project.failure(result) == (
        "The tag `invoices/mode` of a run must be incremental, full or reconcile, not `everything`."
    )
    assert server.requests == []


def test_a_moment_that_is_none_fails_with_one_sentence(project: Project, server: Vendor) -> None:
    result = project.run(since="yesterday")
    assert not result.success
    assert project.failure(result).startswith("`since` must be a moment in ISO 8601")
    assert server.requests == []


def test_since_needs_an_api_that_filters_by_change(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: Vendor
) -> None:
    project = Project(monkeypatch, tmp_path, server.url, source=config(incremental=None))
    result = project.run(since="2026-01-01")
    assert not result.success
    assert project.failure(result).startswith("`since` needs an API that filters by change")


@pytest.mark.parametrize("job", ["refresh_invoices", "reconcile_invoices", "__ASSET_JOB"])
def test_the_launchpad_shows_each_field_with_a_description(project: Project, job: str) -> None:
    schema = project.definitions().resolve_job_def(job).get_config_schema_snapshot()
    shapes = [snap.fields for snap in schema.all_config_snaps_by_key.values() if snap.fields]
    [fields] = [shape for shape in shapes if "max_deleted_share" in {field.name for field in shape}]
    assert {field.name for field in fields} == {"mode", "since", "limit", "dry_run", "max_deleted_share"}
    assert all(field.description for field in fields)
    assert not any(field.is_required for field in fields)
