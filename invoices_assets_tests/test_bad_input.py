"""Bad input gets one clear sentence that names the setting or the fact; the warehouse stays as it was."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import dagster as dg
import pytest
import yaml

from invoices_assets.sandbox import Book, Sandbox, serve
from invoices_assets_tests.exactly import put_rows, untouched, without_waits
from invoices_assets_tests.processes import Deployment
from invoices_assets_tests.running import Project
from invoices_assets_tests.sweeping import config

SECRET = "k3y-of-bad-input"


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> None:
    without_waits(monkeypatch)


@pytest.fixture(scope="module")
def server() -> Any:
    with serve(Book.of(30), key=SECRET) as running:
        yield running


@pytest.fixture
def project(server: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Project:
    """A project that works, with rows of an earlier run."""
    project = Project(monkeypatch, tmp_path, server.url, SECRET)
    put_rows(project, 10)
    return project


def sentence(project: Project, **config: Any) -> str:
    """What a run says that fails, with the warehouse untouched; one line, without the key."""
    with untouched(project):
        try:
            result = project.run(**config)
        except click.ClickException as error:
            said = error.format_message()
        else:
            assert not result.success
            said = project.failure(result)
    assert said
    assert "\n" not in said
    assert SECRET not in said
    return said


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


def test_https_to_a_server_that_speaks_http_is_told(project: Project, server: Sandbox) -> None:
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


# The source file


def with_columns(**hints: Any) -> dict[str, Any]:
    content = config()
    content["resources"][0]["columns"].update(hints)
    return content


def with_endpoint(**changes: Any) -> dict[str, Any]:
    return config(**changes)


def without(key: str) -> dict[str, Any]:
    content = config()
    del content["resource_defaults"][key]
    return content


def with_auth(**auth: Any) -> dict[str, Any]:
    content = config()
    content["client"]["auth"] = auth
    return content


BAD_SOURCES = [
    pytest.param("", "needs a list `resources`", id="empty"),
    pytest.param("- a\n- b\n", "needs a list `resources`", id="a list"),
    pytest.param(
        "client: {auth: {type: api_key\n", "is not valid YAML: .* \\(line 2, column 1\\)", id="cut off"
    ),
    pytest.param("resources:\n\t- name: x\n", "is not valid YAML: .*line 2", id="a tab"),
    pytest.param(b"\xff\xfe\x00", "is not UTF-8 text", id="no text"),
    pytest.param("resources: []\n", "needs a list `resources`", id="no resource"),
    pytest.param("resources: [{name: invoices}, 7]\n", "cannot be used", id="a number for a resource"),
    pytest.param(with_endpoint(paginator={"type": "telepathy"}), "telepathy", id="unknown paginator"),
    pytest.param(
        with_endpoint(paginator={"type": "offset", "limt": 5}), "limt", id="misspelt paginator setting"
    ),
    pytest.param(with_endpoint(paginator=None), "names no paginator", id="no paginator"),
    pytest.param(with_endpoint(data_selector="data[?("), "data\\[\\?\\(", id="broken selector"),
    pytest.param(with_endpoint(paht="/v1"), "paht", id="misspelt key"),
    pytest.param(
        with_endpoint(
            incremental={"cursor_path": "updated_at"}, params={"since": "{incremental.start_value}"}
        ),
        "needs `initial_value`",
        id="placeholder without a first value",
    ),
    pytest.param(
        with_endpoint(params={"customer": "{resources.customers.id}"}),
        "customers",
        id="unknown parent resource",
    ),
    pytest.param(
        without("primary_key"), "needs `write_disposition: merge` and a `primary_key`", id="no primary key"
    ),
    pytest.param(without("write_disposition"), "needs `write_disposition: merge`", id="append"),
    pytest.param(with_auth(type="handshake"), "auth type `handshake` is unknown", id="unknown auth"),
    pytest.param(
        with_auth(type="api_key", name="key", api_key=SECRET),
        "the secret belongs into INVOICES_API_KEY",
        id="the secret in the file",
    ),
    pytest.param(with_columns(total={"data_type": "money"}), "`total` .*money", id="unknown type"),
    pytest.param(
        with_columns(total={"data_type": "decimal", "x-form": "%Y"}),
        "`total` .*`x-form`",
        id="unknown x- hint",
    ),
    pytest.param(
        with_columns(issue_date={"data_type": "date", "x-format": "%d"}),
        "`issue_date` .*`x-format` '%d'",
        id="format without a year",
    ),
    pytest.param(
        with_columns(updated_at={"data_type": "timestamp", "x-timezone": "Mars/Olympus"}),
        "Mars/Olympus",
        id="unknown zone",
    ),
]


@pytest.mark.parametrize(("content", "said"), BAD_SOURCES)
def test_a_source_file_that_cannot_be_used_is_refused_with_its_meaning(
    content: Any, said: str, project: Project
) -> None:
    path = project.folder / "source.yaml"
    text = content if isinstance(content, (str, bytes)) else yaml.safe_dump(content)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    project.monkeypatch.setenv("INVOICES_SOURCE", str(path))
    found = sentence(project)
    assert "source.yaml" in found
    assert re.search(said, found), found


@pytest.mark.parametrize(("name", "said"), [("nowhere.yaml", "No such file"), (".", "Is a directory")])
def test_a_source_file_that_is_not_there_is_named(name: str, said: str, project: Project) -> None:
    project.monkeypatch.setenv("INVOICES_SOURCE", name)
    assert f"The source file {name} cannot be read: {said}" in sentence(project)


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
def test_a_run_config_that_cannot_be_followed_is_refused(
    asked: dict[str, Any], said: str, project: Project
) -> None:
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


def test_the_command_ends_with_the_sentence_and_a_status_that_is_not_0(
    server: Sandbox, tmp_path: Path
) -> None:
    place = Deployment(tmp_path, server.url, "wr0ng-k3y-of-bad-input")
    done = subprocess.run(
        COMMAND, cwd=tmp_path, env=place.environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1
    assert "Failure: the API refused the key (401)" in done.stderr
    assert "wr0ng" not in done.stdout + done.stderr
    assert not place.warehouse.exists()


def test_the_command_says_what_is_wrong_with_the_source_file_without_frames(
    server: Sandbox, tmp_path: Path
) -> None:
    place = Deployment(tmp_path, server.url, SECRET, config(paginator={"type": "telepathy"}))
    run = place.run()
    assert run.status == 1
    assert "Error: The source file source.yaml cannot be used: " in run.said
    assert "Traceback" not in run.said
    assert not place.warehouse.exists()
