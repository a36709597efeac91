"""A backfill on several machines, as `deploy/` describes them, one of which dies in the middle; and all is exact."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pytest
import yaml

from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.warehouses.catalogs import catalog_of
from invoices_assets.load.warehouses.connection import open_warehouse
from invoices_assets.names import Names
from invoices_assets_tests.support.dagster_dev import Dev
from invoices_assets_tests.support.machines import Machines, deployed, redis_server, storage_in, until
from invoices_assets_tests.support.months import by_month
from invoices_assets_tests.support.rows import assert_holds
from invoices_assets_tests.support.versioning import SCD2
from invoices_assets_tests.support.warehouses import PASSWORD, execute, postgres_server
from invoices_assets_tests.vendor import Book, Vendor, serve

SECRET = "s3cret-key-of-the-machines-test"
MONTHS = [f"2025-{number:02}-01" for number in range(1, 13)]
FATAL_MONTH = "2025-03-01"
WAREHOUSES = {"postgres": Names("invoicing"), "ducklake": Names("lake")}
QUICK = {"run_monitoring": {"poll_interval_seconds": 2}}


def dated(record: dict[str, Any]) -> dict[str, Any]:
    """The invoice, made on some day of 2025."""
    number = int(record["id"].removeprefix("inv_"))
    made = f"2025-{number % 12 + 1:02}-{number % 28 + 1:02}T08:00:00Z"
    return record | {"created_at": made, "updated_at": made}


@dataclass
class Deployment:
    """What is deployed, and what the backfills have made of it.

    Parameters:
        storage: address of the database that Dagster keeps its storage in.
        lost: the id of the run whose worker died.
    """

    dev: Dev
    machines: Machines
    server: Vendor
    storage: str
    backfills: list[str] = field(default_factory=list)
    lost: str = ""

    @property
    def book(self) -> Book:
        assert isinstance(self.server.book, Book)
        return self.server.book

    def backfill(self, destination: str) -> None:
        params = {
            "assetSelection": [{"path": [WAREHOUSES[destination].dataset, "invoices"]}],
            "partitionNames": MONTHS,
        }
        begun = self.dev.ask(BACKFILL, params=params)
        assert begun["__typename"] == "LaunchBackfillSuccess", begun
        self.backfills.append(begun["backfillId"])

    def runs(self) -> list[dict[str, Any]]:
        """The runs of all backfills, those that were started again included."""
        filters = [{"tags": [{"key": "dagster/backfill", "value": each}]} for each in self.backfills]
        return [run for each in filters for run in self.dev.ask(RUNS, filter=each)["results"]]

    def said(self, run_id: str) -> list[str]:
        """The messages in the event log of a run."""
        events = self.dev.ask(LOG, id=run_id)["events"]
        return [event["message"] for event in events if event]

    def kill_the_worker_of_a_run_in(self, month: str) -> None:
        def under_way() -> list[str]:
            tag = {"key": "dagster/asset_partition_range_start", "value": month}
            return [run["runId"] for run in self.runs() if run["status"] == "STARTED" and tag in run["tags"]]

        self.lost = until(under_way)[0]
        [pid] = re.findall(r"Started process for run \(pid: (\d+)\)", "\n".join(self.said(self.lost)))
        name = next(name for name, each in self.machines.running.items() if each.is_of(int(pid)))
        self.machines.running[name].kill()
        self.machines.start("worker", name, "-n", f"{name}@%h")

    @contextmanager
    def opened(self, destination: str) -> Iterator[duckdb.DuckDBPyConnection]:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.machines.project.items():
                patch.setenv(name, value)
            dataset = WAREHOUSES[destination].dataset
            catalog = catalog_of(WarehouseSettings(dataset, destination=destination))
            with open_warehouse(catalog, read_only=True) as warehouse:
                warehouse.execute(f"USE warehouse.{dataset}")
                yield warehouse


def in_database(dsn: str, name: str) -> str:
    return dsn.removesuffix("postgres") + name


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("machines")
    source = by_month("2025-01-01")
    source["resources"][0]["write_disposition"] = SCD2
    (folder / "source.yaml").write_text(yaml.safe_dump(source))
    with (
        postgres_server() as dsn,
        redis_server(folder) as broker,
        serve(book=Book.of(120, dated), key=SECRET) as server,
    ):
        for name in ("dagster", "warehouse"):
            execute(dsn, f"CREATE DATABASE {name}")
        warehouse = in_database(dsn, "warehouse")
        machines = Machines(
            folder,
            storage_in(dsn, "dagster") | {"DAGSTER_CELERY_BROKER_URL": broker},
            {
                "INVOICES_API_BASE_URL": server.url,
                "INVOICES_API_KEY": SECRET,
                "LAKE_API_KEY": SECRET,
                "INVOICES_SOURCE": str(folder / "source.yaml"),
                "DESTINATION__POSTGRES__CREDENTIALS": warehouse,
                "DESTINATION__DUCKLAKE__CREDENTIALS__CATALOG": warehouse,
                "DESTINATION__DUCKLAKE__CREDENTIALS__STORAGE": str(folder / "lake"),
            },
            QUICK,
            "invoices_assets_tests.support.two_warehouses",
        )
        with deployed(machines) as dev:
            yield Deployment(dev, machines, server, in_database(dsn, "dagster"))


@pytest.fixture(scope="module")
def filled(deployment: Deployment) -> Deployment:
    """After a backfill of twelve months into both warehouses at once, in which a worker died while it read the API."""
    asked: list[int] = []

    @deployment.server.on_request
    def wait(number: int) -> None:
        call = deployment.server.requests[-1]
        if call.query.get("created_from", "").startswith(FATAL_MONTH) and not deployment.lost:
            call.delay = 20
            asked.append(number)

    for destination in WAREHOUSES:
        deployment.backfill(destination)
    # a daemon that looks for backfills every 30 s begins with these
    deployment.machines.start("daemon")
    until(lambda: asked)
    deployment.kill_the_worker_of_a_run_in(FATAL_MONTH)
    done = 2 * len(MONTHS)
    until(lambda: [run["status"] for run in deployment.runs()].count("SUCCESS") == done, 400, 2)
    return deployment


def test_a_run_whose_worker_is_killed_fails_and_is_repeated(filled: Deployment) -> None:
    assert "no Celery worker is at work on this run any more" in "".join(filled.said(filled.lost))
    assert [run["runId"] for run in filled.runs() if run["status"] != "SUCCESS"] == [filled.lost]
    [repeated] = [run for run in filled.runs() if {"key": "dagster/parent_run_id", "value": filled.lost} in run["tags"]]
    assert repeated["status"] == "SUCCESS"


@pytest.mark.parametrize("destination", WAREHOUSES)
def test_every_month_is_exact_with_its_lines_and_one_version_of_each_invoice(
    filled: Deployment, destination: str
) -> None:
    with filled.opened(destination) as warehouse:
        assert_holds(warehouse, filled.book)
        versions = warehouse.execute("SELECT id, valid_to FROM invoices_history ORDER BY id").fetchall()
    assert versions == [(record["id"], None) for record in filled.book.records]


@pytest.fixture(scope="module")
def reconciled(filled: Deployment) -> Deployment:
    """After changes at the API and a run of `reconcile_invoices` for each warehouse, launched as by the launchpad."""
    for record in filled.book.records[:3]:
        filled.book.update(record["id"], status="void", line_items=record["line_items"][:1])
    for names in WAREHOUSES.values():
        assert filled.dev.finished(filled.dev.launch(names.reconcile)) == "SUCCESS"
    return filled


@pytest.mark.parametrize("destination", WAREHOUSES)
def test_a_change_afterwards_is_one_more_version_and_other_lines(reconciled: Deployment, destination: str) -> None:
    changed = [record["id"] for record in reconciled.book.records[:3]]
    with reconciled.opened(destination) as warehouse:
        assert_holds(warehouse, reconciled.book)
        versions = warehouse.execute(
            "SELECT id, count(*), count(valid_to) FROM invoices_history GROUP BY id HAVING count(*) > 1 ORDER BY id"
        ).fetchall()
        past = warehouse.execute("SELECT count(*) FROM invoices_history WHERE valid_to IS NOT NULL").fetchone()
    assert versions == [(id, 2, 1) for id in changed]
    assert past == (3,)


def test_the_key_and_the_password_of_the_warehouse_are_in_nothing_that_is_kept(reconciled: Deployment) -> None:
    import redis

    redis.Redis.from_url(reconciled.machines.dagster["DAGSTER_CELERY_BROKER_URL"]).save()
    for storage in ("runs", "event_logs", "bulk_actions"):
        [(kept,)] = execute(reconciled.storage, f"SELECT string_agg(kept::text, '') FROM {storage} AS kept")
        assert "invoices" in kept
        assert [secret for secret in (SECRET, PASSWORD) if secret in kept] == []
    files = [path for path in reconciled.machines.folder.rglob("*") if path.is_file()]
    assert any(path.name == "dump.rdb" for path in files)
    assert [path for path in files for secret in (SECRET, PASSWORD) if secret.encode() in path.read_bytes()] == []


def test_a_run_that_somebody_terminates_is_canceled_so_that_it_is_not_repeated(reconciled: Deployment) -> None:
    asked: list[int] = []

    @reconciled.server.on_request
    def wait(number: int) -> None:
        if not asked:
            reconciled.server.requests[-1].delay = 20
            asked.append(number)

    run_id = reconciled.dev.launch("refresh_invoices")
    until(lambda: asked)
    assert reconciled.dev.ask(TERMINATE, id=run_id)["__typename"] == "TerminateRunSuccess"
    assert reconciled.dev.finished(run_id) == "CANCELED"


BACKFILL = """mutation Backfill($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}"""

RUNS = """query Runs($filter: RunsFilter!) {
  runsOrError(filter: $filter) { ... on Runs { results { runId status tags { key value } } } }
}"""

LOG = """query Log($id: ID!) {
  logsForRun(runId: $id) { ... on EventConnection { events { ... on MessageEvent { message } } } }
}"""

TERMINATE = """mutation Terminate($id: String!) {
  terminateRun(runId: $id) { __typename ... on PythonError { message } }
}"""
