"""What every test starts from: no settings of this machine, folders of its own; in CI no skips.

And what many share: an API with invoices, and the project deployed for it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from invoices_assets_tests.support.fake_clock import FakeClock
from invoices_assets_tests.support.loader import Loader
from invoices_assets_tests.support.project import Project
from invoices_assets_tests.support.rows import without_waits
from invoices_assets_tests.vendor import Book, Contract, Vendor, serve
from invoices_assets_tests.vendor.fake_api import FakeApi

PROJECT = Path(__file__).parent.parent
STRICT = "INVOICES_TESTS_STRICT"
ANOTHER_DUCKDB = "see constraints-scale.txt"
"""Ends the reason of a skip where the extensions of this DuckDB are not on PyPI."""
EXTRA = "it comes with the extra"
"""In the reason of a skip where the servers that nobody here wrote, or `dg`, are not installed."""

_AnyReport = TypeVar("_AnyReport", pytest.TestReport, pytest.CollectReport)


def pytest_configure(config: pytest.Config) -> None:
    """Runs before test modules are imported, because definitions look at the environment when they load."""
    folder = tempfile.TemporaryDirectory(prefix="invoices-tests-")
    config.add_cleanup(folder.cleanup)
    for name in _settings():
        del os.environ[name]
    os.environ["DAGSTER_HOME"] = str(_new_folder(folder.name, "dagster_home"))
    os.environ["DLT_DATA_DIR"] = str(_new_folder(folder.name, "dlt"))
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "yes"
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"


@pytest.fixture(autouse=True)
def own_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No settings, a new DAGSTER_HOME and a new working folder, so default paths hit nothing real."""
    for name in _settings():
        monkeypatch.delenv(name)
    folder = tmp_path_factory.mktemp("surroundings")
    monkeypatch.setenv("DAGSTER_HOME", str(_new_folder(folder, "dagster_home")))
    monkeypatch.chdir(_new_folder(folder, "cwd"))


@pytest.fixture
def book() -> Book:
    """The invoices of `server`."""
    return Book.of(250)


@pytest.fixture
def contract() -> Contract:
    """How `server` looks."""
    return Contract()


@pytest.fixture
def server(book: Book, contract: Contract) -> Iterator[Vendor]:
    """An API that shows `book`."""
    with serve(book=book, contract=contract) as server:
        yield server


@pytest.fixture
def content() -> dict[str, Any] | None:
    """The source file of `project`; None for the default one."""
    return None


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: Vendor, content: dict[str, Any] | None) -> Project:
    """The project as deployed for `server`, with nothing loaded."""
    return Project(monkeypatch, tmp_path, server.url, server.key, content)


@pytest.fixture
def loader(tmp_path: Path, server: Vendor, content: dict[str, Any] | None) -> Loader:
    """A refresh of `server` without Dagster, into a warehouse of its own."""
    return Loader(tmp_path, server.url, content, key=server.key)


@pytest.fixture
def api() -> Iterator[FakeApi]:
    """A server whose answers the test scripts."""
    with FakeApi() as server:
        yield server


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """Waits of clients take no time; the clock that they wait by."""
    return without_waits(monkeypatch)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _strict((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _strict((yield))


def _strict(report: _AnyReport) -> _AnyReport:
    """Where INVOICES_TESTS_STRICT is set, all that a test can need is installed, so a skip is a failure.

    Its value `extras` says that the extras `servers` and `dg` are, too.
    """
    strict = os.environ.get(STRICT, "0") not in ("", "0")
    elsewhere = [ANOTHER_DUCKDB, *([EXTRA] if os.environ.get(STRICT) != "extras" else [])]
    if strict and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        if any(sentence in str(reason) for sentence in elsewhere):
            return report
        report.outcome = "failed"
        report.longrepr = f"{reason} ({STRICT} allows no skips)"
    return report


def _settings() -> list[str]:
    return [name for name in os.environ if name.startswith("INVOICES_") and name != STRICT]


def _new_folder(parent: str | Path, name: str) -> Path:
    folder = Path(parent) / name
    folder.mkdir()
    return folder
