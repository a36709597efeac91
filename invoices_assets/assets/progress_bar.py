"""A progress bar for who starts a run on a command line; it is a collector of dlt, the `progress` of a pipeline."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from dlt.common.runtime.collector import Collector
from tqdm import tqdm

from invoices_assets.refresh.progress import SWEPT

DELAY_SECONDS = 0.5
"""A sweep that is over sooner shows no bar."""


@contextmanager
def progress_bar() -> Iterator[ProgressBar | None]:
    """The bar, on what stderr is now; None where that is no terminal.

    Dagster puts a file in the place of stderr while a step runs, so this has to begin before the step does.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    terminal = _Terminal(os.fdopen(os.dup(sys.stderr.fileno()), "wb"), encoding=sys.stderr.encoding)
    try:
        yield ProgressBar(terminal)
    finally:
        with suppress(OSError):  # somebody has closed the window meanwhile
            terminal.close()


class ProgressBar(Collector):
    """Shows how many records of a resource came; it takes no notice of what dlt counts besides.

    Parameters:
        terminal: where it is drawn.
    """

    def __init__(self, terminal: io.TextIOWrapper) -> None:
        self._terminal = terminal
        self._bar: _Bar | None = None

    def update(
        self,
        name: str,
        inc: int = 1,
        total: int | None = None,
        inc_total: int | None = None,
        message: str | None = None,
        label: str | None = None,
    ) -> None:
        """Moves the bar on by so many records, and back where they are read anew."""
        if label != SWEPT:
            return
        if self._bar is None:
            looks: dict[str, Any] = {"unit": " rows", "dynamic_ncols": True, "leave": False, "delay": DELAY_SECONDS}
            self._bar = _Bar(desc=name, total=total, file=self._terminal, **looks)
        self._bar.total = total
        self._bar.update(inc)

    def _start(self, step: str) -> None:
        """A step of dlt begins; the bar begins with the first record."""

    def _stop(self) -> None:
        """A step of dlt ends, whatever the reason: the bar goes away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class _Bar(tqdm):  # type: ignore[misc]  # it has no types
    """tqdm's, without its thread, and without its lock between processes."""

    monitor_interval = 0
    _lock: Any = threading.RLock()


class _Terminal(io.TextIOWrapper):
    """Leaves the cursor at the start of the line, so that a line of the log replaces the bar."""

    def write(self, text: str) -> int:
        return super().write(f"{text}\r")
