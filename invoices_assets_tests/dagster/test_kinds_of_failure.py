"""Which failures Dagster may retry, and what a failure of one resource does to the others of its step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from invoices_assets.errors import (
    ApiStatusError,
    ApiUnreachable,
    BadAnswer,
    DeletionRefused,
    IncompleteSweep,
    KeyRefused,
    NotFound,
    RefreshError,
    SourceError,
    WarehouseBusy,
    WarehouseUnusable,
)
from invoices_assets_tests.support.project import Project
from invoices_assets_tests.support.sweep_helpers import config
from invoices_assets_tests.vendor.fake_api import Asked, FakeApi, Reply

pytestmark = pytest.mark.usefixtures("waits")
NAMES = ("invoices", "customers", "payments")
RETRY_TAG = "dagster/retry_on_asset_or_op_failure"


def resource(name: str) -> dict[str, Any]:
    paginator = {"type": "offset", "limit": 100, "total_path": "total"}
    return {"name": name, "endpoint": {"path": f"v1/{name}", "data_selector": "data", "paginator": paginator}}


def one_record(asked: Asked) -> Reply:
    return Reply(body={"data": [{"id": "1"}] if asked.query["offset"] == ["0"] else [], "total": 1})


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, api: FakeApi) -> Project:
    """Three resources in one step, each with one record."""
    content = config()
    content["resources"] = [resource(name) for name in NAMES]
    for name in NAMES:
        api.route(f"/v1/{name}")(one_record)
    return Project(monkeypatch, tmp_path, api.url, "k3y-of-the-test", content)


def loaded(result: dg.ExecuteInProcessResult) -> list[str]:
    keys = [event.asset_key.path[-1] for event in result.get_asset_materialization_events() if event.asset_key]
    return [name for name in keys if not name.endswith("_rejected")]


def run_with_a_second_try(project: Project) -> dg.ExecuteInProcessResult:
    """As a deployment may run it: each step that fails is tried once more."""
    policy = dg.RetryPolicy(max_retries=1)
    job = dg.define_asset_job("again", dg.AssetSelection.all(), op_retry_policy=policy)
    definitions = dg.Definitions.merge(project.definitions(), dg.Definitions(jobs=[job]))
    return definitions.resolve_job_def("again").execute_in_process(instance=project.instance, raise_on_error=False)


def test_a_resource_that_fails_leaves_those_before_and_behind_it_loaded(project: Project, api: FakeApi) -> None:
    api.route("/v1/customers", Reply(400, b"no such filter"))

    result = project.run()

    assert not result.success
    assert project.failure(result) == (
        f"`customers` failed: GET {api.url}/v1/customers answered 400 Bad Request: no such filter. "
        "Loaded: `invoices`, `payments`."
    )
    assert loaded(result) == ["invoices", "payments"]
    assert project.query("SELECT count(*) FROM payments") == [(1,)]


def test_each_resource_that_fails_has_its_sentence(project: Project, api: FakeApi) -> None:
    api.route("/v1/invoices", Reply(503))
    api.route("/v1/payments", Reply(body={"error": 1}))

    assert project.failure(project.run()) == (
        f"`invoices` failed: GET {api.url}/v1/invoices failed after 4 attempts: 503 Service Unavailable. "
        "`payments` failed: GET v1/payments: the answer has no `data`; it is an object with the keys `error`. "
        "Loaded: `customers`."
    )


def test_after_a_refused_key_no_other_resource_is_asked_for(project: Project, api: FakeApi) -> None:
    api.route("/v1/customers", Reply(401))

    result = project.run()

    assert "Loaded: `invoices`. Not asked for: `payments`." in project.failure(result)
    assert [asked.path for asked in api.asked if asked.path == "/v1/payments"] == []


def test_after_403_the_others_are_asked_for(project: Project, api: FakeApi) -> None:
    api.route("/v1/customers", Reply(403))

    assert "Loaded: `invoices`, `payments`." in project.failure(project.run())


@pytest.mark.parametrize(
    ("reply", "requests", "tag"),
    [
        (Reply(503), 8, None),
        (Reply(429), 8, None),
        (Reply(hang_up=True), 8, None),
        (Reply(401), 1, "false"),
        (Reply(400), 1, "false"),
        (Reply(body={"error": 1}), 1, "false"),
    ],
    ids=["503", "429", "no answer", "401", "400", "other keys"],
)
def test_dagster_may_retry_what_may_go_away(
    project: Project, api: FakeApi, reply: Reply, requests: int, tag: str | None
) -> None:
    """A step is retried by its retry policy, a run by run retries, which a tag of the run forbids."""
    api.route("/v1/invoices", reply)

    assert not run_with_a_second_try(project).success

    assert [asked.path for asked in api.asked].count("/v1/invoices") == requests
    assert project.instance.get_runs(limit=1)[0].tags.get(RETRY_TAG) == tag


def test_a_step_is_not_retried_where_one_of_its_failures_would_stay(project: Project, api: FakeApi) -> None:
    api.route("/v1/invoices", Reply(503))
    api.route("/v1/payments", Reply(400))

    run_with_a_second_try(project)

    assert [asked.path for asked in api.asked].count("/v1/payments") == 1


@pytest.mark.parametrize(
    ("make", "may"),
    [
        (lambda: ApiUnreachable("x"), True),
        (lambda: ApiStatusError(504, "x"), True),
        (lambda: ApiStatusError(501, "x"), False),
        (lambda: KeyRefused(401, "x"), False),
        (lambda: NotFound(404, "x"), False),
        (lambda: BadAnswer("x"), False),
        (lambda: IncompleteSweep("x"), False),
        (lambda: SourceError("x"), False),
        (lambda: WarehouseBusy("x"), True),
        (lambda: WarehouseUnusable("x"), False),
        (lambda: DeletionRefused("x"), False),
    ],
)
def test_errors_know_whether_they_may_go_away(make: Callable[[], RefreshError], may: bool) -> None:
    assert make().may_be_retried is may
