"""A folder for the files of one run, on this machine, and the end of those that killed runs have left."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from invoices_assets.errors import WarehouseUnusable

STALE_SECONDS = 3600.0


@contextlib.contextmanager
def working_folder(place: Path | None = None, *, setting: str = "place") -> Iterator[Path]:
    """A new folder for one run, removed at the end.

    It holds the operating system's lock on a file beside it, so that other runs tell a living run's folder from
    one that a killed run has left, and remove only those, when they are an hour old.

    Parameters:
        place: on a disk of this machine; None for the system's temporary place.
        setting: names the setting of the place, for sentences.

    Raises:
        WarehouseUnusable: the folder cannot be made, or may be read by others.
    """
    runs = Path(os.path.expanduser(place or tempfile.gettempdir())).absolute() / f"invoices_assets_{os.getuid()}"
    folder = runs / uuid.uuid4().hex[:12]
    try:
        runs.mkdir(mode=0o700, parents=True, exist_ok=True)
        if runs.is_symlink() or runs.stat().st_uid != os.getuid():
            raise PermissionError(0, "it belongs to somebody else")
        _remove_stale(runs)
        lock = FileLock(f"{folder}.lock", thread_local=False)
        lock.acquire(timeout=0)
        folder.mkdir()
    except OSError as error:
        reason = error.strerror or str(error)
        raise WarehouseUnusable(
            f"the working folder {runs} cannot be used ({reason}); set {setting} to a writable folder of this machine"
        ) from error
    try:
        yield folder
    finally:
        _remove(folder, lock)


def _remove_stale(runs: Path) -> None:
    for path in runs.glob("*.lock"):
        with contextlib.suppress(OSError, Timeout):
            if time.time() - path.stat().st_mtime > STALE_SECONDS:
                lock = FileLock(path, thread_local=False)
                lock.acquire(timeout=0)
                _remove(path.with_suffix(""), lock)


def _remove(folder: Path, lock: FileLock) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        Path(lock.lock_file).unlink()
    lock.release()
