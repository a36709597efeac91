"""The README and docs/ show what works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from invoices_assets import resources
from invoices_assets.normalize.converter import Converter
from invoices_assets.source.file import read_source
from invoices_assets_tests.conftest import PROJECT


def _blocks(page: str, language: str) -> list[str]:
    text = (PROJECT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_the_worked_example_is_a_source_that_can_be_loaded(tmp_path: Path) -> None:
    path = tmp_path / "source.yaml"
    (example,) = [block for block in _blocks("docs/source-file.md", "yaml") if block.startswith("client:")]
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


@pytest.mark.parametrize("name", ["docs/settings.md", ".env.example"])
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
        resources.FRESH_WITHIN,
        *([resources.APIS] if name == "docs/settings.md" else []),
    }


def test_each_address_within_the_project_leads_somewhere() -> None:
    """Links of the README, ARCHITECTURE.md and docs/ to files and headings."""
    pages = [PROJECT / "README.md", PROJECT / "ARCHITECTURE.md", *sorted((PROJECT / "docs").glob("*.md"))]
    broken = [
        f"{page.name}: {address}"
        for page in pages
        for address in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
        if "://" not in address and not _leads_somewhere(page, address)
    ]
    assert broken == []


def _leads_somewhere(page: Path, address: str) -> bool:
    path, _, heading = address.partition("#")
    target = page.parent / path if path else page
    if not heading or not target.exists():
        return target.exists()
    titles = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
    return heading in [re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-") for title in titles]


def test_a_newcomer_finds_both_commands_first() -> None:
    run, test = _blocks("README.md", "sh")[:2]

    assert "dagster job execute" in run
    assert "pytest" in test
