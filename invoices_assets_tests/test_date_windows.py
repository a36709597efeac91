"""A long history in monthly windows: each is a sweep, a transaction and a partition of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from invoices_assets.extract.dates import DateWindow
from invoices_assets.extract.errors import ExtractError, SourceError
from invoices_assets.extract.source import ResourceSpec
from invoices_assets.sandbox import Book, Contract, Faults, Filter, Key, Sandbox, faults, serve
from invoices_assets_tests.refreshing import Loader, loaded
from invoices_assets_tests.running import Project
from invoices_assets_tests.sweeping import config, source_file, spec_of
from invoices_assets_tests.test_cursor import invoice, stamped

MONTHS = ("2024-01-01", "2024-02-01", "2024-03-01", "2024-04-01")


def by_month(first: Any = "2024-01-01", **changes: Any) -> dict[str, Any]:
    """The default source with a date window on `created_at`; `changes` are for the window."""
    window = {"cursor_path": "created_at", "start_param": "created_from", "end_param": "created_to"}
    cursor = {"type": "incremental", "cursor_path": "updated_at", "lag": 600}
    return config(params={"updated_since": cursor}, incremental={**window, "initial_value": first, **changes})


def created(id: str, day: str, **fields: Any) -> dict[str, Any]:
    return invoice(id, f"{day}T12:00:00Z", created_at=f"{day}T12:00:00Z", **fields)


def month(number: int) -> DateWindow:
    return DateWindow(
        datetime(2024, number, 1, tzinfo=timezone.utc), datetime(2024, number + 1, 1, tzinfo=timezone.utc)
    )


@pytest.fixture
def book() -> Book:
    """Three invoices in January, none in February, 250 in March, one in April."""
    march = (created(f"march {at}", "2024-03-15") for at in range(250))
    return Book(
        [
            *(created(f"january {at}", f"2024-01-{at + 1:02}") for at in range(3)),
            *march,
            created("april", "2024-04-30"),
        ]
    )


@pytest.fixture
def switches() -> Faults:
    return Faults()


@pytest.fixture
def server(book: Book, switches: Faults) -> Iterator[Sandbox]:
    with serve(book=book, faults=switches) as sandbox:
        yield sandbox


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: Sandbox) -> Project:
    return Project(monkeypatch, tmp_path, server.url, source=by_month())


@pytest.fixture
def loader(tmp_path: Path, server: Sandbox) -> Loader:
    return Loader(tmp_path, server.url, by_month())


def ids(project: Project | Loader) -> set[str]:
    return {id.partition(" ")[0] for (id,) in project.query("SELECT id FROM invoices")}


# The partitions


def test_a_date_window_gives_the_asset_monthly_partitions_from_the_initial_value_to_the_present_month(
    project: Project,
) -> None:
    [assets] = list(project.definitions().assets or [])
    assert isinstance(assets, dg.AssetsDefinition)
    keys = assets.partitions_def.get_partition_keys() if assets.partitions_def else []
    assert keys[0] == "2024-01-01"
    assert keys[-1] == f"{datetime.now(timezone.utc):%Y-%m}-01"
    assert assets.backfill_policy == dg.BackfillPolicy.multi_run(1)


def test_without_a_date_window_the_asset_has_no_partitions(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    project = Project(monkeypatch, tmp_path, "http://127.0.0.1:9")
    [assets] = list(project.definitions().assets or [])
    assert isinstance(assets, dg.AssetsDefinition)
    assert assets.partitions_def is None


def test_a_partition_loads_its_window_and_nothing_else(project: Project, server: Sandbox) -> None:
    result = project.run(partition="2024-03-01")
    assert result.success
    assert project.query("SELECT count(*), min(id) FROM invoices") == [(250, "march 0")]
    asked = {(call.query.get("created_from"), call.query.get("created_to")) for call in server.requests}
    assert asked == {("2024-03-01", "2024-04-01")}
    assert {call.query.get("updated_since") for call in server.requests} == {None}
    [event] = result.asset_materializations_for_node("invoicing_resources")
    assert event.partition == "2024-03-01"


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
    assert ids(project) == {"april"}
    ends = {"dagster/asset_partition_range_start": MONTHS[0], "dagster/asset_partition_range_end": MONTHS[1]}
    assert dg.materialize(assets, tags=ends, **common).success
    assert ids(project) == {"january", "april"}


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
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: Sandbox
) -> None:
    content = by_month()
    plain = config()["resources"][0]
    content["resources"].append({**plain, "name": "copies"})
    project = Project(monkeypatch, tmp_path, server.url, source=content)
    partitions = {
        key.path[-1]: each.partitions_def is not None
        for each in project.definitions().assets or []
        if isinstance(each, dg.AssetsDefinition)
        for key in each.keys
    }
    assert partitions == {"invoices": True, "copies": False}
    assert project.run(partition="2024-04-01").success
    assert project.query("SELECT count(*) FROM invoices") == [(1,)]
    assert project.query("SELECT count(*) FROM copies") == [(254,)]
    assert project.run().success
    assert project.run("reconcile_invoices").success


# What a window proves, and what it leaves alone


def test_an_empty_window_is_fine(project: Project) -> None:
    assert project.run(partition="2024-01-01").success
    result = project.run(partition="2024-02-01")
    assert result.success
    assert (project.metadata(result)["rows_fetched"], project.metadata(result)["complete"]) == (0, True)


def test_an_empty_window_of_an_api_that_shows_nothing_at_all_is_not_believed(
    tmp_path: Path, book: Book
) -> None:
    with serve(book=book) as server:
        loader = Loader(tmp_path, server.url, by_month())
        loader.refresh(dates=month(1))
    with serve(book=book, contract=Contract(key=Key(wrong="empty")), key="another") as server:
        loader.url = server.url
        with pytest.raises(ExtractError, match="shows no `invoices` at all"):
            loader.refresh(dates=month(2))


def test_a_window_never_touches_the_cursor(loader: Loader, book: Book) -> None:
    done = loader.refresh(dates=month(3))
    assert (done.cursor_before, done.cursor_after, loader.cursor) == (None, None, None)
    loader.refresh()
    assert loader.cursor == "2024-04-30T12:00:00Z"
    book.insert(created("late", "2024-03-02", total=1))
    book.update("late", updated_at=stamped(0, "2025-01-01"))
    done = loader.refresh(dates=month(3))
    assert loaded(done).new == 1
    assert (done.cursor_after, loader.cursor) == ("2024-04-30T12:00:00Z", "2024-04-30T12:00:00Z")


def test_a_window_marks_no_deletions(loader: Loader, book: Book) -> None:
    loader.refresh()
    book.delete("march 7")
    loader.refresh(dates=month(3))
    assert loader.query("SELECT count(*) FROM invoices WHERE deleted_at IS NOT NULL") == [(0,)]


def test_a_failed_window_leaves_the_others_and_is_retried_alone(project: Project, switches: Faults) -> None:
    switches.append(faults.status(400, on=faults.where(created_from="2024-03-01")))
    results = {key: project.run(partition=key).success for key in MONTHS if key != "2024-03-01"}
    assert all(results.values())
    assert not project.run(partition="2024-03-01").success
    assert ids(project) == {"january", "april"}
    switches.clear()
    assert project.run(partition="2024-03-01").success
    assert ids(project) == {"january", "march", "april"}


def test_a_window_that_does_not_add_up_loads_nothing(loader: Loader, switches: Faults) -> None:
    loader.refresh(dates=month(1))
    switches.append(faults.empty_page(on=faults.where(offset=200)))
    with pytest.raises(ExtractError, match="an empty page after 200 of 250 records"):
        loader.refresh(dates=month(3))
    assert ids(loader) == {"january"}


def test_an_api_that_ignores_the_window_is_noticed_and_loaded_right(tmp_path: Path, book: Book) -> None:
    with serve(book=book, contract=Contract(filters=(Filter(),))) as server:
        loader = Loader(tmp_path, server.url, by_month())
        done = loader.refresh(dates=month(3))
        assert loaded(done).new == len(book)
        assert done.remarks == [
            "records outside of the partition: the API ignores or widens its date window (4 rows)"
        ]


@pytest.mark.parametrize("contradiction", [{"since": "2024-01-01"}, {"mode": "reconcile"}])
def test_a_partition_and_a_question_about_everything_exclude_each_other(
    contradiction: dict[str, Any], project: Project, server: Sandbox
) -> None:
    result = project.run(partition="2024-01-01", **contradiction)
    assert "A run for a partition loads one stretch of the history" in project.failure(result)
    assert not server.requests


# After the backfill


def test_a_refresh_since_the_backfill_began_sets_the_cursor(loader: Loader, book: Book) -> None:
    for number in range(1, 5):
        loader.refresh(dates=month(number))
    book.update("january 1", total=99, updated_at=stamped(0, "2024-06-01"))
    done = loader.refresh(since="2024-05-15T00:00:00Z")
    assert (done.swept.rows, loaded(done).changed) == (1, 1)
    assert loader.cursor == stamped(0, "2024-06-01")


def test_a_refresh_since_the_backfill_began_sets_the_cursor_even_if_nothing_changed(loader: Loader) -> None:
    loader.refresh(dates=month(1))
    loader.refresh(since="2024-05-15T00:00:00Z")
    assert loader.cursor == "2024-05-15T00:00:00Z"
    assert loader.refresh().swept.rows == 0


def test_since_in_the_future_does_not_move_the_cursor(loader: Loader) -> None:
    loader.refresh(dates=month(1))
    loader.refresh(since="2999-01-01T00:00:00Z")
    assert loader.cursor is None


# Side by side


def test_windows_side_by_side_take_turns_and_lose_nothing(
    tmp_path: Path, server: Sandbox, book: Book
) -> None:
    def load(number: int) -> None:
        Loader(tmp_path, server.url, by_month()).refresh(dates=month(number))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(load, [1, 2, 3, 4]))
    loader = Loader(tmp_path, server.url)
    assert loader.query("SELECT count(*) FROM invoices") == [(len(book),)]


def test_processes_that_load_windows_of_one_warehouse_take_turns(project: Project, book: Book) -> None:
    command = [sys.executable, "-m", "dagster", "asset", "materialize", "--select", "invoicing/invoices"]
    command += ["-m", "invoices_assets.definitions", "--partition"]
    root = Path(__file__).parent.parent
    environment = {**os.environ, "PYTHONPATH": str(root)}
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


# How windows are written


def march_of(content: dict[str, Any]) -> dict[str, Any]:
    return month(3).parameters(spec_of(content, "http://127.0.0.1:9"))


@pytest.mark.parametrize(
    ("first", "column", "start", "end"),
    [
        ("2019-05-01", {}, "2024-03-01", "2024-04-01"),
        (date(2019, 5, 1), {}, "2024-03-01", "2024-04-01"),
        ("2019-05-01T00:00:00Z", {}, "2024-03-01T00:00:00Z", "2024-04-01T00:00:00Z"),
        (datetime(2019, 5, 1, tzinfo=timezone.utc), {}, "2024-03-01T00:00:00Z", "2024-04-01T00:00:00Z"),
        ("2019-05-01 00:00:00", {}, "2024-03-01 00:00:00", "2024-04-01 00:00:00"),
        ("2019-05-01T00:00:00+01:00", {}, "2024-03-01T01:00:00+01:00", "2024-04-01T01:00:00+01:00"),
        ("2019-05-01", {"x-format": "epoch_s"}, "1709251200", "1711929600"),
        ("2019-05-01", {"x-format": "%d-%m-%Y"}, "01-03-2024", "01-04-2024"),
    ],
)
def test_windows_are_written_as_the_api_writes_moments(
    first: Any, column: dict[str, Any], start: str, end: str
) -> None:
    content = by_month(first)
    content["resources"][0]["columns"]["created_at"] = {"data_type": "timestamp", **column}
    assert march_of(content) == {"created_from": start, "created_to": end}


def test_a_lag_makes_windows_overlap_for_an_api_whose_start_is_exclusive(tmp_path: Path) -> None:
    assert march_of(by_month(lag=1)) == {"created_from": "2024-02-29", "created_to": "2024-04-01"}
    assert march_of(by_month("2024-01-01T00:00:00Z", lag=1))["created_from"] == "2024-02-29T23:59:59Z"
    book = Book([{**created("a", "2024-03-01"), "created_at": "2024-03-01T00:00:00Z"}])
    filters = (Filter("created_from", "created_at", ">"), Filter("created_to", "created_at", "<"))
    with serve(book=book, contract=Contract(filters=filters)) as server:
        loader = Loader(tmp_path, server.url, by_month(lag=1))
        assert loader.load(dates=month(3)).new == 1


def test_the_first_month_is_whole_even_if_the_history_begins_within_it() -> None:
    window = spec_of(by_month("2019-05-17"), "http://127.0.0.1:9").window
    assert window is not None
    assert window.first_month == "2019-05-01"


def test_without_a_change_parameter_the_window_is_the_change_cursor_too_as_for_dlt() -> None:
    content = config(incremental=by_month()["resources"][0]["endpoint"]["incremental"])
    spec: ResourceSpec = spec_of(content, "http://127.0.0.1:9")
    assert spec.cursor is not None
    assert (spec.cursor.path, spec.cursor.start_param) == ("created_at", "created_from")
    assert spec.cursor.initial_value == "2024-01-01"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"initial_value": None}, "needs `initial_value`, the ISO date of its first month"),
        ({"initial_value": "last year"}, "needs `initial_value`, the ISO date of its first month"),
        ({"initial_value": "2024-13-01"}, "needs `initial_value`, the ISO date of its first month"),
        ({"start_param": None}, "has `end_param` and so needs `start_param`"),
    ],
)
def test_a_window_that_is_not_fully_declared_is_refused(
    changes: dict[str, Any], complaint: str, tmp_path: Path
) -> None:
    content = by_month(**{key: value for key, value in changes.items() if value is not None})
    for key in [key for key, value in changes.items() if value is None]:
        del content["resources"][0]["endpoint"]["incremental"][key]
    with pytest.raises(SourceError, match=complaint):
        source_file(tmp_path, content)


def test_a_window_on_a_resource_that_hangs_on_another_one_is_refused(tmp_path: Path) -> None:
    content = by_month()
    child = by_month()["resources"][0]
    child["name"] = "payments"
    child["endpoint"]["path"] = "/v1/invoices/{resources.invoices.id}/payments"
    content["resources"].append(child)
    with pytest.raises(SourceError, match="cannot have `end_param`"):
        source_file(tmp_path, content)
