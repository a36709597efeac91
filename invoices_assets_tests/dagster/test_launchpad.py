"""The launchpad: what a person may set for a run, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._config.snap import ConfigFieldSnap, ConfigSchemaSnapshot
from dagster._core.snap import JobSnap
from dagster._core.snap.snap_to_yaml import default_values_yaml_from_type_snap

from invoices_assets.component import InvoicesComponent
from invoices_assets.resources import InvoicesApi, Warehouse
from invoices_assets_tests.support.project import Project
from invoices_assets_tests.support.sweep_helpers import config

SECRET = "t0p-secret-value"
JOBS = ["refresh_invoices", "reconcile_invoices", "__ASSET_JOB"]
NOT_OF_A_RUN = re.compile("key|secret|token|password|url|destination|path|env")

STEP = {"mode": "incremental", "dry_run": False, "max_deleted_share": 0.2}
API = {"window": 8, "answer_seconds": 120.0, "answer_megabytes": 512.0}
WAREHOUSE = {"lock_limit_seconds": 3600.0, "memory_limit": "256MB"}


@dataclass
class Launchpad:
    """What the launchpad asks for a job: the same snapshot that its GraphQL query reads."""

    schema: ConfigSchemaSnapshot
    root: str

    @classmethod
    def of(cls, defs: dg.Definitions, job: str) -> Launchpad:
        snap = JobSnap.from_job_def(defs.get_repository_def().get_job(job))
        [mode] = snap.mode_def_snaps
        return cls(snap.config_schema_snapshot, str(mode.root_config_key))

    @property
    def shown(self) -> dict[str, Any]:
        """The YAML of all defaults (`rootDefaultYaml`)."""
        root = self.schema.get_config_snap(self.root)
        shown: dict[str, Any] = yaml.safe_load(default_values_yaml_from_type_snap(self.schema, root))
        return shown

    def fields(self, *path: str) -> dict[str, ConfigFieldSnap]:
        """What may be set, also where its default is nothing: fields below a path of the run config."""
        key = self.root
        for name in path:
            key = self.schema.get_config_snap(key).get_field(name).type_key
        return {str(field.name): field for field in self.schema.get_config_snap(key).fields or []}


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Project:
    return Project(monkeypatch, tmp_path, "https://api.vendor.example", SECRET)


@pytest.fixture(params=JOBS)
def launchpad(request: pytest.FixtureRequest, project: Project) -> Launchpad:
    return Launchpad.of(project.definitions(), request.param)


@pytest.mark.parametrize("job", JOBS)
def test_the_defaults_are_what_a_run_may_set_and_nothing_else(project: Project, job: str) -> None:
    mode = "reconcile" if job == "reconcile_invoices" else "incremental"
    assert Launchpad.of(project.definitions(), job).shown == {
        "ops": {"invoicing_resources": {"config": {**STEP, "mode": mode}}},
        "resources": {"api": {"config": API}, "warehouse": {"config": WAREHOUSE}},
    }


def configs(launchpad: Launchpad) -> Iterator[tuple[str, dict[str, ConfigFieldSnap]]]:
    for kind, named in (("ops", ["invoicing_resources"]), ("resources", ["api", "warehouse", "dlt"])):
        for name in named:
            yield name, launchpad.fields(kind, name, "config")


def test_these_may_be_set_and_no_others(launchpad: Launchpad) -> None:
    assert {name: set(fields) for name, fields in configs(launchpad)} == {
        "invoicing_resources": {*STEP, "since", "limit"},
        "api": {*API, "requests_per_second"},
        "warehouse": set(WAREHOUSE),
        "dlt": set(),
    }


def test_each_has_a_description_and_a_default(launchpad: Launchpad) -> None:
    fields = [field for _, each in configs(launchpad) for field in each.values()]
    assert [field.name for field in fields if not field.description or field.is_required] == []


def test_the_mode_is_chosen_from_three(launchpad: Launchpad) -> None:
    mode = launchpad.fields("ops", "invoicing_resources", "config")["mode"]
    choices = launchpad.schema.get_config_snap(mode.type_key).enum_values or []
    assert [choice.value for choice in choices] == ["incremental", "full", "reconcile"]


def test_none_is_for_a_secret_or_a_place(launchpad: Launchpad) -> None:
    assert [name for _, fields in configs(launchpad) for name in fields if NOT_OF_A_RUN.search(name)] == []


def test_that_of_a_component_has_its_own_defaults(tmp_path: Path) -> None:
    (tmp_path / "source.yaml").write_text(yaml.safe_dump(config()), encoding="utf-8")
    component = InvoicesComponent(
        name="stripe",
        base_url="https://api.stripe.example",
        api_key_env="STRIPE_API_KEY",
        destination="duckdb",
        window=3,
        requests_per_second=2.5,
    ).beside(tmp_path)
    assert Launchpad.of(component.definitions(), "stripe_refresh_invoices").shown == {
        "ops": {"stripe_resources": {"config": STEP}},
        "resources": {
            "stripe_api": {"config": API | {"window": 3, "requests_per_second": 2.5}},
            "stripe_warehouse": {"config": WAREHOUSE},
        },
    }


@pytest.mark.parametrize(
    ("resource", "field", "value"),
    [
        ("api", "api_key", SECRET),
        ("api", "api_key", {"env": SECRET}),
        ("api", "base_url", "https://api.other.example"),
        ("warehouse", "destination", "postgres"),
        ("warehouse", "duckdb_path", "other.duckdb"),
        ("dlt", "pipeline", "other"),
    ],
)
def test_anything_else_is_refused_before_there_is_a_run(
    project: Project, resource: str, field: str, value: object
) -> None:
    job = project.definitions().resolve_job_def("refresh_invoices")
    given = {"resources": {resource: {"config": {field: value}}}}
    with pytest.raises(dg.DagsterInvalidConfigError, match=f'unexpected config entry "{field}"') as refused:
        job.execute_in_process(run_config=given, instance=project.instance)
    assert SECRET not in str(refused.value)
    assert project.instance.get_runs() == []


def test_resources_of_another_project_keep_their_address_and_file_where_a_run_sets_something_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VENDOR_URL", "https://api.vendor.example")
    met: dict[str, Any] = {}

    @dg.asset
    def bills(api: dg.ResourceParam[InvoicesApi], warehouse: dg.ResourceParam[Warehouse]) -> None:
        met.update(api.model_dump() | warehouse.model_dump())

    resources = {
        "api": InvoicesApi(base_url=dg.EnvVar("VENDOR_URL"), api_key=dg.EnvVar("VENDOR_KEY"), answer_seconds=5),
        "warehouse": Warehouse(duckdb_path="bills.duckdb"),
    }
    given = {"api": {"config": {"window": 2}}, "warehouse": {"config": {"memory_limit": "1GB"}}}
    dg.materialize([bills], resources=resources, run_config={"resources": given})
    assert met == {
        "base_url": "https://api.vendor.example",
        "api_key": {"env": "VENDOR_KEY"},
        "window": 2,
        "requests_per_second": None,
        "answer_seconds": 5.0,
        "answer_megabytes": 512.0,
        "destination": "",
        "duckdb_path": "bills.duckdb",
        "lock_limit_seconds": 3600.0,
        "memory_limit": "1GB",
    }
