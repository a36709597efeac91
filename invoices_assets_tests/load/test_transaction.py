"""One load is one transaction: whatever ends it, readers see the old state or the new one."""

from __future__ import annotations

import multiprocessing
import shutil
import signal
import time
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import duckdb
import pytest

from invoices_assets.errors import LoadFailed, WarehouseBusy, WarehouseUnusable
from invoices_assets.load.request import Scope
from invoices_assets.load.saved_state import cursor_state
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets_tests.support.holding import held_open
from invoices_assets_tests.support.load_helpers import Loader, invoice, rows
from invoices_assets_tests.support.state import read_state
from invoices_assets_tests.support.statements import fail_statement, watch_statements

# a server that has imported the loader and forks: each child starts at once
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    ["invoices_assets_tests.support.load_helpers", "invoices_assets.load.destination.pipeline"]
)
SIZE = 2000
KILLS = 8


@pytest.fixture
def loader(tmp_path: Path) -> Loader:
    return Loader(tmp_path / "invoices.duckdb")


def first(loader: Loader, size: int = SIZE) -> None:
    loader.load((invoice(n) for n in range(size)), state=cursor_state("updated_at", None, "1"))


def second(loader: Loader, size: int = SIZE) -> None:
    """All that a load can change: rows change, come, go, are rejected; a column comes; the cursor moves."""
    records = [invoice(n, lines=3, note="new", total=n) for n in range(1, size + 100)]
    state = cursor_state("updated_at", None, "2")
    loader.load([*records, invoice(size + 100, total="much")], state=state)


def load_second(loader: Loader, started: Event) -> None:
    started.set()
    second(loader)


def summary(loader: Loader) -> tuple[Any, ...]:
    """Rows of every table and the cursor."""
    tables = "SELECT table_name FROM duckdb_tables() WHERE database_name = 'w' ORDER BY 1"
    counts = {name: loader.rows(f"SELECT count(*) FROM {{d}}.{name}")[0][0] for name in loader.column(tables)}
    total = loader.column("SELECT sum(total) FROM {d}.invoices")
    deleted = loader.column("SELECT count(deleted_at) FROM {d}.invoices")
    cursor = read_state(loader.settings, "invoices")["incremental"]["updated_at"]["last_value"]
    return counts, total, deleted, cursor


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, Any, float]:
    """A warehouse after the first load, what it holds, what it holds after the second, and its seconds."""
    folder = tmp_path_factory.mktemp("states")
    loader = Loader(folder / "invoices.duckdb")
    first(loader)
    shutil.copy(loader.path, folder / "first.duckdb")
    before = summary(loader)
    started = time.perf_counter()
    second(loader)
    return folder / "first.duckdb", before, summary(loader), time.perf_counter() - started


def test_a_load_changes_every_table_and_the_cursor(states: tuple[Path, Any, Any, float]) -> None:
    _, before, after, _ = states
    assert before[0]["invoices"] == SIZE
    assert after[0]["invoices"] == SIZE + 100
    assert after[0]["invoices_rejected"] == 1
    assert (before[2], after[2]) == ([0], [1])
    assert (before[3], after[3]) == ("1", "2")


@pytest.mark.parametrize("moment", range(KILLS))
def test_a_run_killed_at_any_moment_leaves_the_old_state_or_the_new(
    loader: Loader, states: tuple[Path, Any, Any, float], moment: int
) -> None:
    origin, before, after, seconds = states
    shutil.copy(origin, loader.path)
    started = PROCESSES.Event()
    run = PROCESSES.Process(target=load_second, args=(loader, started))
    run.start()
    assert started.wait(60)
    time.sleep(seconds * moment / (KILLS - 1))
    run.kill()
    run.join(60)
    assert summary(loader) in (before, after)
    second(loader)
    assert summary(loader)[1:] == after[1:]
    assert summary(loader)[0]["invoices__line_items"] == after[0]["invoices__line_items"]
    assert [p.name for p in loader.path.parent.iterdir() if p.is_dir()] == []


def test_a_reader_never_sees_half_of_a_load(loader: Loader, states: tuple[Path, Any, Any, float]) -> None:
    origin, before, after, _ = states
    shutil.copy(origin, loader.path)
    started = PROCESSES.Event()
    run = PROCESSES.Process(target=load_second, args=(loader, started))
    run.start()
    seen = set()
    while run.is_alive():
        time.sleep(0.01)
        try:
            seen.add(rows(loader.path, "SELECT count(*), sum(total), max(total) FROM w.invoicing.invoices")[0])
        except duckdb.IOException as busy:
            assert "lock" in str(busy)  # noqa: PT017 - it need not be raised
    run.join(60)
    assert run.exitcode == 0
    seen.add(rows(loader.path, "SELECT count(*), sum(total), max(total) FROM w.invoicing.invoices")[0])
    assert {(count, total) for count, total, _ in seen} <= {
        (state[0]["invoices"], state[1][0]) for state in (before, after)
    }


def test_an_error_in_any_statement_leaves_the_old_state(loader: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    first(loader, 20)
    before = summary(loader)
    fail = fail_statement(monkeypatch)
    for statement in range(0, 200, 3):
        fail(statement)
        try:
            second(loader, 20)
        except LoadFailed as error:
            # dlt passes some errors over, and the next statement finds the transaction aborted
            assert "odd" in str(error) or "aborted" in str(error)  # noqa: PT017 - it need not be raised
            assert summary(loader) == before
        else:
            break
    assert statement > 30
    assert summary(loader) != before


def test_an_interrupt_is_an_interrupt_and_leaves_the_old_state(loader: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    first(loader, 20)
    before = summary(loader)

    def look(query: str) -> None:
        if "_dlt_loads" in query and "INSERT" in query:
            raise KeyboardInterrupt

    watch_statements(monkeypatch, look)
    with pytest.raises(KeyboardInterrupt):
        second(loader, 20)
    assert summary(loader) == before


def test_nothing_but_the_tables_is_left_in_the_warehouse(loader: Loader) -> None:
    first(loader, 20)
    second(loader, 20)
    made = loader.rows("SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'w' ORDER BY 2")
    assert made == [
        ("invoicing", name)
        for name in (
            "_dlt_loads",
            "_dlt_pipeline_state",
            "_dlt_version",
            "invoices",
            "invoices__line_items",
            "invoices_rejected",
        )
    ]
    assert loader.rows(
        "SELECT schema_name FROM duckdb_schemas() WHERE database_name = 'w' AND NOT internal AND schema_name <> 'main'"
    ) == [("invoicing",)]
    assert loader.rows("SELECT count(*) FROM duckdb_views() WHERE database_name = 'w' AND NOT internal") == [(0,)]


def test_nothing_is_left_beside_the_warehouse_or_at_home(
    loader: Loader, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    here.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("DLT_DATA_DIR", raising=False)
    monkeypatch.chdir(here)
    first(loader, 20)
    assert list(home.rglob("*")) == []
    assert list(here.rglob("*")) == []
    assert {path.name for path in tmp_path.iterdir()} == {"home", "here", "invoices.duckdb", "invoices.duckdb.lock"}


def test_a_file_held_open_elsewhere_is_waited_for(loader: Loader) -> None:
    first(loader, 20)
    said: list[str] = []
    with held_open(loader.path) as let_go:

        def log(sentence: str) -> None:
            said.append(sentence)
            let_go()

        assert loader.load([invoice(1, total=7)], scope=Scope.PART, log=log).changed == 1
    assert "waiting for another process" in said[0]


def test_a_file_held_open_for_too_long_is_one_sentence(loader: Loader) -> None:
    first(loader, 20)
    settings = WarehouseSettings("invoicing", duckdb_path=loader.path, open_wait_seconds=0.3)
    busy = r"another process holds .*invoices\.duckdb open"
    with held_open(loader.path), pytest.raises(WarehouseBusy, match=busy):
        read_state(settings, "invoices")


@pytest.mark.parametrize("content", [b"not a database", bytes(20_000)], ids=["text", "zeros"])
def test_a_file_that_is_no_database_is_one_sentence_and_stays_as_it_is(loader: Loader, content: bytes) -> None:
    loader.path.write_bytes(content)
    with pytest.raises(WarehouseUnusable, match="is not a readable DuckDB database"):
        loader.load([invoice(1)])
    assert loader.path.read_bytes() == content


def load_with_little_room(loader: Loader, room: int, result: Any) -> None:
    import resource

    # no file may grow beyond this, which is as near to a full disk as a test without root comes
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    try:
        second(loader)
    except BaseException as error:
        result.put((type(error).__name__, str(error)))
    else:
        result.put(None)


@pytest.mark.parametrize("room", [10_000, 500_000], ids=["for the spool", "for the transaction"])
def test_a_full_disk_is_one_sentence_and_leaves_the_old_state(
    loader: Loader, states: tuple[Path, Any, Any, float], room: int
) -> None:
    origin, before, _, _ = states
    shutil.copy(origin, loader.path)
    result = PROCESSES.Queue()
    run = PROCESSES.Process(target=load_with_little_room, args=(loader, room, result))
    run.start()
    found = result.get(timeout=60)
    run.join(60)
    assert found is not None
    assert found[0] == "WarehouseUnusable"
    assert "is full; nothing was loaded" in found[1]
    assert summary(loader) == before
