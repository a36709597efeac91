"""`python -m invoices_assets.describe check`, as a person runs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml

from invoices_assets_tests.support.commands import described, described_in_a_process
from invoices_assets_tests.support.sweep_helpers import config
from invoices_assets_tests.vendor import Vendor


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where it is run, without a Dagster home."""
    folder = tmp_path / "nothing but this"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("DAGSTER_HOME")
    return folder


def check(
    *options: str, run: Callable[..., CompletedProcess[str]] = described, **settings: str
) -> CompletedProcess[str]:
    return run("check", *options, **settings)


def settings_of(server: Vendor, folder: Path, content: dict[str, Any] | None = None) -> dict[str, str]:
    path = folder.parent / "described.yaml"
    path.write_text(yaml.safe_dump(content or config()), encoding="utf-8")
    return {"INVOICES_API_BASE_URL": server.url, "INVOICES_API_KEY": server.key, "INVOICES_SOURCE": str(path)}


def test_without_settings_it_checks_the_sandbox_and_writes_nothing(folder: Path) -> None:
    done = check(run=described_in_a_process)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "wrong" not in done.stdout
    assert "embedded sandbox" in done.stderr
    assert list(folder.iterdir()) == []


def test_something_wrong_is_exit_status_1_and_each_line_has_its_remedy(server: Vendor, folder: Path) -> None:
    wrong = settings_of(server, folder, config(data_selector="invoices"))
    done = check(run=described_in_a_process, **wrong)
    assert done.returncode == 1
    assert "wrong     selector" in done.stdout
    assert "-> Lists of objects are at `data_selector: data`." in done.stdout


def test_what_is_unproven_is_listed_with_exit_status_0(server: Vendor, folder: Path) -> None:
    done = check(**settings_of(server, folder, config(incremental=None)))
    assert done.returncode == 0
    assert "unproven  change filter" in done.stdout


def test_json_is_for_machines(server: Vendor, folder: Path) -> None:
    done = check("--json", **settings_of(server, folder, config(data_selector="invoices")))
    told = json.loads(done.stdout)
    assert told["verdict"] == "wrong"
    assert told["findings"][0]["subject"] == "selector"
    assert told["findings"][0]["verdict"] == "wrong"


def test_one_setting_of_two_is_wrong_and_the_missing_one_named(server: Vendor, folder: Path) -> None:
    done = check(INVOICES_API_BASE_URL=server.url)
    assert done.returncode == 1
    assert "INVOICES_API_KEY is not set" in done.stdout
    assert server.asked == []


def test_a_source_file_that_cannot_be_used_is_one_sentence(server: Vendor, folder: Path) -> None:
    settings = {**settings_of(server, folder), "INVOICES_SOURCE": str(folder / "absent.yaml")}
    done = check(**settings)
    assert done.returncode == 1
    assert "cannot be read" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_the_key_is_nowhere(server: Vendor, folder: Path) -> None:
    done = check("--probe-key", **settings_of(server, folder))
    assert server.key not in done.stdout + done.stderr


@pytest.mark.parametrize("command", ["check", "draft"])
@pytest.mark.parametrize("budget", ["0", "-1"])
def test_a_budget_of_nothing_is_refused(folder: Path, command: str, budget: str) -> None:
    done = described(command, "--requests-per-second", budget)
    assert done.returncode == 2
    assert "Invalid value for '--requests-per-second'" in done.stderr
