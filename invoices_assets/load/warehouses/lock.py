"""Runs of one warehouse take turns, in one process or many.

The lock is the operating system's (`filelock`: flock, or its kin), so it ends with the process that held it,
however that process ended.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from invoices_assets.errors import WarehouseBusy, WarehouseUnusable

Log = Callable[[str], None]
TELL_EVERY_SECONDS = 30.0
POLL_SECONDS = 0.1


@contextlib.contextmanager
def sweep_lock(folder: Path, name: str, limit_seconds: float, log: Log) -> Iterator[None]:
    """Hold the right to sweep what `name` says, among the runs whose working folders are in `folder`.

    Raises:
        WarehouseBusy: another run held it for longer than the limit.
    """
    lock = FileLock(folder / f"{hashlib.sha256(name.encode()).hexdigest()[:16]}.sweep", thread_local=False)
    wait_for_turn(lambda: _acquired(lock), name, limit_seconds, log)
    try:
        yield
    finally:
        lock.release()


def _acquired(lock: FileLock) -> bool:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True


@contextlib.contextmanager
def warehouse_lock(
    path: Path,
    *,
    limit_seconds: float,
    log: Log,
    setting: str = "duckdb_path",
) -> Iterator[None]:
    """Hold the only right to load into the warehouse at `path`.

    Parameters:
        path: the DuckDB file; the lock is the file `<path>.lock` beside it, with links followed, for two locks of
            one file would be none. The folder is made if missing.
        limit_seconds: how long to wait for another run.
        log: told at once when there is somebody to wait for, and then every `TELL_EVERY_SECONDS`.
        setting: names the setting of the path, for the sentence of a refusal.

    Raises:
        WarehouseBusy: another run held the lock for longer than the limit.
        WarehouseUnusable: the folder cannot be made or written.
    """
    path = Path(path).expanduser().resolve()
    _make_folder(path, setting)
    lock = FileLock(f"{path}.lock", thread_local=False)

    def try_once() -> bool:
        try:
            return _acquired(lock)
        except OSError as error:
            raise _unwritable(path, error, setting) from error

    wait_for_turn(try_once, str(path), limit_seconds, log)
    try:
        yield
    finally:
        lock.release()


def wait_for_turn(try_once: Callable[[], bool], place: str, limit_seconds: float, log: Log) -> None:
    """Try again and again to get the turn of a run.

    Parameters:
        try_once: says whether the turn was got.
        place: the warehouse, for sentences.

    Raises:
        WarehouseBusy: the limit has passed.
    """
    started, told = time.monotonic(), None
    while not try_once():
        waited = time.monotonic() - started
        if waited >= limit_seconds:
            raise WarehouseBusy(
                f"another run has been loading into {place} for more than {limit_seconds:g} s; "
                "nothing was loaded, try again when it has finished"
            )
        if told is None or waited - told >= TELL_EVERY_SECONDS:
            log(f"waiting for another run that is loading into {place} ({waited:.0f} of {limit_seconds:g} s)")
            told = waited
        time.sleep(min(POLL_SECONDS, max(0.0, limit_seconds - waited)))
    if told is not None:
        log(f"the other run has finished after {time.monotonic() - started:.0f} s; going on")


def _make_folder(path: Path, setting: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error, setting) from error
    if path.is_dir():
        raise WarehouseUnusable(f"{setting}={path} is a folder; it must name a file")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise WarehouseUnusable(
            f"the folder {path.parent} cannot be written; set {setting} to a file in a writable folder"
        )
    if path.exists() and not os.access(path, os.R_OK | os.W_OK):
        raise WarehouseUnusable(
            f"the file {path} cannot be written; give this user the right to, or set {setting} to another file"
        )


def _unwritable(path: Path, error: OSError, setting: str) -> WarehouseUnusable:
    reason = error.strerror or str(error)
    return WarehouseUnusable(
        f"the folder {path.parent} cannot be used ({reason}); set {setting} to a file in a writable folder"
    )
