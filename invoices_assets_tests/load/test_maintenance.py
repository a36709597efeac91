"""An upkeep makes a warehouse smaller, and leaves its rows as they are."""

from __future__ import annotations

import itertools
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from invoices_assets.errors import WarehouseUnusable
from invoices_assets.load.warehouses.connection import maintain
from invoices_assets_tests.support.load_helpers import Loader, invoice
from invoices_assets_tests.support.warehouses import PASSWORD, SharedLoader, execute, extension_or_skip

LAKES = ["lake in duckdb"]
TABLES = ["invoices", "invoices__line_items", "invoices_history", "_dlt_loads"]
NO_TIME = timedelta(0)
NUMBERS = itertools.count()
"""Of datasets: the lakes in one server are told apart by theirs."""


@pytest.fixture(params=LAKES)
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> SharedLoader:
    return a_lake(request, tmp_path, request.param)


def a_lake(request: pytest.FixtureRequest, folder: Path, kind: str) -> SharedLoader:
    extension_or_skip("ducklake")
    dsn = request.getfixturevalue("server") if kind == "lake in postgres" else ""
    return SharedLoader(folder / "lake", dataset=f"d{next(NUMBERS)}", kind=kind, dsn=dsn, history=True)


def upkeep(loader: Loader, keep: timedelta = NO_TIME) -> dict[str, int]:
    return maintain(loader.settings, keep, loader.path.parent)


def loaded(loader: Loader, times: int = 4) -> None:
    """Several loads, each with new and changed records, and one that is gone."""
    for time in range(1, times + 1):
        loader.load([invoice(n, note=f"seen {time}" if n % 3 == 0 else "as ever") for n in range(time, 60 + 20 * time)])


def contents(loader: Loader) -> dict[str, list[Any]]:
    return {table: sorted(loader.rows(f"SELECT * FROM {{d}}.{table}"), key=repr) for table in TABLES}


def snapshots(lake: SharedLoader) -> int:
    return int(lake.rows("SELECT count(*) FROM ducklake_snapshots('warehouse')")[0][0])


def test_the_files_of_a_lake_get_fewer_and_the_rows_stay_the_same(lake: SharedLoader) -> None:
    loaded(lake)
    before = contents(lake)
    done = upkeep(lake)
    assert done["files_after"] < done["files_before"] / 2
    assert contents(lake) == before
    on_disk = [file for file in Path(f"{lake.path}.files").rglob("*.parquet") if "_dlt" not in file.parent.name]
    assert len(on_disk) <= done["files_after"]
    assert done["files_removed"] > 0


def test_snapshots_older_than_asked_are_gone(lake: SharedLoader) -> None:
    loaded(lake)
    there = snapshots(lake)
    assert upkeep(lake)["snapshots_expired"] >= there - 1
    assert snapshots(lake) < there


def test_snapshots_younger_than_asked_stay_readable(lake: SharedLoader) -> None:
    loaded(lake)
    last = lake.rows("SELECT max(snapshot_id) FROM ducklake_snapshots('warehouse')")[0][0]
    query = f"SELECT count(*), sum(total) FROM {{d}}.invoices AT (VERSION => {last})"
    before = lake.rows(query)
    lake.load([invoice(1)], max_deleted_share=1.0)
    done = upkeep(lake, timedelta(days=1))
    assert (done["snapshots_expired"], done["files_removed"]) == (0, 0)
    assert lake.rows(query) == before


def test_loads_go_on_after_an_upkeep(lake: SharedLoader) -> None:
    loaded(lake)
    upkeep(lake)
    result = lake.load([invoice(n, note="after") for n in range(4, 150)])
    assert (result.new, result.changed) == (10, 136)
    rows = lake.rows("SELECT count(*), count(*) FILTER (WHERE note = 'after') FROM {d}.invoices")
    assert rows == [(150 - 1, 146)]
    assert upkeep(lake)["files_after"] > 0


def test_files_that_are_not_of_the_lake_are_left_alone(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Another lake may have the same storage."""
    lake = a_lake(request, tmp_path, "lake in duckdb")
    loaded(lake, times=2)
    other = Path(f"{lake.path}.files", "other.parquet")
    other.write_bytes(b"of somebody else")
    upkeep(lake)
    assert other.read_bytes() == b"of somebody else"


def test_a_duckdb_file_is_checkpointed_and_the_rows_stay_the_same(tmp_path: Path) -> None:
    loader = Loader(tmp_path / "w.duckdb")
    loader.load(invoice(n) for n in range(1000))
    query = "SELECT count(*), sum(total) FROM {d}.invoices"
    before = loader.rows(query)
    done = upkeep(loader)
    assert done["bytes_after"] == loader.path.stat().st_size
    assert loader.rows(query) == before


def test_a_file_that_is_not_there_yet_is_not_made(tmp_path: Path) -> None:
    loader = Loader(tmp_path / "w.duckdb")
    assert upkeep(loader) == {}
    assert not loader.path.exists()


def test_postgres_is_vacuumed_and_the_rows_stay_the_same(server: str, tmp_path: Path) -> None:
    loader = SharedLoader(tmp_path / "w", dataset="vacuumed", dsn=server, history=True)
    loaded(loader)
    before = contents(loader)
    done = upkeep(loader)
    assert done["tables"] >= len(TABLES)
    assert contents(loader) == before
    query = "SELECT last_vacuum IS NOT NULL, n_dead_tup FROM pg_stat_user_tables WHERE relname LIKE 'invoices%'"
    assert set(execute(server, query)) == {(True, 0)}


def test_a_server_that_cannot_be_reached_is_one_sentence(server: str, tmp_path: Path) -> None:
    loader = SharedLoader(tmp_path / "w", dsn=server.replace(PASSWORD, "wrong-Passw0rd"))
    with pytest.raises(WarehouseUnusable, match="DESTINATION__POSTGRES__CREDENTIALS") as refused:
        maintain(loader.settings, NO_TIME, tmp_path)
    assert "wrong-Passw0rd" not in str(refused.value)
