"""The main job, end to end: a server that speaks the seed contract, DuckDB, Dagster."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from invoices_assets_tests.support.project import Project
from invoices_assets_tests.vendor import Book, serve


def test_the_job_loads_every_row_and_runs_again_without_duplicates(project: Project) -> None:
    first = project.run()
    assert first.success
    assert project.query("SELECT count(*), count(DISTINCT id) FROM invoices") == [(250, 250)]
    assert project.metadata(first)["rows_new"] == 250
    second = project.run()
    assert second.success
    assert project.query("SELECT count(*) FROM invoices") == [(250,)]
    assert project.metadata(second)["rows_new"] == 0
    assert project.metadata(second)["rows_changed"] == 0


def test_amounts_arrive_to_the_cent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    book = Book.of(500)
    with serve(book=book) as server:
        project = Project(monkeypatch, tmp_path, server.url)
        assert project.run().success
        expected = sum(record["amount_paid"] for record in book.records)
        assert project.query("SELECT sum(amount_paid) FROM invoices") == [(expected,)]


def test_without_settings_the_sandbox_is_loaded_into_its_own_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    project = Project(monkeypatch, tmp_path)
    assert project.run().success
    [(rows,)] = project.query("SELECT count(*) FROM invoices")
    assert rows >= 12_000
    assert not (tmp_path / "data" / "invoices.duckdb").exists()


@pytest.mark.parametrize("missing", ["INVOICES_API_BASE_URL", "INVOICES_API_KEY"])
def test_exactly_one_setting_fails_and_names_the_missing_one(
    missing: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    project = Project(monkeypatch, tmp_path, "http://127.0.0.1:9")
    monkeypatch.delenv(missing)
    result = project.run()
    assert not result.success
    assert missing in project.failure(result)
    assert not list(tmp_path.rglob("*.duckdb"))


def test_the_command_ends_without_a_bar_or_a_complaint_of_any_library(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("INVOICES_")}
    job = ["-m", "dagster", "job", "execute", "-m", "invoices_assets.definitions", "-j", "refresh_invoices"]
    done = subprocess.run(
        [sys.executable, *job],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "leaked" not in done.stderr
    assert "Traceback" not in done.stderr
    assert "%|" not in done.stderr + done.stdout  # a progress bar, where nobody looks at a terminal
