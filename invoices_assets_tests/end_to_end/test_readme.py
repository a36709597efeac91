"""The README shows what works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from invoices_assets import resources
from invoices_assets.normalize.converter import Converter
from invoices_assets.source.file import read_source
from invoices_assets_tests.conftest import PROJECT


def _blocks(language: str) -> list[str]:
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_the_worked_example_is_a_source_that_can_be_loaded(tmp_path: Path) -> None:
    path = tmp_path / "source.yaml"
    (example,) = [block for block in _blocks("yaml") if block.startswith("client:")]
    path.write_text(example, encoding="utf-8")
    spec = read_source(path).resources["invoices"]
    bill = {
        "id": "7",
        "amounts": {"gross": 1999, "code": "EUR"},
        "date": "31-12-2026",
        "modified": "2026-07-01T12:00:00",
    }

    converted = Converter(spec).convert([bill])

    names = ["id", "currency", "total", "issue_date", "updated_at"]
    (row,) = converted.tables["invoices"].select(names).to_pylist()
    assert [str(value) for value in row.values()] == [
        "7",
        "EUR",
        "19.990000000",
        "2026-12-31",
        "2026-07-01 10:00:00+00:00",
    ]
    assert not converted.rejected


@pytest.mark.parametrize("name", ["README.md", ".env.example"])
def test_the_settings_written_about_are_those_that_exist(name: str) -> None:
    text = (PROJECT / name).read_text(encoding="utf-8")

    assert set(re.findall(r"INVOICES_[A-Z_]*[A-Z]\b", text)) == {
        resources.BASE_URL,
        resources.API_KEY,
        resources.SOURCE,
        resources.DESTINATION,
        resources.DUCKDB_PATH,
        resources.WORK_DIR,
        resources.ALERT_WEBHOOK,
        *([resources.APIS] if name == "README.md" else []),
    }
