"""Keys that are words or short numbers: a run with one works, and rewrites neither names nor data."""

from __future__ import annotations

from pathlib import Path

import pytest

from invoices_assets_tests.support.project import Project
from invoices_assets_tests.vendor import Book, Faults, faults, serve


@pytest.mark.parametrize("key", ["data", "dagster", "invoices", "2025", "id"])
def test_a_run_with_a_weak_key_is_like_any_other(key: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with serve(Book.of(30), key=key) as server:
        project = Project(monkeypatch, tmp_path, server.url, key)
        result = project.run()
    assert result.success, project.failure(result)
    metadata = project.metadata(result)
    assert metadata["dagster/table_name"] == "invoices.invoicing.invoices"
    assert metadata["rows_new"] == 30
    assert project.query("SELECT count(*), count(DISTINCT number) FROM invoices WHERE status IS NOT NULL") == [(30, 30)]
    events = [repr(entry) + entry.to_json() for entry in project.instance.all_logs(result.run_id)]
    assert not any("***" in event.replace("api_key=***", "") for event in events)
    assert metadata["remarks"] == "- the key is a word or a short number: it is masked only where it stands as a value"


def test_a_run_tells_that_the_api_repeats_the_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with serve(Book.of(30), Faults(faults.echo_key())) as server:
        project = Project(monkeypatch, tmp_path, server.url)
        result = project.run()
    assert result.success, project.failure(result)
    remark = project.metadata(result)["remarks"]
    said = "the key stood in answers of the API and was replaced by ***, in rows as well (answers: "
    assert remark.startswith("- " + said.replace("*", "\\*"))
