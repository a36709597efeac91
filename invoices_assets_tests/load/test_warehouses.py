"""The same loads into every kind of shared warehouse: exact, in one transaction, one run after the other."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import pytest

from invoices_assets.errors import (
    DeletionRefused,
    LoadFailed,
    NotContinuous,
    SweepOutdated,
    WarehouseBusy,
    WarehouseUnusable,
)
from invoices_assets.load.inspect import has_live_rows, known_state, open_rejections
from invoices_assets.load.request import LoadRequest, Scope, Stretch
from invoices_assets.load.saved_state import cursor_state
from invoices_assets.load.warehouses.catalogs import catalog_of
from invoices_assets.load.warehouses.extensions import packaged
from invoices_assets.load.working_folder import working_folder
from invoices_assets_tests.support.load_helpers import NOW, exact, invoice
from invoices_assets_tests.support.load_sweep import load_sweep
from invoices_assets_tests.support.state import read_state
from invoices_assets_tests.support.statements import fail_statement, watch_statements
from invoices_assets_tests.support.warehouses import KINDS, SharedLoader, execute, postgres_server

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    ["invoices_assets_tests.support.warehouses", "invoices_assets.load.destination.pipeline"]
)
SHARED = KINDS[:2]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres_server() as dsn:
        yield dsn


@pytest.fixture(params=KINDS[:2])
def loader(request: pytest.FixtureRequest, server: str, tmp_path: Path) -> SharedLoader:
    kind = str(request.param)
    if "lake" in kind and not packaged("ducklake"):
        pytest.skip("DuckDB's extension ducklake is not installed: see constraints-scale.txt")
    if "sqlite" in kind and not packaged("sqlite_scanner"):
        pytest.skip("DuckDB's extension sqlite_scanner is not installed: see constraints-scale.txt")
    return SharedLoader(tmp_path / "lake", dataset=f"d{abs(hash(tmp_path)) % 10**8}", kind=kind, dsn=server)


@pytest.mark.parametrize("loader", KINDS, indirect=True)
def test_rows_arrive_exactly_and_a_second_load_writes_nothing(loader: SharedLoader) -> None:
    records = [invoice(n, note="" if n % 2 else None) for n in range(30)]
    first = loader.load(records, state=cursor_state("updated_at", None, "1"))
    assert (first.new, first.table_rows, first.live_rows) == (30, 30, 30)
    assert loader.rows("SELECT id, total, note FROM {d}.invoices WHERE id IN ('i3', 'i4') ORDER BY 1") == [
        ("i3", Decimal("3.100000000"), ""),
        ("i4", Decimal("4.100000000"), None),
    ]
    assert loader.rows("SELECT count(*), sum(amount) FROM {d}.invoices__line_items") == [
        (60, sum(Decimal(n) * 2 + Decimal("0.25") for n in range(30)))
    ]
    second = loader.load(records, state=cursor_state("updated_at", None, "1"))
    assert (second.unchanged, second.load_id) == (30, None)
    assert loader.rows("SELECT count(*) FROM {d}._dlt_loads") == [(1,)]


COLUMNS: dict[str, dict[str, Any]] = {
    "id": {"data_type": "bigint"},
    "amount": {"data_type": "decimal", "precision": 38, "scale": 9},
    "rate": {"data_type": "double"},
    "at": {"data_type": "timestamp"},
    "local": {"data_type": "timestamp", "timezone": False},
    "second": {"data_type": "timestamp", "timezone": False, "precision": 0},
    "day": {"data_type": "date"},
    "clock": {"data_type": "time"},
    "extra": {"data_type": "json"},
    "paid": {"data_type": "bool"},
}


def test_every_type_comes_back_as_it_was_sent_and_is_the_same_when_it_comes_again(loader: SharedLoader) -> None:
    loader.columns = COLUMNS
    record = {
        "id": 2**63 - 1,
        "amount": Decimal("-99999999999999999999999999999.999999999"),
        "rate": Decimal("0.1"),
        "at": "2026-03-29T02:30:00.123456+01:00",
        "local": "1969-12-31T23:59:59.999999",
        "second": "2026-01-01T00:00:01",
        "day": "0001-01-01",
        "clock": "23:59:59.999999",
        "extra": {"b": 1, "a": [Decimal("1.50"), None], "text": "ä \\ \" '"},
        "paid": False,
        "unicode": "\u2028 😀 \t\\N",
        "number": Decimal("1234567890.123456789"),
    }
    loader.load([record])
    (found,) = loader.rows("""
        SELECT id, amount, rate, CAST("at" AT TIME ZONE 'UTC' AS VARCHAR), CAST("local" AS VARCHAR),
        CAST("second" AS VARCHAR), CAST("day" AS VARCHAR), CAST("clock" AS VARCHAR), CAST(extra AS VARCHAR), paid,
        "unicode", number FROM {d}.invoices""")
    assert found[:3] == (record["id"], record["amount"], 0.1)
    assert found[3:6] == ("2026-03-29 01:30:00.123456", "1969-12-31 23:59:59.999999", "2026-01-01 00:00:01")
    assert found[6:8] == ("0001-01-01", "23:59:59.999999")
    assert exact(found[8]) == found[8]
    assert '"a":[1.50,null]' in found[8].replace(" ", "")
    assert found[9:] == (False, record["unicode"], record["number"])
    assert loader.load([record]).unchanged == 1


@pytest.mark.parametrize("scope", [Scope.EVERYTHING_MARK_DELETED, Scope.PART])
def test_changes_replace_rows_and_their_child_rows(loader: SharedLoader, scope: Scope) -> None:
    first = loader.load(invoice(n, lines=3) for n in range(6))
    changes = [invoice(0, lines=1), invoice(1, lines=3, total=77), invoice(6)]
    others = [invoice(n, lines=3) for n in range(2, 6)] if scope.is_everything else []
    second = loader.load([*changes, *others], scope=scope)
    assert (second.new, second.changed, second.unchanged) == (1, 2, len(others))
    assert loader.rows("SELECT _dlt_load_id, count(*) FROM {d}.invoices GROUP BY 1 ORDER BY 1") == [
        (first.load_id, 4),
        (second.load_id, 3),
    ]
    assert loader.rows("SELECT count(*) FROM {d}.invoices__line_items") == [(1 + 5 * 3 + 2,)]


def test_what_vanishes_is_marked_and_what_returns_is_not(loader: SharedLoader) -> None:
    loader.load(invoice(n) for n in range(10))
    assert loader.load(invoice(n) for n in range(9)).deleted == 1
    assert loader.rows("SELECT id FROM {d}.invoices WHERE deleted_at = '" + NOW.isoformat() + "'") == [("i9",)]
    assert loader.load([invoice(9)], scope=Scope.PART).returned == 1
    with pytest.raises(DeletionRefused):
        loader.load([invoice(1)])


def test_nothing_is_read_where_nothing_is_and_the_state_comes_back(loader: SharedLoader) -> None:
    assert known_state(loader.settings, "invoices").state == {}
    assert not has_live_rows(loader.settings, "invoices")
    assert not loader.path.parent.joinpath("lake.files").exists()
    state = cursor_state("updated_at", "2020", "2026")
    loader.load([invoice(1), invoice(2, total="a lot")], state=state)
    assert read_state(loader.settings, "invoices") == state
    assert known_state(loader.settings, "invoices").state == state
    assert has_live_rows(loader.settings, "invoices")
    assert open_rejections(loader.settings, "invoices").count == 1
    loader.load([invoice(2)], scope=Scope.PART)
    assert open_rejections(loader.settings, "invoices").count == 0


@pytest.mark.parametrize("loader", SHARED, indirect=True)
def test_the_overlap_of_a_refresh_has_to_come_back(loader: SharedLoader) -> None:
    loader.load(invoice(n) for n in range(3))
    stamp = datetime.fromisoformat("2026-02-03T04:05:06Z")
    overlap = Stretch("updated_at", stamp - timedelta(minutes=10), stamp)
    assert loader.load([invoice(2)], scope=Scope.PART, overlap=overlap).unchanged == 1
    with pytest.raises(NotContinuous):
        loader.load([invoice(7)], scope=Scope.PART, overlap=overlap)
    assert loader.rows("SELECT count(*) FROM {d}.invoices") == [(3,)]
    before = Stretch("updated_at", stamp - timedelta(minutes=10), stamp - timedelta(seconds=1))
    assert loader.load([invoice(7)], scope=Scope.PART, overlap=before).new == 1


@pytest.mark.parametrize("loader", KINDS, indirect=True)
def test_columns_are_added_and_widened(loader: SharedLoader) -> None:
    loader.columns |= {"count": {"data_type": "bigint"}}
    loader.load([invoice(1, ref=5, count=7), invoice(2, ref=Decimal("5.50"), count=8)])
    loader.columns |= {"count": {"data_type": "decimal", "precision": 38, "scale": 9}}
    changed = loader.load([invoice(3, ref="A-7", note="late", count=Decimal("1.5"))], scope=Scope.PART)
    assert any("ref was widened from DECIMAL(38,9) to VARCHAR" in remark for remark in changed.remarks)
    assert loader.rows('SELECT id, ref, note, "count" FROM {d}.invoices ORDER BY 1') == [
        ("i1", "5", None, Decimal(7)),
        ("i2", "5.5", None, Decimal(8)),
        ("i3", "A-7", "late", Decimal("1.5")),
    ]
    assert loader.load([invoice(3, ref="A-7", note="late", count=Decimal("1.5"))], scope=Scope.PART).unchanged == 1


@pytest.mark.parametrize("loader", KINDS, indirect=True)
def test_history_is_kept(loader: SharedLoader) -> None:
    loader.history = True
    loader.load([invoice(1), invoice(2)])
    assert loader.load([invoice(1, total=5), invoice(2)]).versions == 1
    query = "SELECT total, valid_to IS NULL FROM {d}.invoices_history WHERE id = 'i1' ORDER BY valid_from"
    assert loader.rows(query) == [(Decimal("1.1"), False), (Decimal(5), True)]


def first(loader: SharedLoader) -> None:
    loader.load((invoice(n) for n in range(40)), state=cursor_state("updated_at", None, "1"))


def second(loader: SharedLoader) -> None:
    """All that a load can change: rows change, come, go, are rejected; a column comes; the cursor moves."""
    records = [invoice(n, lines=3, note="new", total=n) for n in range(1, 50)]
    state = cursor_state("updated_at", None, "2")
    loader.load([*records, invoice(50, total="much")], state=state)


def summary(loader: SharedLoader) -> tuple[Any, ...]:
    """Rows of every table and the cursor."""
    tables = ("invoices", "invoices__line_items", "_dlt_loads", "_dlt_pipeline_state")
    counts = [loader.rows(f"SELECT count(*) FROM {{d}}.{name}")[0][0] for name in tables]
    sums = loader.rows("SELECT sum(total), count(deleted_at) FROM {d}.invoices")
    cursor = read_state(loader.settings, "invoices")["incremental"]["updated_at"]["last_value"]
    return *counts, sums, open_rejections(loader.settings, "invoices").count, cursor


@pytest.mark.parametrize("loader", SHARED, indirect=True)
def test_an_error_in_any_statement_leaves_the_old_state(loader: SharedLoader, monkeypatch: pytest.MonkeyPatch) -> None:
    loader.history = True
    first(loader)
    before = summary(loader)
    fail = fail_statement(monkeypatch)
    for statement in range(1, 200, 16):
        fail(statement)
        try:
            second(loader)
        except LoadFailed:
            assert summary(loader) == before
        else:
            break
    assert statement > 30


def load_slowly(loader: SharedLoader, started: Event, moment: Sequence[str]) -> None:
    """A run that stops before a statement that has the words of `moment`, to be killed there."""

    def look(query: str) -> None:
        if all(word in query for word in moment):
            started.set()
            time.sleep(60)

    watch_statements(pytest.MonkeyPatch(), look)
    second(loader)


@pytest.mark.parametrize("loader", KINDS[:3], indirect=True)
@pytest.mark.parametrize("moment", [("DELETE FROM", "line_items"), ("INSERT", "line_items"), ("INSERT", "_dlt_loads")])
def test_a_run_that_is_killed_leaves_the_old_state(loader: SharedLoader, moment: Sequence[str]) -> None:
    first(loader)
    before = summary(loader)
    started = PROCESSES.Event()
    run = PROCESSES.Process(target=load_slowly, args=(loader, started, moment))
    run.start()
    assert started.wait(60)
    run.kill()
    run.join(60)
    assert summary(loader) == before
    second(loader)
    assert loader.rows("SELECT count(*), count(deleted_at) FROM {d}.invoices") == [(50, 1)]
    assert loader.rows("SELECT count(*) FROM {d}.invoices__line_items") == [(49 * 3 + 2,)]
    unknown = "SELECT count(*) FROM {d}.invoices WHERE _dlt_load_id NOT IN (SELECT load_id FROM {d}._dlt_loads)"
    assert loader.rows(unknown) == [(0,)]


@pytest.mark.parametrize("loader", KINDS[:3], indirect=True)
@pytest.mark.parametrize("meanwhile", [[invoice(1, total=99)], [invoice(30)]], ids=["a row changes", "a row comes"])
def test_a_sweep_that_is_out_of_date_is_refused(
    loader: SharedLoader, tmp_path: Path, meanwhile: list[dict[str, Any]]
) -> None:
    loader.load(invoice(n) for n in range(20))
    seen = known_state(loader.settings, "invoices")
    with working_folder(tmp_path) as folder:
        stale = loader.spool(folder, [[invoice(n) for n in range(20)]])
        loader.load(meanwhile, scope=Scope.PART)
        after = loader.rows("SELECT id, total, deleted_at, _dlt_load_id FROM {d}.invoices ORDER BY id")
        todo = LoadRequest(Scope.EVERYTHING_MARK_DELETED, None, 0.2, now=NOW, seen=seen)
        with pytest.raises(SweepOutdated, match="another run has loaded"):
            load_sweep(stale, loader.resource, loader.settings, todo, folder)
    assert loader.rows("SELECT id, total, deleted_at, _dlt_load_id FROM {d}.invoices ORDER BY id") == after


@pytest.mark.parametrize("loader", KINDS[:3], indirect=True)
def test_a_sweep_beside_a_load_of_other_records_is_loaded(loader: SharedLoader, tmp_path: Path) -> None:
    loader.load(invoice(n) for n in range(20))
    seen = known_state(loader.settings, "invoices")
    with working_folder(tmp_path) as folder:
        beside = loader.spool(folder, [[invoice(n, total=7) for n in range(10)]])
        loader.load([invoice(n, total=8) for n in range(10, 20)], scope=Scope.PART)
        load_sweep(beside, loader.resource, loader.settings, LoadRequest(seen=seen, now=NOW), folder)
    assert loader.rows("SELECT sum(total) FROM {d}.invoices") == [(Decimal(150),)]


@pytest.mark.parametrize("loader", SHARED, indirect=True)
def test_the_turn_of_another_run_is_waited_for(loader: SharedLoader) -> None:
    said: list[str] = []
    impatient = catalog_of(replace(loader.settings, turn_seconds=0.5))
    with (
        catalog_of(loader.settings).turn(print),
        pytest.raises(WarehouseBusy, match=r"another run has been loading into .* 0\.5 s"),
        impatient.turn(said.append),
    ):
        pytest.fail("two runs at once")
    assert "waiting for another run" in said[0]
    with impatient.turn(said.append):
        assert len(said) == 1


@pytest.mark.parametrize("loader", SHARED, indirect=True)
def test_of_two_loads_at_once_for_a_lost_session_one_waits_or_fails(
    loader: SharedLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader.load([invoice(1), invoice(2)])
    taken: list[object] = []

    def look(query: str) -> None:
        if "DELETE FROM" in query and not taken:
            taken.append(None)
            execute(
                loader.dsn,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'invoices-assets turn'",
            )
            try:
                with loader.patient(1):
                    loader.load([invoice(2, total=6)], scope=Scope.PART)
            except WarehouseBusy as busy:
                taken.append(busy)

    watch_statements(monkeypatch, look)
    if loader.kind == "postgres":
        loader.load([invoice(1, total=5)], scope=Scope.PART)
        assert isinstance(taken[1], WarehouseBusy)
        assert loader.rows("SELECT total FROM {d}.invoices ORDER BY id") == [(Decimal(5),), (Decimal("2.1"),)]
    else:
        with pytest.raises(SweepOutdated):
            loader.load([invoice(1, total=5)], scope=Scope.PART)
        assert loader.rows("SELECT total FROM {d}.invoices ORDER BY id") == [(Decimal("1.1"),), (Decimal(6),)]


@pytest.mark.parametrize("loader", SHARED, indirect=True)
def test_a_session_that_the_server_ends_before_the_commit_leaves_the_old_state(
    loader: SharedLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    first(loader)
    before = summary(loader)

    def look(query: str) -> None:
        if query == "COMMIT":
            ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'"
            assert execute(loader.dsn, ended)

    watch_statements(monkeypatch, look)
    with pytest.raises(WarehouseUnusable, match=r"the (server|catalog) of .* cannot be used"):
        second(loader)
    monkeypatch.undo()
    assert summary(loader) == before


def load_some(loader: SharedLoader, machine: int) -> None:
    for number in range(3):
        loader.load([invoice(10 * machine + number), invoice(99, total=machine)], scope=Scope.PART)


@pytest.mark.parametrize("loader", SHARED, indirect=True)
def test_machines_that_load_at_once_take_turns_and_nothing_is_lost(loader: SharedLoader) -> None:
    machines = [PROCESSES.Process(target=load_some, args=(loader, machine)) for machine in range(3)]
    for machine in machines:
        machine.start()
    for machine in machines:
        machine.join(120)
    assert [machine.exitcode for machine in machines] == [0, 0, 0]
    assert loader.rows("SELECT count(*), count(DISTINCT id) FROM {d}.invoices") == [(10, 10)]
    assert loader.rows("SELECT count(*) FROM {d}.invoices__line_items") == [(20,)]
    assert loader.rows("SELECT token FROM {d}._invoices_turns") == [(9,)]
