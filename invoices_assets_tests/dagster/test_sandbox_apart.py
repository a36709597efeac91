"""Invented rows and real ones never come into one dataset, whatever a run is told after its code was loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from invoices_assets_tests.support.project import Project
from invoices_assets_tests.vendor import SANDBOX_KEY, Book, serve


def test_a_run_that_lost_its_base_url_does_not_load_the_sandbox(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    project = Project(monkeypatch, tmp_path, "https://api.vendor.example")
    job = project.definitions().resolve_job_def("refresh_invoices")
    monkeypatch.delenv("INVOICES_API_BASE_URL")
    monkeypatch.delenv("INVOICES_API_KEY")
    result = job.execute_in_process(instance=project.instance, raise_on_error=False)
    assert not result.success
    assert project.failure(result) == (
        "There is no base URL, but this code location was loaded for the dataset `invoicing`: "
        "set INVOICES_API_BASE_URL as it was then, or reload the code location."
    )
    assert not project.warehouse.exists()


def test_a_run_that_finds_a_base_url_does_not_load_it_as_the_sandbox(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    project = Project(monkeypatch, tmp_path)
    monkeypatch.setenv("INVOICES_API_KEY", SANDBOX_KEY)
    with serve(book=Book.of(3)) as server:
        job = project.definitions().resolve_job_def("refresh_invoices")
        monkeypatch.setenv("INVOICES_API_BASE_URL", server.url)
        result = job.execute_in_process(instance=project.instance, raise_on_error=False)
        assert server.requests == []
    assert not result.success
    assert project.failure(result) == (
        "There is a base URL, but this code location was loaded for the dataset `sandbox`: "
        "set INVOICES_API_BASE_URL as it was then, or reload the code location."
    )
    assert not project.warehouse.exists()
