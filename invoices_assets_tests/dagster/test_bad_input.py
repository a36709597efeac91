"""Bad settings and run configs get one clear sentence that names them; the warehouse stays as it was."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from invoices_assets_tests.support.processes import Deployment
from invoices_assets_tests.support.project import Project
from invoices_assets_tests.support.refusing import SECRET, sentence
from invoices_assets_tests.support.rows import put_rows, untouched
from invoices_assets_tests.support.sweep_helpers import config
from invoices_assets_tests.vendor import Book, Vendor, serve

pytestmark = pytest.mark.usefixtures("waits")


@pytest.fixture(scope="module")
def server() -> Iterator[Vendor]:
    with serve(Book.of(30), key=SECRET) as running:
        yield running


@pytest.fixture
def project(project: Project) -> Project:
    """A project that works, with rows of an earlier run."""
    put_rows(project, 10)
    return project


# Settings


def test_a_wrong_key_is_named_as_such(project: Project) -> None:
    project.monkeypatch.setenv("INVOICES_API_KEY", "wr0ng-k3y-of-bad-input")
    said = sentence(project)
    assert said.startswith("the API refused the key (401)")
    assert "wr0ng" not in said


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("127.0.0.1:8000", "INVOICES_API_BASE_URL must start with http:// or https:// and name a host"),
        ("api.vendor.example", "INVOICES_API_BASE_URL must start with http:// or https:// and name a host"),
        ("https://", "INVOICES_API_BASE_URL must start with http:// or https:// and name a host"),
        (
            "ftp://api.vendor.example",
            "INVOICES_API_BASE_URL must start with http:// or https:// and name a host",
        ),
        ("http://127.0.0.1:9", "cannot reach http://127.0.0.1:9 after 4 attempts: connection refused"),
        ("http://no-such-host.invalid", "cannot reach http://no-such-host.invalid after 4 attempts"),
        ("http://127.0.0.1:port", "is not a valid URL|must start with http"),
        ("http://[::1", "is not a valid URL|must start with http"),
    ],
)
def test_a_base_url_that_is_none_or_leads_nowhere_is_named(url: str, said: str, project: Project) -> None:
    project.monkeypatch.setenv("INVOICES_API_BASE_URL", url)
    assert any(part in sentence(project) for part in said.split("|"))


@pytest.mark.parametrize("more", ["{}?tenant=7", "{}/?tenant=7", "{}/v1#top", "ann:pa55word@{}"])
def test_a_base_url_that_is_more_than_one_is_refused_and_nothing_of_it_repeated(
    more: str, project: Project, server: Vendor
) -> None:
    asked = len(server.requests)
    project.monkeypatch.setenv("INVOICES_API_BASE_URL", f"http://{more.format(server.url.removeprefix('http://'))}")
    assert sentence(project) == (
        "INVOICES_API_BASE_URL must have no user name, `?` or `#`: parameters belong into `params` of the source file, "
        "user and password into the key, with the auth `http_basic`."
    )
    assert len(server.requests) == asked


def test_https_to_a_server_that_speaks_http_is_told(project: Project, server: Vendor) -> None:
    project.monkeypatch.setenv("INVOICES_API_BASE_URL", server.url.replace("http:", "https:"))
    assert "it does not speak TLS; should the address begin with http://?" in sentence(project)


def test_a_key_that_no_header_can_hold_is_told(project: Project) -> None:
    project.source = config()
    project.source["client"]["auth"] = {"type": "api_key", "name": "X-Key", "location": "header"}
    project.write_source()
    project.monkeypatch.setenv("INVOICES_API_KEY", "k3y\nof two lines")
    assert "holds a character that no HTTP header can hold" in sentence(project)


@pytest.mark.parametrize("missing", ["INVOICES_API_BASE_URL", "INVOICES_API_KEY"])
def test_the_one_variable_that_is_missing_is_named(missing: str, project: Project) -> None:
    project.monkeypatch.delenv(missing)
    assert f"{missing} is not set" in sentence(project)


def test_a_destination_that_does_not_exist_is_named(project: Project) -> None:
    project.monkeypatch.setenv("INVOICES_DESTINATION", "filing_cabinet")
    assert "filing_cabinet" in sentence(project)


# The warehouse


def a_file_for_a_folder(project: Project) -> str:
    (project.folder / "file").write_text("no folder")
    return str(project.folder / "file" / "invoices.duckdb")


def a_folder(project: Project) -> str:
    return str(project.folder)


def a_text(project: Project) -> str:
    path = project.folder / "text.duckdb"
    path.write_text("This is no database. " * 1000)
    return str(path)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (a_file_for_a_folder, "set INVOICES_DUCKDB_PATH to a file in a writable folder"),
        (a_folder, "is a folder; it must name a file"),
        (a_text, "is not a readable DuckDB database"),
    ],
)
def test_a_path_that_cannot_hold_the_warehouse_is_named(
    path: Callable[[Project], str], said: str, project: Project
) -> None:
    project.monkeypatch.setenv("INVOICES_DUCKDB_PATH", path(project))
    assert said in sentence(project)
    assert project.query("SELECT count(*) FROM invoices") == [(10,)]


# Run config


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"since": "yesterday"}, "`since` must be a moment in ISO 8601"),
        ({"mode": "everything"}, "mode"),
        ({"limit": 0}, "limit"),
        ({"max_deleted_share": 20}, "max_deleted_share"),
    ],
)
def test_a_run_config_that_cannot_be_followed_is_refused(asked: dict[str, Any], said: str, project: Project) -> None:
    with untouched(project):
        assert said in refusal(project, **asked)


def refusal(project: Project, **asked: Any) -> str:
    try:
        result = project.run(**asked)
    except dg.DagsterInvalidConfigError as error:  # before the run
        return str(error)
    assert not result.success
    return project.failure(result)


# The command line


COMMAND = [
    sys.executable,
    "-m",
    "dagster",
    "job",
    "execute",
    "-m",
    "invoices_assets.definitions",
    "-j",
    "refresh_invoices",
]


def test_the_command_ends_with_the_sentence_and_a_status_that_is_not_0(server: Vendor, tmp_path: Path) -> None:
    place = Deployment(tmp_path, server.url, "wr0ng-k3y-of-bad-input")
    done = subprocess.run(COMMAND, cwd=tmp_path, env=place.environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "Failure: the API refused the key (401)" in done.stderr
    assert "wr0ng" not in done.stdout + done.stderr
    assert not place.warehouse.exists()


def test_the_command_says_what_is_wrong_with_the_source_file_without_frames(server: Vendor, tmp_path: Path) -> None:
    place = Deployment(tmp_path, server.url, SECRET, config(paginator={"type": "telepathy"}))
    run = place.run()
    assert run.status == 1
    assert "Error: The source file source.yaml cannot be used: " in run.said
    assert "Traceback" not in run.said
    assert not place.warehouse.exists()
