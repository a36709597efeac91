"""The code location: it loads without settings, touches nothing, and shows what the project promises."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_representation.external_data import RepositorySnap

from invoices_assets.errors import SourceError
from invoices_assets.resources import InvoicesApi
from invoices_assets_tests.conftest import PROJECT
from invoices_assets_tests.support.project import Project
from invoices_assets_tests.support.sweep_helpers import config
from invoices_assets_tests.vendor import Book, serve

SECRET = "t0p-secret-value"

WATCHED = """
import json, os, sys

import dagster  # with filelock, some versions of which try out a hard link as they are imported

seen = {"written": [], "asked": [], "read": [], "variables": set()}

def is_ours(path):
    # the README's environment lies inside the project
    return str(path).startswith(sys.argv[1]) and not str(path).startswith(sys.prefix)

def watch(event, args):
    if event == "open":
        path, mode, flags = args
        wants_to_write = bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)) if flags is not None else False
        if wants_to_write and path != os.devnull:
            seen["written"].append(str(path))
        elif is_ours(path) and not str(path).endswith((".py", ".pyc")):
            seen["read"].append(os.path.relpath(path, sys.argv[1]))
    elif event in ("os.mkdir", "os.rename", "os.remove", "sqlite3.connect"):
        seen["written"].append(f"{event} {args[0]}")
    elif event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        seen["asked"].append(str(args))

class Environment(type(os.environ)):
    def __getitem__(self, name):
        # neither libraries that copy the whole environment read a variable, nor who looks whether it is set
        frame = sys._getframe(1)
        if frame.f_code.co_name == "__contains__":
            return super().__getitem__(name)
        while "os.py" in frame.f_code.co_filename or "_collections_abc" in frame.f_code.co_filename:
            frame = frame.f_back
        if is_ours(frame.f_code.co_filename):
            seen["variables"].add(name)
        return super().__getitem__(name)

os.environ.__class__ = Environment
sys.addaudithook(watch)
sys.path.insert(0, sys.argv[1])

from invoices_assets.definitions import defs

keys = sorted("/".join(key.path) for key in defs.resolve_all_asset_keys())
servers = sorted({"starlette", "uvicorn"} & set(sys.modules))
print(json.dumps(seen | {"keys": keys, "servers": servers, "variables": sorted(seen["variables"])}))
"""


def loaded_apart(folder: Path, **environment: str) -> dict[str, Any]:
    """Loads the definitions in a process with nothing but this environment, and tells what it did."""
    done = subprocess.run(
        [sys.executable, "-B", "-c", WATCHED, str(PROJECT)],
        cwd=folder,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return seen


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What loading with an empty environment did."""
    return loaded_apart(tmp_path_factory.mktemp("empty"))


def test_an_empty_environment_is_enough(empty: dict[str, Any]) -> None:
    assert empty["keys"] == [
        "sandbox/api",
        "sandbox/invoices",
        "sandbox/invoices__line_items",
        "sandbox/invoices_rejected",
        "sandbox/receivables",
    ]


def test_loading_sends_no_request(empty: dict[str, Any]) -> None:
    assert empty["asked"] == []


def test_loading_loads_no_web_server(empty: dict[str, Any]) -> None:
    assert empty["servers"] == []


def test_loading_makes_no_file(empty: dict[str, Any]) -> None:
    assert empty["written"] == []


def test_loading_reads_nothing_of_the_project_but_the_source_file(empty: dict[str, Any]) -> None:
    assert set(empty["read"]) == {"invoices_assets/source.yaml"}


def test_loading_looks_at_no_variable_but_those_that_name_the_apis(empty: dict[str, Any]) -> None:
    assert empty["variables"] == [
        "INVOICES_APIS",
        "INVOICES_API_BASE_URL",
        "INVOICES_FRESH_WITHIN",
        "INVOICES_SOURCE",
    ]


def test_loading_for_a_real_api_reads_no_secret_and_touches_nothing_either(tmp_path: Path) -> None:
    folders = {name: tmp_path / name.lower() for name in ("HOME", "DAGSTER_HOME", "CWD")}
    for folder in folders.values():
        folder.mkdir()
    seen = loaded_apart(
        folders["CWD"],
        HOME=str(folders["HOME"]),
        DAGSTER_HOME=str(folders["DAGSTER_HOME"]),
        INVOICES_API_BASE_URL="https://api.vendor.example",
        INVOICES_API_KEY=SECRET,
    )
    assert "invoicing/invoices" in seen["keys"]
    assert "INVOICES_API_KEY" not in seen["variables"]
    assert (seen["asked"], seen["written"]) == ([], [])
    assert [path for folder in folders.values() for path in folder.rglob("*")] == []


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Project:
    return Project(monkeypatch, tmp_path, "https://api.vendor.example", SECRET)


@pytest.fixture
def spec(project: Project) -> dg.AssetSpec:
    return spec_of(project, "invoicing/invoices")


def spec_of(project: Project, key: str) -> dg.AssetSpec:
    [spec] = [each for each in project.definitions().resolve_all_asset_specs() if each.key.to_user_string() == key]
    return spec


def test_without_a_base_url_the_asset_is_that_of_the_sandbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert "Invented" in str(spec_of(Project(monkeypatch, tmp_path), "sandbox/invoices").description)


def test_with_a_base_url_the_asset_is_the_real_one(spec: dg.AssetSpec) -> None:
    assert "Invented" not in str(spec.description)


def test_the_asset_has_kinds_owners_tags_a_group_and_a_description(spec: dg.AssetSpec) -> None:
    assert spec.kinds == {"dlt", "duckdb", "rest"}
    assert spec.owners == ["team:finance-data"]
    assert spec.tags["source"] == "invoicing"
    assert spec.group_name == "invoicing"
    assert "/v1/invoices" in str(spec.description)


def test_the_declared_columns_are_shown_before_the_first_run(spec: dg.AssetSpec) -> None:
    columns = {column.name: column for column in spec.metadata["dagster/column_schema"].columns}
    assert columns["total"].type == "decimal"
    assert columns["total"].description == "Amount including tax"
    assert columns["id"].constraints.nullable is False
    assert columns["due_date"].type == "date"


def test_jobs_schedules_sensor_and_checks_have_their_names(project: Project) -> None:
    repository = project.definitions().get_repository_def()
    checks = {key.name for key in repository.asset_graph.asset_check_keys}
    assert {"refresh_invoices", "reconcile_invoices", "maintain_warehouse"} <= set(repository.job_names)
    assert {schedule.name for schedule in repository.schedule_defs} == {
        "refresh_invoices_schedule",
        "reconcile_invoices_schedule",
        "maintain_warehouse_schedule",
    }
    assert {sensor.name for sensor in repository.sensor_defs} >= {
        "invoices_changed_sensor",
        "failed_runs_alert",
        "failed_checks_alert",
    }
    assert {"no_rejected_records", "nothing_missed_by_incremental", "complete", "source_fits"} <= checks


def test_nothing_starts_by_itself(project: Project) -> None:
    repository = project.definitions().get_repository_def()
    assert {schedule.default_status.value for schedule in repository.schedule_defs} == {"STOPPED"}
    assert {sensor.default_status.value for sensor in repository.sensor_defs} == {"STOPPED"}


def test_the_schedules_are_hourly_and_weekly(project: Project) -> None:
    repository = project.definitions().get_repository_def()
    crons = {schedule.job.name: schedule.cron_schedule for schedule in repository.schedule_defs}
    assert crons == {
        "refresh_invoices": "0 * * * *",
        "reconcile_invoices": "0 3 * * 0",
        "maintain_warehouse": "0 6 * * 0",
    }


def test_every_job_runs_in_one_process(project: Project) -> None:
    jobs = project.definitions().resolve_all_job_defs()
    assert {job.executor_def.name for job in jobs} == {"in_process"}
    assert len(jobs) == 4


def test_the_resource_does_not_take_the_key_itself() -> None:
    with pytest.raises(dg.DagsterInvalidDefinitionError) as refused:
        InvoicesApi(base_url="https://api.vendor.example", api_key=SECRET)
    assert str(refused.value) == (
        '`api_key` is not the key but says where it is, as `EnvVar("NAME")`; '
        "without it the key is read from INVOICES_API_KEY."
    )


def test_the_key_may_be_in_another_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENDOR_KEY", SECRET)
    api = InvoicesApi(base_url="https://api.vendor.example", api_key=dg.EnvVar("VENDOR_KEY"))
    with api.connect("invoicing") as connection:
        assert connection.secret == SECRET
    assert SECRET not in f"{api} {api!r} {connection!r}"


def test_a_key_in_place_of_the_name_of_its_variable_is_not_repeated() -> None:
    api = InvoicesApi(base_url="https://api.vendor.example", api_key=dg.EnvVar(SECRET))
    with pytest.raises(SourceError) as refused, api.connect("invoicing"):
        pass
    assert str(refused.value) == "`api_key` must name a variable of the environment, in capital letters."


def test_an_api_with_a_dataset_of_its_own_does_not_send_its_key_to_the_address_in_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("INVOICES_API_BASE_URL", "https://api.other.example")
    monkeypatch.setenv("STRIPE_API_KEY", SECRET)
    api = InvoicesApi(api_key=dg.EnvVar("STRIPE_API_KEY"))
    with pytest.raises(SourceError) as refused, api.connect("stripe"):
        pass
    assert str(refused.value) == "`stripe` has no address: its `InvoicesApi` must have a `base_url`."


def test_what_dagster_serializes_has_no_secret(project: Project) -> None:
    text = dg.serialize_value(RepositorySnap.from_def(project.definitions().get_repository_def()))
    assert "INVOICES_API_KEY" in text
    assert SECRET not in text


def three_resources() -> dict[str, Any]:
    """A source with a second resource, and a third one that hangs on the first."""
    content = config()
    page = {"data_selector": "data", "paginator": {"type": "offset", "limit": 100, "total_path": "total"}}
    content["resources"] += [
        {"name": "customers", "endpoint": {"path": "/v1/customers", **page}},
        {"name": "payments", "endpoint": {"path": "/v1/invoices/{resources.invoices.id}/payments", **page}},
    ]
    return content


def test_each_resource_of_the_source_file_is_an_asset(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    project = Project(monkeypatch, tmp_path, "https://api.vendor.example", source=three_resources())
    specs = {"/".join(spec.key.path): spec for spec in project.definitions().resolve_all_asset_specs()}
    assert {"invoicing/invoices", "invoicing/customers", "invoicing/payments"} <= set(specs)
    assert deps_of(specs["invoicing/payments"]) == ["invoicing/invoices", "invoicing/api"]
    assert deps_of(specs["invoicing/customers"]) == ["invoicing/api"]


def deps_of(spec: dg.AssetSpec) -> list[str]:
    return [dep.asset_key.to_user_string() for dep in spec.deps]


def test_one_run_loads_all_resources_also_a_dependent_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    book = Book.of(3)
    more = {
        f"/v1/invoices/{invoice['id']}/payments": Book(
            [{"id": f"{invoice['id']}-{number}", "amount": number} for number in range(count)]
        )
        for count, invoice in enumerate(book.records)
    }
    with serve(book, more={"/v1/customers": Book([{"id": 1}, {"id": 2}]), **more}) as server:
        project = Project(monkeypatch, tmp_path, server.url, source=three_resources())
        result = project.run()
        assert result.success, project.failure(result)
    counts = [project.query(f"SELECT count(*) FROM {name}")[0][0] for name in ("invoices", "customers", "payments")]
    assert counts == [3, 2, 3]
    assert project.metadata(result, "payments")["rows_new"] == 3
