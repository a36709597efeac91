"""`dg scaffold defs invoices_assets.InvoicesComponent`: what is written, and when nothing is."""

from __future__ import annotations

from pathlib import Path

import click
import dagster as dg
import pytest
import yaml

from invoices_assets import scaffolding
from invoices_assets.scaffolding import InvoicesScaffolder, ScaffoldParams
from invoices_assets_tests.vendor import Book, Contract, Paging, Total, Vendor, serve

SECRET = "k3y-of-the-north-1"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What `dg` has made for the component."""
    monkeypatch.setenv("NORTH_API_KEY", SECRET)
    (folder := tmp_path / "north").mkdir()
    return folder


def scaffold(folder: Path, **params: object) -> None:
    InvoicesScaffolder().scaffold(
        dg.ScaffoldRequest(
            type_name="invoices_assets.InvoicesComponent",
            target_path=folder,
            scaffold_format="yaml",
            project_root=None,
            params=ScaffoldParams.model_validate(params),
        )
    )


def refused(folder: Path, **params: object) -> str:
    """The sentence of a draft that cannot be made; nothing is written."""
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(click.ClickException) as error:
        scaffold(folder, draft=True, **params)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert SECRET not in error.value.message
    return error.value.message


def test_nothing_is_written_where_the_api_shows_nothing_to_draft_from(folder: Path) -> None:
    with serve(Book(), key=SECRET) as server:
        assert "is empty" in refused(folder, base_url=server.url, path="/v1/invoices")


def test_a_draft_needs_the_key(folder: Path, server: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NORTH_API_KEY")
    assert "NORTH_API_KEY is not set" in refused(folder, base_url=server.url, path="/v1/invoices")


def test_a_draft_needs_an_address(folder: Path) -> None:
    assert "--base-url must start with http" in refused(folder, base_url="api.vendor.example", path="/v1/invoices")


def test_a_key_in_the_path_is_refused_without_repeating_it(folder: Path, server: Vendor) -> None:
    said = refused(folder, base_url=server.url, path=f"/v1/invoices?api_key={SECRET}")
    assert said == "--path holds the key, which belongs into NORTH_API_KEY only."
    assert server.requests == []


def test_a_draft_replaces_no_source_file(folder: Path, server: Vendor) -> None:
    (folder / "source.yaml").write_text("mine: true")
    said = refused(folder, base_url=server.url, path="/v1/invoices")
    assert said == f"{folder / 'source.yaml'} is there already, and --draft would replace it: move it away first."
    assert server.requests == []


def test_a_source_file_that_is_there_stays_where_no_draft_is_asked_for(folder: Path) -> None:
    (folder / "source.yaml").write_text("mine: true")
    scaffold(folder, base_url="https://api.vendor.example", path="/v1/invoices")
    assert (folder / "source.yaml").read_text() == "mine: true"
    assert yaml.safe_load((folder / "defs.yaml").read_text())["attributes"]["name"] == "north"


def test_a_draft_is_held_against_its_api(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(scaffolding, "BUDGET", 1000.0)
    contract = Contract(paging=Paging(limit="howmany", position="from_which", size=20), total=Total(("total",)))
    with serve(Book.of(250), contract=contract, key=SECRET) as server:
        scaffold(folder, base_url=server.url, path="/v1/invoices", draft=True)
    drafted = yaml.safe_load((folder / "source.yaml").read_text())
    assert drafted["resources"][0]["endpoint"]["paginator"]["type"] == "single_page"
    assert "wrong" in capsys.readouterr().err
