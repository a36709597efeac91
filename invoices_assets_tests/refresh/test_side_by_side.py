"""Refreshes at the same time: sweeps stand beside each other, and no row is replaced by an older version of itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import duckdb
import pytest

from invoices_assets.errors import LoadFailed, SweepOutdated
from invoices_assets.extract.dependent import sweep_resource
from invoices_assets.load.destination.handover import Handover
from invoices_assets.refresh import source
from invoices_assets.refresh.refresh import MOST_SWEEPS
from invoices_assets_tests.support.invoices import invoice, stamped
from invoices_assets_tests.support.loader import Loader, loaded
from invoices_assets_tests.support.months import by_month, history, month, months_in
from invoices_assets_tests.vendor import Book, Vendor, serve


@pytest.fixture
def book() -> Book:
    return Book([invoice("a", total=1), invoice("b", stamped(7200), total=1)])


@pytest.fixture
def loader(tmp_path: Path, server: Vendor) -> Loader:
    return Loader(tmp_path, server.url)


def another_load(warehouse: Path, load_id: str) -> None:
    """What a run on another machine does to one record."""
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute(f"UPDATE invoicing.invoices SET total = 2, _dlt_load_id = '{load_id}' WHERE id = 'a'")
        connection.execute(f"INSERT INTO invoicing._dlt_loads VALUES ('{load_id}', 'invoicing', 0, now(), '')")


def meanwhile(monkeypatch: pytest.MonkeyPatch, happens: Callable[[int], object], times: int = 1) -> list[int]:
    """Lets something happen between a sweep and its load, so many times; gives the numbers of the sweeps, from 1 on."""
    sweeps: list[int] = []
    real = source.hand_over

    def hand_over(handover: Handover) -> Iterator[Any]:
        sweeps.append(len(sweeps) + 1)
        if len(sweeps) <= times:
            happens(len(sweeps))
        return real(handover)

    monkeypatch.setattr(source, "hand_over", hand_over)
    return sweeps


def outdate(monkeypatch: pytest.MonkeyPatch, warehouse: Path, times: int) -> list[int]:
    """Lets another run load meanwhile."""
    return meanwhile(monkeypatch, lambda number: another_load(warehouse, f"9{number}"), times)


def test_a_sweep_that_another_load_has_outdated_is_made_once_more(
    loader: Loader, server: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader.refresh()
    requests = len(server.requests)
    sweeps = outdate(monkeypatch, loader.warehouse, 1)
    done = loader.refresh("full")
    assert len(sweeps) == 2
    assert loaded(done).changed == 1
    assert done.stats.requests == len(server.requests) - requests
    assert loader.query("SELECT id, total FROM invoices ORDER BY id") == [("a", 1), ("b", 1)]


def test_a_sweep_that_is_outdated_again_and_again_fails_and_changes_nothing(
    loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader.refresh()
    sweeps = outdate(monkeypatch, loader.warehouse, 99)
    with pytest.raises(SweepOutdated, match="another run has loaded") as refused:
        loader.refresh("full")
    assert refused.value.may_be_retried
    assert len(sweeps) == MOST_SWEEPS
    assert loader.query("SELECT id, total FROM invoices ORDER BY id") == [("a", 2), ("b", 1)]


def test_another_load_of_other_records_does_not_matter(loader: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    loader.refresh()
    sweeps = outdate(monkeypatch, loader.warehouse, 99)
    assert loaded(loader.refresh()).changed == 0
    assert len(sweeps) == 1


def test_the_state_of_a_run_that_took_long_is_read_by_the_next(loader: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    loader.refresh()

    def another_resource(_: int) -> None:
        # its run began later and committed first
        with duckdb.connect(str(loader.warehouse)) as connection:
            connection.execute("INSERT INTO invoicing._dlt_loads VALUES ('99999999999.5', 'invoicing', 0, now(), '')")
            connection.execute(
                "INSERT INTO invoicing._dlt_pipeline_state SELECT * REPLACE ('99999999999.5' AS _dlt_load_id) "
                "FROM invoicing._dlt_pipeline_state LIMIT 1"
            )

    meanwhile(monkeypatch, another_resource)
    done = loader.refresh("full", since="2024-03-01T13:59:00Z")
    assert done.cursor_after == loader.cursor


def test_what_goes_wrong_behind_the_commit_does_not_say_that_nothing_was_loaded(
    loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dlt.common.storages.load_storage.LoadStorage.complete_load_package", full)
    with pytest.raises(LoadFailed, match=r"the rows were loaded and are committed, but after that: .*No space left"):
        loader.refresh()
    assert loader.query("SELECT count(*) FROM invoices") == [(2,)]


def test_a_table_that_somebody_drops_meanwhile_is_filled_again(
    loader: Loader, monkeypatch: pytest.MonkeyPatch, book: Book
) -> None:
    loader.refresh()
    book.insert(invoice("c", stamped(9000), total=1))

    def dropped(_: int) -> None:
        with duckdb.connect(str(loader.warehouse)) as connection:
            connection.execute("DROP TABLE invoicing.invoices")

    meanwhile(monkeypatch, dropped)
    assert loaded(loader.refresh()).new == 3


def test_a_rejection_that_has_come_meanwhile_is_not_settled_by_an_older_record(
    loader: Loader, server: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader.refresh()

    def rejected(_: int) -> None:
        with duckdb.connect(str(loader.warehouse)) as connection:
            connection.execute("INSERT INTO invoicing._dlt_loads VALUES ('91', 'invoicing', 0, now(), '')")
            connection.execute(
                "CREATE TABLE invoicing.invoices_rejected AS SELECT 'a' AS key, '{}' AS raw, 'odd' AS reason, "
                "now() AS rejected_at, '91' AS _dlt_load_id, 'x' AS _dlt_id"
            )

    meanwhile(monkeypatch, rejected)
    before = len(server.requests)
    once = loader.refresh("full", dry_run=True).stats.requests
    assert len(server.requests) == before + once
    assert loader.refresh("full").stats.requests == 2 * once


def test_two_months_are_read_at_the_same_time(tmp_path: Path) -> None:
    both = Barrier(2)

    def met(*arguments: Any, **more: Any) -> Any:
        both.wait(60)
        swept = sweep_resource(*arguments, **more)
        both.wait(60)
        return swept

    with serve(history()) as server, pytest.MonkeyPatch.context() as patch:
        loader = Loader(tmp_path, server.url, by_month())
        loader.refresh(dates=month(1))
        patch.setattr(source, "sweep_resource", met)
        with ThreadPoolExecutor(2) as threads:
            done = list(threads.map(lambda number: loader.refresh(dates=month(number)), [3, 4]))
    assert [loaded(each).new > 0 for each in done] == [True, True]
    assert months_in(loader) == {"january", "march", "april"}
