"""A source file that cannot be used is refused before anything is asked; the warehouse stays as it was."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from invoices_assets_tests.support.project import Project
from invoices_assets_tests.support.refusing import SECRET, sentence
from invoices_assets_tests.support.rows import put_rows
from invoices_assets_tests.support.sweep_helpers import config


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Project:
    """A project with rows of an earlier run, for an API that does not answer."""
    project = Project(monkeypatch, tmp_path, "http://127.0.0.1:9", SECRET)
    put_rows(project, 10)
    return project


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


def hanging(name: str | None, *paths: str) -> dict[str, Any]:
    """Resources `a`, `b` and so on of these paths; the first one has another name, or none."""
    content = config()
    usual = {"paginator": "single_page", "data_selector": "data"}
    content["resources"] = [
        {"name": letter, "endpoint": {"path": path, **usual}} for letter, path in zip("abc", paths, strict=False)
    ]
    content["resources"][0] |= {"name": name}
    if name is None:
        del content["resources"][0]["name"]
    return content


BAD_SOURCES = [
    pytest.param("", "needs a list `resources`", id="empty"),
    pytest.param("- a\n- b\n", "needs a list `resources`", id="a list"),
    pytest.param("client: {auth: {type: api_key\n", "is not valid YAML: .* \\(line 2, column 1\\)", id="cut off"),
    pytest.param("resources:\n\t- name: x\n", "is not valid YAML: .*line 2", id="a tab"),
    pytest.param("columns: {no: {}}\n", "`no` is no text in YAML; put it in quotes \\(line 1", id="no as a key"),
    pytest.param(b"\xff\xfe\x00", "is not UTF-8 text", id="no text"),
    pytest.param(
        "resources:\n  - name: invoices\n    params: {status: all}\n    params: {sort: id}\n",
        "is not valid YAML: `params` stands there twice \\(line 4, column 5\\)",
        id="a key twice",
    ),
    pytest.param("resources: []\n", "needs a list `resources`", id="no resource"),
    pytest.param("resources: [{name: invoices}, 7]\n", "cannot be used", id="a number for a resource"),
    pytest.param(with_endpoint(paginator={"type": "telepathy"}), "telepathy", id="unknown paginator"),
    pytest.param(with_endpoint(paginator={"type": "offset", "limt": 5}), "limt", id="misspelt paginator setting"),
    pytest.param(with_endpoint(paginator=None), "names no paginator", id="no paginator"),
    pytest.param(with_endpoint(data_selector="data[?("), "data\\[\\?\\(", id="broken selector"),
    pytest.param(with_endpoint(paht="/v1"), "paht", id="misspelt key"),
    pytest.param(
        with_endpoint(incremental={"cursor_path": "updated_at"}, params={"since": "{incremental.start_value}"}),
        "needs `initial_value`",
        id="placeholder without a first value",
    ),
    pytest.param(
        with_endpoint(params={"customer": "{resources.customers.id}"}),
        "customers",
        id="unknown parent resource",
    ),
    pytest.param(without("primary_key"), "needs `write_disposition: merge` and a `primary_key`", id="no primary key"),
    pytest.param(without("write_disposition"), "needs `write_disposition: merge`", id="append"),
    pytest.param(with_auth(type="handshake"), "auth type `handshake` is unknown", id="unknown auth"),
    pytest.param(
        with_auth(type="api_key", name="key", api_key=SECRET),
        "the secret belongs into the settings",
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
    assert "ResolvedParam" not in found


def test_the_home_folder_is_followed_which_no_shell_writes_out_in_an_env_file(project: Project) -> None:
    project.monkeypatch.setenv("HOME", str(project.folder))
    (project.folder / "own.yaml").write_text("resources: []\n", encoding="utf-8")
    project.monkeypatch.setenv("INVOICES_SOURCE", "~/own.yaml")
    assert (
        sentence(project)
        == f"The source file {project.folder}/own.yaml needs a list `resources` with at least one resource."
    )


@pytest.mark.parametrize(("name", "said"), [("nowhere.yaml", "No such file"), (".", "Is a directory")])
def test_a_source_file_that_is_not_there_is_named(name: str, said: str, project: Project) -> None:
    project.monkeypatch.setenv("INVOICES_SOURCE", name)
    assert f"The source file {name} cannot be read: {said}" in sentence(project)
