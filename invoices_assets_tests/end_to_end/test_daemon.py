"""`dagster dev` as people use it: a run from the UI, and the sensor under the real daemon."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from invoices_assets_tests.support.chromium import chromium_or_skip
from invoices_assets_tests.support.dagster_dev import Dev, dagster_dev
from invoices_assets_tests.vendor import Book, Vendor, serve

SECRET = "s3cret-key-of-the-daemon-test"


@dataclass
class Deployment:
    """A running `dagster dev` and the API that it loads from."""

    dev: Dev
    server: Vendor
    folder: Path

    @property
    def book(self) -> Book:
        assert isinstance(self.server.book, Book)
        return self.server.book

    @property
    def warehouse(self) -> Path:
        return self.folder / "warehouse" / "invoices.duckdb"

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("dagster_dev")
    with (
        serve(book=Book.of(250), key=SECRET) as server,
        dagster_dev(
            folder,
            INVOICES_API_BASE_URL=server.url,
            INVOICES_API_KEY=SECRET,
            INVOICES_DUCKDB_PATH="warehouse/invoices.duckdb",
        ) as dev,
    ):
        yield Deployment(dev, server, folder)


@pytest.fixture(scope="module")
def loaded(deployed: Deployment) -> Deployment:
    """The same, after a run that was launched as from the launchpad."""
    assert deployed.dev.finished(deployed.dev.launch("refresh_invoices")) == "SUCCESS"
    return deployed


@pytest.fixture(scope="module")
def watched(loaded: Deployment) -> Deployment:
    """The same, after a change upstream, and the run that the sensor then asked for."""
    loaded.book.update("inv_0000007", status="void")
    loaded.dev.start_sensor()
    [run_id] = loaded.dev.wait(lambda: started(loaded.dev))
    assert loaded.dev.finished(run_id) == "SUCCESS"
    return loaded


def started(dev: Dev) -> list[str]:
    """The runs that the sensor has started."""
    return [run_id for tick in dev.ticks() for run_id in tick["runIds"]]


def test_a_run_launched_from_the_ui_loads_every_row(loaded: Deployment) -> None:
    rows = loaded.query("SELECT count(*), count(DISTINCT id), sum(amount_paid) FROM invoicing.invoices")
    assert rows == [(250, 250, sum(record["amount_paid"] for record in loaded.book.records))]


def test_the_sensor_starts_a_run_for_a_change_and_the_row_changes(watched: Deployment) -> None:
    assert watched.query("SELECT status FROM invoicing.invoices WHERE id = 'inv_0000007'") == [("void",)]


@pytest.fixture(scope="module")
def browser() -> str:
    return chromium_or_skip()


def test_the_page_of_the_asset_shows_the_load_and_its_columns(watched: Deployment, browser: str) -> None:
    def page() -> str | None:
        shown = subprocess.run(
            [
                browser,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                f"--user-data-dir={watched.folder / 'browser'}",
                "--window-size=1600,3000",
                "--virtual-time-budget=30000",
                "--dump-dom",
                f"{watched.dev.url}/assets/invoicing/invoices",
            ],
            capture_output=True,
            text=True,
            timeout=120,
        ).stdout
        return shown if "Latest materialization" in shown and "DECIMAL(38,9)" in shown else None

    shown = watched.dev.wait(page)
    assert all(text in shown for text in ("table_rows", ">250<", "customer__name", "Amount including tax"))
    assert SECRET not in shown


def test_no_second_run_follows_and_each_tick_is_skipped_with_its_reason(watched: Deployment) -> None:
    def quiet() -> list[dict[str, Any]]:
        return [tick for tick in watched.dev.ticks() if tick["skipReason"] == "Nothing changed since the last load."]

    watched.dev.wait(lambda: len(quiet()) >= 3)
    assert len(started(watched.dev)) == 1
    assert not [tick for tick in watched.dev.ticks() if tick["error"]]


def test_a_key_typed_into_the_launchpad_is_refused(watched: Deployment) -> None:
    given = {"resources": {"api": {"config": {"api_key": SECRET}}}}
    refused = watched.dev.asked_to_launch("refresh_invoices", given)
    assert refused["__typename"] == "RunConfigValidationInvalid"
    assert SECRET not in str(refused)


def test_nothing_that_dagster_keeps_or_prints_has_the_secret(watched: Deployment) -> None:
    files = [path for path in watched.folder.rglob("*") if path.is_file()]
    assert any(path.suffix == ".db" for path in files)
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []
