"""Projects of other people: two APIs in one code location, made with Dagster's own commands."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from invoices_assets_tests.conftest import EXTRA, PROJECT
from invoices_assets_tests.support.dagster_dev import dg_dev
from invoices_assets_tests.vendor import Book, Contract, Filter, serve

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("dagster_dg_cli") is None or importlib.util.find_spec("create_dagster") is None,
    reason=f"dg is not installed: {EXTRA} `dg`",
)
KEYS = {"NORTH_API_KEY": "k3y-of-the-north-1", "SOUTH_API_KEY": "k3y-of-the-south-2"}


def command(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def run(folder: Path, *words: str, **environment: str) -> str:
    """Runs a command of Dagster in a project, with nothing on its standard input; returns what it printed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("INVOICES_")}
    given = {**kept, "PYTHONPATH": str(folder / "src"), "DAGSTER_DISABLE_TELEMETRY": "yes", **environment}
    done = subprocess.run(
        [command(words[0]), *words[1:]], cwd=folder, env=given, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rows_of(project: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(project / "data" / "invoices.duckdb"), read_only=True) as warehouse:
        return warehouse.execute(sql).fetchall()


def in_all(name: str, book: Book) -> tuple[str, int, Decimal]:
    return name, len(book), sum((record["total"] for record in book.records), Decimal())


SUMS = "SELECT source, count(*), sum(total) FROM all_invoices GROUP BY source ORDER BY source"


def test_a_new_project_scaffolds_two_apis_and_loads_them(tmp_path: Path) -> None:
    run(tmp_path, "create-dagster", "project", "ledger", "--no-uv-sync")
    project = tmp_path / "ledger"
    assert "invoices_assets.InvoicesComponent" in run(project, "dg", "list", "components")
    north, south = Book.of(120), Book.of(80, seed=2)
    other = Contract(path="/api/bills", filters=(Filter(),))
    with (
        serve(north, key=KEYS["NORTH_API_KEY"]) as one,
        serve(south, contract=other, key=KEYS["SOUTH_API_KEY"]) as two,
    ):
        scaffold = ("dg", "scaffold", "defs")
        component = "invoices_assets.InvoicesComponent"
        run(project, *scaffold, component, "north", "--base-url", one.url)
        drafted = ("--path", "/api/bills", "--draft", "true")
        run(project, *scaffold, component, "south", "--base-url", two.url, *drafted, **KEYS)
        run(project, *scaffold, "invoices_assets.AllInvoicesComponent", "all_invoices")
        run(project, "dg", "check", "defs")
        assert "south/invoices" in run(project, "dg", "list", "defs", "--json")
        for job in ("north_refresh_invoices", "south_refresh_invoices"):
            run(project, "dg", "launch", "--job", job, **KEYS)
    assert rows_of(project, SUMS) == [in_all("north", north), in_all("south", south)]


def test_the_example_runs_both_at_once(tmp_path: Path) -> None:
    project = tmp_path / "two-apis"
    shutil.copytree(PROJECT / "examples" / "two-apis", project)
    north, south = Book.of(120), Book.of(80, seed=2)
    with serve(north, key=KEYS["NORTH_API_KEY"]) as one, serve(south, key=KEYS["SOUTH_API_KEY"]) as two:
        paths = os.pathsep.join([str(PROJECT), str(project / "src")])
        addresses = {"NORTH_BASE_URL": one.url, "SOUTH_BASE_URL": two.url}
        with dg_dev(project, "two-apis", PYTHONPATH=paths, **KEYS, **addresses) as dev:
            runs = [dev.launch(job) for job in ("north_refresh_invoices", "south_reconcile_invoices")]
            assert [dev.finished(run) for run in runs] == ["SUCCESS", "SUCCESS"]
    assert rows_of(project, SUMS) == [in_all("north", north), in_all("south", south)]
