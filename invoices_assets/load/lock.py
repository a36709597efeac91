"""Runs of one warehouse take turns, in one process or many, and each has a working folder of its own.

The lock is the operating system's (`filelock`: flock, or its kin), so it ends with the process that held it,
however that process ended.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from invoices_assets.errors import WarehouseBusy, WarehouseUnusable

Log = Callable[[str], None]
TELL_EVERY_SECONDS = 30.0
POLL_SECONDS = 0.1


@contextlib.contextmanager
def warehouse_lock(
    path: Path,
    *,
    limit_seconds: float,
    log: Log,
    tell_every_seconds: float = TELL_EVERY_SECONDS,
    setting: str = "duckdb_path",
) -> Iterator[None]:
    """Hold the only right to load into the warehouse at `path`.

    Parameters:
        path: the DuckDB file; the lock is the file `<path>.lock` beside it, with links followed, for two locks of
            one file would be none. The folder is made if missing.
        limit_seconds: how long to wait for another run.
        log: told at once when there is somebody to wait for, and then every `tell_every_seconds`.
        setting: names the setting of the path, for the sentence of a refusal.

    Raises:
        WarehouseBusy: another run held the lock for longer than the limit.
        WarehouseUnusable: the folder cannot be made or written.
    """
    path = Path(path).expanduser().resolve()
    _make_folder(path, setting)
    lock = FileLock(f"{path}.lock", thread_local=False)
    started = time.monotonic()
    told = None
    while True:
        try:
            lock.acquire(timeout=0)
            break
        except Timeout:
            waited = time.monotonic() - started
        except OSError as error:
            raise _unwritable(path, error, setting) from error
        if waited >= limit_seconds:
            raise WarehouseBusy(
                f"another run has been loading into {path} for more than {limit_seconds:g} s; "
                "nothing was loaded, try again when it has finished"
            )
        if told is None or waited - told >= tell_every_seconds:
            log(f"waiting for another run that is loading into {path} ({waited:.0f} of {limit_seconds:g} s)")
            told = waited
        time.sleep(min(POLL_SECONDS, max(0.0, limit_seconds - waited)))
    try:
        if told is not None:
            log(f"the other run has finished after {time.monotonic() - started:.0f} s; going on")
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def working_folder(path: Path) -> Iterator[Path]:
    """A new folder `<path>.runs/<id>` for one run; to be entered under `warehouse_lock`.

    It is removed at the end. Under the lock nobody else is at work, so what other runs left is stale and is
    removed first.

    Raises:
        WarehouseUnusable: the folder cannot be made.
    """
    runs = Path(f"{Path(path).expanduser().resolve()}.runs")
    shutil.rmtree(runs, ignore_errors=True)
    folder = runs / uuid.uuid4().hex[:12]
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise _unwritable(Path(path), error) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            runs.rmdir()


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


def _unwritable(path: Path, error: OSError, setting: str = "duckdb_path") -> WarehouseUnusable:
    reason = error.strerror or str(error)
    return WarehouseUnusable(
        f"the folder {path.parent} cannot be used ({reason}); set {setting} to a file in a writable folder"
    )
