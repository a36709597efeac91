"""A load into a shared warehouse is one transaction, one after the other, and never of an outdated sweep."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import pytest

from invoices_assets.errors import (
    LoadFailed,
    SweepOutdated,
    WarehouseBusy,
    WarehouseUnusable,
)
from invoices_assets.load.inspect import known_state
from invoices_assets.load.reports.audit import audit
from invoices_assets.load.request import LoadRequest, Scope
from invoices_assets.load.saved_state import cursor_state
from invoices_assets.load.warehouses.catalogs import catalog_of
from invoices_assets.load.working_folder import working_folder
from invoices_assets_tests.support.load_helpers import NOW, invoice
from invoices_assets_tests.support.load_sweep import load_sweep
from invoices_assets_tests.support.state import read_state
from invoices_assets_tests.support.statements import fail_statement, watch_statements
from invoices_assets_tests.support.warehouses import KINDS, SHARED, SharedLoader, execute

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    ["invoices_assets_tests.support.warehouses", "invoices_assets.load.destination.pipeline"]
)


def first(loader: SharedLoader) -> None:
    loader.load((invoice(n) for n in range(40)), state=cursor_state("updated_at", None, "1"))


def second(loader: SharedLoader) -> None:
    """All that a load can change: rows change, come, go, are rejected; a column comes; the cursor moves."""
    records = [invoice(n, lines=3, note="new", total=n) for n in range(1, 50)]
    state = cursor_state("updated_at", None, "2")
    loader.load([*records, invoice(50, total="much")], state=state)


def summary(loader: SharedLoader) -> tuple[Any, ...]:
    """Rows of every table, what is rejected, and the cursor."""
    tables = ("invoices", "invoices__line_items", "_dlt_loads", "_dlt_pipeline_state")
    counts = [loader.rows(f"SELECT count(*) FROM {{d}}.{name}")[0][0] for name in tables]
    sums = loader.rows("SELECT sum(total), count(deleted_at) FROM {d}.invoices")
    cursor = read_state(loader.settings, "invoices")["incremental"]["updated_at"]["last_value"]
    return *counts, sums, audit(loader.settings, loader.resource).rejected, cursor


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
