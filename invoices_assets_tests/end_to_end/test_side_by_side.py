"""Several runs at once, other processes at the warehouse, full disks and folders without rights."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from invoices_assets_tests.support.holding import held_open
from invoices_assets_tests.support.processes import EVERYTHING, Deployment, Run
from invoices_assets_tests.support.project import Project
from invoices_assets_tests.support.rows import assert_same_as, put_rows, untouched
from invoices_assets_tests.vendor import Book, Vendor, serve

LOCKED = {"resources": {"warehouse": {"config": {"lock_limit_seconds": 0.5}}}}
WAITING = "waiting for another run that is loading into"


@pytest.fixture(scope="module")
def server() -> Iterator[Vendor]:
    with serve(Book.of(450)) as running:
        yield running


@pytest.fixture
def place(server: Vendor, tmp_path: Path) -> Deployment:
    return Deployment(tmp_path, server.url)


def project_at(place: Deployment, monkeypatch: pytest.MonkeyPatch) -> Project:
    return Project(monkeypatch, place.folder, place.url, place.key)


@pytest.mark.parametrize("count", [2, 4])
def test_runs_at_once_all_succeed_take_turns_and_leave_exact_rows(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[Run] = []
    book = Book.of(450)
    with serve(book) as server:
        place = Deployment(tmp_path, server.url)
        put_rows(place, 40)

        @server.on_request
        def until_all_others_wait(_: int) -> None:
            until = time.monotonic() + 60
            while sum(WAITING in run.said for run in runs) < count - 1 and time.monotonic() < until:
                time.sleep(0.05)

        runs += [place.start(config=EVERYTHING) for _ in range(count)]
        for run in runs:
            assert run.ended().status == 0, run.said
    assert_same_as(project_at(place, monkeypatch), book)
    # what is made of the rows waits for its own turn, behind the sentence on the load
    waited = [run for run in runs if WAITING in run.said.partition(" rows in invoicing.invoices")[0]]
    assert len(waited) == count - 1
    assert all("the other run has finished after" in run.said for run in waited)
    assert not Path(f"{place.warehouse}.runs").exists()


def test_a_run_waits_for_another_one_within_its_limit_only(place: Deployment) -> None:
    put_rows(place, 40)
    with FileLock(f"{place.warehouse}.lock"), untouched(place):
        run = place.run(config=LOCKED)
    assert run.status == 1
    assert f"another run has been loading into {place.warehouse} for more than 0.5 s; nothing was loaded" in run.said


def impatient() -> None:
    """Another process that holds the file open is waited for a moment only."""
    from invoices_assets.resources import Warehouse

    original = Warehouse.settings
    # in a process of its own, which this sabotage ends with
    Warehouse.settings = lambda self, dataset: replace(original(self, dataset), open_wait_seconds=0.5)  # type: ignore[method-assign]


def test_a_file_that_another_process_holds_open_is_one_sentence(place: Deployment) -> None:
    put_rows(place, 40)
    with held_open(place.warehouse), untouched(place):
        run = place.run(impatient)
    assert run.status == 1
    assert f"another process holds {place.warehouse} open and did not close it within 0.5 s" in run.said


def test_a_file_that_is_let_go_in_time_is_loaded(
    place: Deployment, server: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_rows(place, 40)
    with held_open(place.warehouse) as let_go:
        run = place.start(config=EVERYTHING)
        while "waiting for another process that holds" not in run.said:
            assert run.process.is_alive(), run.said
            run.process.join(0.05)
        let_go()
        assert run.ended().status == 0, run.said
    assert_same_as(project_at(place, monkeypatch), server.book)


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Callable[[], None] | None]:
    """A folder with so much room; yields what a process must do to have no more where it cannot be mounted."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    try:
        yield None if mounted.returncode == 0 else little_room
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", str(folder)], check=True)


def little_room() -> None:
    """No file may grow beyond three megabytes: as near to a full disk as a test without root comes."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, 3 << 20))


def test_a_full_disk_is_one_sentence_and_the_warehouse_can_be_opened(
    place: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(Book.of(12_000)) as large, small_disk(place.warehouse.parent, 5) as little:
        place.url = large.url
        put_rows(place, 40)
        run = place.run(little, EVERYTHING)
        assert run.status == 1
        assert "is full; nothing was loaded and the warehouse is as it was" in run.said, run.said
        assert_same_as(project_at(place, monkeypatch), Book.of(40))


def as_nobody() -> None:
    """Before it looks at the warehouse, the process loses the rights of root, who may write anywhere."""
    from invoices_assets import resources

    original = resources.catalog_of

    def catalog(*args: Any, **kwargs: Any) -> Any:
        for path in [Path.cwd(), *Path.cwd().rglob("*")]:
            if path.name != "data":
                path.chmod(0o777)
        os.setgid(65534)
        os.setuid(65534)
        return original(*args, **kwargs)

    resources.catalog_of = catalog


def test_a_folder_that_cannot_be_written_is_one_sentence(place: Deployment) -> None:
    put_rows(place, 40)
    folder = place.warehouse.parent
    for parent in place.folder.parents[:3]:
        parent.chmod(parent.stat().st_mode | 0o055)
    folder.chmod(0o555)
    with untouched(place):
        run = place.run(as_nobody if os.geteuid() == 0 else None)
    folder.chmod(0o755)
    assert run.status == 1
    assert f"the folder {folder} cannot be written; set INVOICES_DUCKDB_PATH to a file" in run.said, run.said
