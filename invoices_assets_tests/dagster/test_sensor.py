"""The sensor: a run when something changed, once, and never a surprise for the API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
from dagster import DagsterRunStatus

from invoices_assets_tests.support.project import Project
from invoices_assets_tests.support.sensor_driver import Watch
from invoices_assets_tests.support.sweep_helpers import config
from invoices_assets_tests.vendor import SANDBOX_KEY, Book, Vendor, faults


@pytest.fixture
def book() -> Book:
    return Book.of(30)


@pytest.fixture
def watch(project: Project, server: Vendor) -> Watch:
    return Watch(project, server)


@pytest.fixture
def loaded(watch: Watch) -> Watch:
    """The same, after a load that Dagster knows of, and a tick."""
    cursor = max(record["updated_at"] for record in watch.book.records)
    event = dg.AssetMaterialization(["invoicing", "invoices"], metadata={"cursor_after": cursor})
    watch.project.instance.report_runless_asset_event(event)
    assert not watch.tick()
    return watch


def test_where_nothing_was_loaded_yet_a_run_is_asked_for(watch: Watch) -> None:
    assert watch.tick()
    assert watch.project.query("SELECT count(*) FROM invoices") == [(30,)]


def test_while_nothing_changes_no_run_is_asked_for_and_the_reason_says_so(watch: Watch) -> None:
    assert watch.project.run().success
    assert watch.ticks(3) == [False, False, False]
    assert watch.reason == "Nothing changed since the last load."


def test_a_change_brings_one_run_and_no_second_one(watch: Watch) -> None:
    assert watch.ticks(2) == [True, False]
    watch.book.update("inv_0000007", status="void")
    assert watch.ticks(4) == [True, False, False, False]
    assert watch.project.query("SELECT status FROM invoices WHERE id = 'inv_0000007'") == [("void",)]


def test_a_tick_sends_exactly_one_request(loaded: Watch) -> None:
    loaded.tick()
    assert loaded.requests == 1


def test_a_tick_makes_no_file_and_opens_no_database(loaded: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    def files() -> list[Path]:
        return sorted(loaded.project.folder.rglob("*"))

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a tick opened a database")

    before = files()
    monkeypatch.setattr(duckdb, "connect", refuse)
    loaded.tick()
    assert loaded.reason == "Nothing changed since the last load."
    assert files() == before


@pytest.mark.parametrize(
    "status",
    [
        DagsterRunStatus.NOT_STARTED,
        DagsterRunStatus.STARTING,
        DagsterRunStatus.STARTED,
        DagsterRunStatus.CANCELING,
    ],
)
def test_while_a_run_is_under_way_the_api_is_not_asked(loaded: Watch, status: DagsterRunStatus) -> None:
    run = loaded.add_run(status)
    loaded.book.update("inv_0000007", status="void")
    assert not loaded.tick()
    assert loaded.reason == f"Run {run.run_id} is under way."
    assert loaded.requests == 0


def test_a_materialization_from_the_page_of_the_asset_counts_as_a_run_under_way(loaded: Watch) -> None:
    key = dg.AssetKey(["invoicing", "invoices"])
    loaded.add_run(DagsterRunStatus.STARTED, "__ASSET_JOB", asset_selection=frozenset({key}))
    assert not loaded.tick()
    assert loaded.requests == 0


def test_runs_of_other_jobs_do_not_matter(loaded: Watch) -> None:
    loaded.add_run(DagsterRunStatus.STARTED, "another_job")
    loaded.book.update("inv_0000007", status="void")
    assert loaded.tick()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (faults.status(401, body="{key} at {url}"), "401"),
        (faults.status(500, body="{key} at {url}"), "500"),
        (faults.status(429, retry_after=1), "429"),
        (faults.answer("no JSON, {key}"), "not a complete JSON document"),
        (faults.answer({"error": "over quota"}), "no `data`"),
    ],
    ids=["401", "500", "429", "no JSON", "no data"],
)
def test_a_tick_that_fails_is_skipped_with_a_reason_and_without_the_key(
    loaded: Watch, fault: faults.Fault, said: str
) -> None:
    loaded.server.faults.append(fault)
    assert not loaded.tick()
    assert loaded.requests == 1
    assert said in loaded.reason
    assert SANDBOX_KEY not in loaded.reason + str(loaded.cursor)


def test_a_refused_connection_is_a_skipped_tick(loaded: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVOICES_API_BASE_URL", "http://127.0.0.1:9")
    assert not loaded.tick()
    assert "127.0.0.1:9" in loaded.reason


def test_a_missing_key_is_a_skipped_tick_that_names_it(loaded: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INVOICES_API_KEY")
    assert not loaded.tick()
    assert "INVOICES_API_KEY" in loaded.reason
    assert loaded.requests == 0


def test_failing_ticks_ask_less_and_less_often_and_then_recover(loaded: Watch) -> None:
    loaded.server.faults.append(faults.status(500))
    asked = [(loaded.tick(), loaded.requests)[1] for _ in range(64)]
    assert [minute for minute, requests in enumerate(asked) if requests] == [0, 1, 3, 7, 15, 31, 63]
    loaded.server.faults.clear()
    loaded.book.update("inv_0000007", status="void")
    assert not loaded.tick()
    assert "Backing off" in loaded.reason
    assert loaded.tick(after=3600)
    assert loaded.ticks(2) == [False, False]
    assert loaded.requests == 1


def test_a_failed_run_is_asked_for_again_later_until_one_succeeds(loaded: Watch) -> None:
    loaded.runs_succeed = False
    loaded.book.update("inv_0000007", status="void")
    asked = loaded.ticks(16)
    assert [minute for minute, run in enumerate(asked) if run] == [0, 2, 5, 10]
    loaded.runs_succeed = True
    assert loaded.tick(after=3600)
    assert loaded.ticks(3) == [False, False, False]
    assert loaded.project.query("SELECT status FROM invoices WHERE id = 'inv_0000007'") == [("void",)]


def test_failed_runs_of_an_api_that_changes_all_the_time_are_backed_off_too(loaded: Watch) -> None:
    loaded.runs_succeed = False
    asked = []
    for minute in range(16):
        loaded.book.update("inv_0000007", note=f"change {minute}")
        asked.append(loaded.tick())
    assert sum(asked) <= 5


@pytest.mark.parametrize(
    "trial",
    [{"limit": 1}, {"dry_run": True}, {"since": "2099-01-01T00:00:00Z"}],
    ids=lambda trial: str(*trial),
)
def test_a_trial_does_not_count_as_the_run_that_failed(watch: Watch, trial: dict[str, Any]) -> None:
    assert watch.tick()
    watch.runs_succeed = False
    watch.book.update("inv_0000007", status="void")
    assert watch.tick()
    assert watch.project.run(**trial).success
    watch.runs_succeed = True
    assert watch.ticks(4).count(True) == 1
    assert watch.project.query("SELECT status FROM invoices WHERE id = 'inv_0000007'") == [("void",)]


def test_a_scheduled_run_in_between_makes_another_one_unnecessary(loaded: Watch) -> None:
    loaded.book.update("inv_0000007", status="void")
    assert loaded.project.run().success
    assert loaded.ticks(2) == [False, False]


def test_records_with_stamps_in_the_future_start_no_run_at_each_tick(watch: Watch) -> None:
    watch.book.update("inv_0000007", updated_at="2099-01-01T00:00:00Z")
    assert watch.ticks(4) == [True, False, False, False]
    watch.book.update("inv_0000007", status="void", updated_at="2099-02-01T00:00:00Z")
    assert watch.ticks(4) == [True, False, False, False]
    assert watch.project.query("SELECT status FROM invoices WHERE id = 'inv_0000007'") == [("void",)]
    watch.book.update("inv_0000008", status="void")
    assert watch.ticks(4) == [True, False, False, False]


def test_after_a_trial_alone_everything_is_still_asked_for(watch: Watch) -> None:
    assert watch.project.run(limit=1).success
    assert watch.ticks(3) == [True, False, False]


def test_a_resource_that_hangs_on_another_cannot_be_watched_and_the_reason_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: Vendor
) -> None:
    content = config(path="/v1/{resources.companies.id}/invoices", incremental=None)
    content["resources"].append({"name": "companies", "endpoint": {"path": "/v1", "paginator": "single_page"}})
    watch = Watch(Project(monkeypatch, tmp_path, server.url, source=content), server)
    assert not watch.tick()
    assert "`invoices` is asked for once for each of `companies`" in watch.reason
    assert watch.requests == 0
