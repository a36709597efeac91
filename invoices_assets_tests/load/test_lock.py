"""Runs of one warehouse take turns, across processes, and a killed one leaves nothing in the way."""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import time
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from invoices_assets.errors import WarehouseBusy, WarehouseUnusable
from invoices_assets.load.warehouses.lock import warehouse_lock
from invoices_assets.load.working_folder import STALE_SECONDS, working_folder

PROCESSES = multiprocessing.get_context("spawn")


def quiet(_: str) -> None:
    """A log that nobody reads."""


def hold(path: Path, held: Event, let_go: Event) -> None:
    with warehouse_lock(path, limit_seconds=60, log=quiet), working_folder(path.parent):
        held.set()
        let_go.wait(60)


def append_twice(path: Path, name: str) -> None:
    for _ in range(5):
        with warehouse_lock(path, limit_seconds=60, log=quiet):
            with open(f"{path}.txt", "a") as file:
                file.write(f"{name} in\n")
            time.sleep(0.01)
            with open(f"{path}.txt", "a") as file:
                file.write(f"{name} out\n")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "invoices.duckdb"


def test_processes_take_turns(path: Path) -> None:
    workers = [PROCESSES.Process(target=append_twice, args=(path, str(n))) for n in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    lines = Path(f"{path}.txt").read_text().splitlines()
    assert len(lines) == 30
    for entered, left in zip(lines[::2], lines[1::2], strict=True):
        assert (entered, left) == (f"{entered[0]} in", f"{entered[0]} out")


def test_waiting_is_told_at_once_and_again_and_ends_in_one_sentence(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("invoices_assets.load.warehouses.lock.TELL_EVERY_SECONDS", 0.2)
    said: list[str] = []
    with (
        warehouse_lock(path, limit_seconds=60, log=quiet),
        pytest.raises(WarehouseBusy, match=r"another run has been loading into .*invoices\.duckdb .* 0\.5 s"),
        warehouse_lock(path, limit_seconds=0.5, log=said.append),
    ):
        pytest.fail("two runs at once")
    assert len(said) >= 2
    assert all("waiting for another run" in sentence for sentence in said)


def test_nothing_is_told_where_nobody_waits(path: Path) -> None:
    said: list[str] = []
    with warehouse_lock(path, limit_seconds=1, log=said.append):
        pass
    assert said == []


def test_a_killed_run_leaves_neither_lock_nor_working_folder(path: Path) -> None:
    held, let_go = PROCESSES.Event(), PROCESSES.Event()
    run = PROCESSES.Process(target=hold, args=(path, held, let_go))
    run.start()
    assert held.wait(60)
    with pytest.raises(WarehouseBusy), warehouse_lock(path, limit_seconds=0, log=quiet):
        pytest.fail("two runs at once")
    assert len(left_in(path.parent)) == 1
    assert run.pid is not None
    os.kill(run.pid, signal.SIGKILL)
    run.join(60)
    (lock,) = left_in(path.parent)
    with warehouse_lock(path, limit_seconds=10, log=quiet), working_folder(path.parent) as folder:
        assert sorted(left_in(path.parent)) == sorted([lock, Path(f"{folder}.lock")])
    long_ago = time.time() - STALE_SECONDS - 10
    os.utime(lock, (long_ago, long_ago))
    with working_folder(path.parent) as folder:
        assert left_in(path.parent) == [Path(f"{folder}.lock")]
        assert [item.name for item in folder.parent.iterdir() if item.is_dir()] == [folder.name]


def left_in(place: Path) -> list[Path]:
    """The locks of working folders in a place."""
    return list(place.glob("invoices_assets_*/*.lock"))


def test_a_living_run_keeps_its_working_folder_however_old(path: Path) -> None:
    path.parent.mkdir()
    with working_folder(path.parent) as old:
        (old / "rows").write_text("kept")
        os.utime(f"{old}.lock", (0, 0))
        with working_folder(path.parent) as other:
            assert other != old
            assert (old / "rows").read_text() == "kept"
    assert left_in(path.parent) == []


def test_the_working_folder_goes_after_an_error_too(path: Path) -> None:
    with pytest.raises(KeyError), working_folder(path):
        raise KeyError
    assert left_in(path) == []


def test_a_working_folder_that_cannot_be_made_or_is_not_ones_own_is_one_sentence(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("a file")
    refused = pytest.raises(WarehouseUnusable, match=r"set INVOICES_WORK_DIR to a writable folder")
    with refused, working_folder(path, setting="INVOICES_WORK_DIR"):
        pytest.fail("no folder")
    elsewhere = path.parent / "elsewhere"
    elsewhere.mkdir()
    (path.parent / f"invoices_assets_{os.getuid()}").symlink_to(elsewhere)
    with pytest.raises(WarehouseUnusable, match=r"belongs to somebody else"), working_folder(path.parent):
        pytest.fail("somebody else's folder")


def test_a_missing_folder_is_made(path: Path) -> None:
    with warehouse_lock(path, limit_seconds=1, log=quiet):
        assert path.parent.is_dir()


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "invoices.duckdb"
    with (
        pytest.raises(WarehouseUnusable, match="duckdb_path"),
        warehouse_lock(path, limit_seconds=1, log=quiet),
    ):
        pytest.fail("locked")


def test_a_folder_in_place_of_the_file_is_one_sentence(tmp_path: Path) -> None:
    with (
        pytest.raises(WarehouseUnusable, match="is a folder"),
        warehouse_lock(tmp_path, limit_seconds=1, log=quiet),
    ):
        pytest.fail("locked")


def lock_without_rights(path: Path, said: Queue[str]) -> None:
    if os.geteuid() == 0:
        os.setuid(65534)  # root may write anywhere
    try:
        with warehouse_lock(path, limit_seconds=1, log=quiet):
            said.put("locked")
    except WarehouseUnusable as error:
        said.put(str(error))


@pytest.mark.parametrize("what", ["folder", "file"])
def test_what_cannot_be_written_is_one_sentence(what: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "invoices.duckdb"
        path.touch(mode=0o444)
        folder.chmod(0o555 if what == "folder" else 0o777)
        said: Queue[str] = PROCESSES.Queue()
        run = PROCESSES.Process(target=lock_without_rights, args=(path, said))
        run.start()
        assert f"the {what} " in (sentence := said.get(timeout=60))
        assert "duckdb_path" in sentence
        run.join(60)
        folder.chmod(0o755)
