"""The date window as monthly partitions of the Dagster asset."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from invoices_assets_tests.conftest import PROJECT
from invoices_assets_tests.support.months import by_month, created, history, months_in
from invoices_assets_tests.support.project import Project
from invoices_assets_tests.support.sweep_helpers import config
from invoices_assets_tests.vendor import Book, Vendor, faults

MONTHS = ("2024-01-01", "2024-02-01", "2024-03-01", "2024-04-01")


@pytest.fixture
def book() -> Book:
    return history()


@pytest.fixture
def content() -> dict[str, Any]:
    return by_month()


def test_a_date_window_gives_the_asset_monthly_partitions_from_the_initial_value_to_the_present_month(
    project: Project,
) -> None:
    assets = loading(project)
    keys = assets.partitions_def.get_partition_keys() if assets.partitions_def else []
    assert keys[0] == "2024-01-01"
    assert keys[-1] == f"{datetime.now(UTC):%Y-%m}-01"
    assert assets.backfill_policy == dg.BackfillPolicy.multi_run(1)


def test_without_a_date_window_the_asset_has_no_partitions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    project = Project(monkeypatch, tmp_path, "http://127.0.0.1:9")
    assert loading(project).partitions_def is None


def loading(project: Project, resource: str = "invoices") -> dg.AssetsDefinition:
    return project.definitions().resolve_assets_def(dg.AssetKey(["invoicing", resource]))


def test_a_partition_loads_its_window_and_nothing_else(project: Project, server: Vendor) -> None:
    result = project.run(partition="2024-03-01")
    assert result.success
    assert project.query("SELECT count(*), min(id) FROM invoices") == [(250, "march 0")]
    asked = {(call.query.get("created_from"), call.query.get("created_to")) for call in server.requests}
    assert asked == {("2024-03-01", "2024-04-01")}
    assert {call.query.get("updated_since") for call in server.requests} == {None}
    events = result.asset_materializations_for_node("invoicing_resources")
    assert {event.partition for event in events} == {"2024-03-01"}


def test_a_backfill_of_every_month_loads_the_whole_history(project: Project, book: Book) -> None:
    for key in MONTHS:
        assert project.run(partition=key).success
    assert project.query("SELECT count(*) FROM invoices") == [(len(book),)]
    done = project.instance.get_materialized_partitions(dg.AssetKey(["invoicing", "invoices"]))
    assert done == set(MONTHS)


def test_dagster_materializes_a_partition_and_a_range_of_them(project: Project) -> None:
    defs = project.definitions()
    assets: Any = defs.assets
    common: dict[str, Any] = {"instance": project.instance, "resources": defs.resources}
    assert dg.materialize(assets, partition_key="2024-04-01", **common).success
    assert months_in(project) == {"april"}
    ends = {"dagster/asset_partition_range_start": MONTHS[0], "dagster/asset_partition_range_end": MONTHS[1]}
    assert dg.materialize(assets, tags=ends, **common).success
    assert months_in(project) == {"january", "april"}


def test_jobs_schedules_and_sensor_work_without_a_partition(project: Project, book: Book) -> None:
    assert project.run().success
    assert project.query("SELECT count(*) FROM invoices") == [(len(book),)]
    assert project.run("reconcile_invoices").success
    defs = project.definitions()
    repository = defs.get_repository_def()
    for name in ("refresh_invoices_schedule", "reconcile_invoices_schedule"):
        context = dg.build_schedule_context(instance=project.instance, repository_def=repository)
        [request] = defs.resolve_schedule_def(name).evaluate_tick(context).run_requests or []
        assert request.partition_key is None
    book.insert(created("new", "2024-05-01"))
    with dg.build_sensor_context(instance=project.instance, repository_def=repository) as looking:
        tick = defs.resolve_sensor_def("invoices_changed_sensor").evaluate_tick(looking)
        assert [request.partition_key for request in tick.run_requests or []] == [None]


def test_resources_without_a_window_keep_their_own_definition_and_run_in_the_same_job(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: Vendor
) -> None:
    content = by_month()
    plain = config()["resources"][0]
    content["resources"].append({**plain, "name": "copies"})
    project = Project(monkeypatch, tmp_path, server.url, source=content)
    partitions = {name: loading(project, name).partitions_def is not None for name in ("invoices", "copies")}
    assert partitions == {"invoices": True, "copies": False}
    assert project.run(partition="2024-04-01").success
    assert project.query("SELECT count(*) FROM invoices") == [(1,)]
    assert project.query("SELECT count(*) FROM copies") == [(254,)]
    assert project.run().success
    assert project.run("reconcile_invoices").success


def test_an_empty_window_is_fine(project: Project) -> None:
    assert project.run(partition="2024-01-01").success
    result = project.run(partition="2024-02-01")
    assert result.success
    assert (project.metadata(result)["rows_fetched"], project.metadata(result)["complete"]) == (0, True)


def test_a_failed_window_leaves_the_others_and_is_retried_alone(project: Project, server: Vendor) -> None:
    server.faults.append(faults.status(400, on=faults.where(created_from="2024-03-01")))
    results = {key: project.run(partition=key).success for key in MONTHS if key != "2024-03-01"}
    assert all(results.values())
    assert not project.run(partition="2024-03-01").success
    assert months_in(project) == {"january", "april"}
    server.faults.clear()
    assert project.run(partition="2024-03-01").success
    assert months_in(project) == {"january", "march", "april"}


@pytest.mark.parametrize("contradiction", [{"since": "2024-01-01"}, {"mode": "reconcile"}])
def test_a_partition_and_a_question_about_everything_exclude_each_other(
    contradiction: dict[str, Any], project: Project, server: Vendor
) -> None:
    result = project.run(partition="2024-01-01", **contradiction)
    assert "A run for a partition loads one stretch of the history" in project.failure(result)
    assert not server.requests


def test_processes_that_load_windows_of_one_warehouse_take_turns(project: Project, book: Book) -> None:
    command = [sys.executable, "-m", "dagster", "asset", "materialize", "--select", "invoicing/invoices"]
    command += ["-m", "invoices_assets.definitions", "--partition"]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    # Dagster's own storage does not bear being made by two processes at once
    del environment["DAGSTER_HOME"]
    runs = [
        subprocess.Popen(
            [*command, key],
            cwd=project.folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for key in (MONTHS[0], MONTHS[2])
    ]
    for run in runs:
        _, told = run.communicate(timeout=300)
        assert run.returncode == 0, told
    assert project.query("SELECT count(*) FROM invoices") == [(len(book) - 1,)]
