"""Tells of a long sweep: sentences with a bar of text for a log, and counts for whatever dlt shows progress with."""

from __future__ import annotations

import time
from collections.abc import Callable

from dlt.common.runtime.collector import Collector

from invoices_assets.extract.pass_count import PassCount

PROGRESS_EVERY_SECONDS = 5.0
SWEPT = "from the API"
"""The label by which dlt's collectors tell these counts from those of the files that are loaded."""

_WIDTH = 12


class Progress:
    """Tells how far a sweep is: the collector after each page, the log every few seconds.

    Parameters:
        name: of the resource.
        tell: told in sentences.
        collector: of the pipeline, what dlt calls its `progress`.
        in_parts: the resource is swept once for each parent; what was read for them adds up, and has no total.
    """

    def __init__(self, name: str, tell: Callable[[str], None], collector: Collector, *, in_parts: bool = False) -> None:
        self._name, self._tell, self._collector, self._in_parts = name, tell, collector, in_parts
        self._began = self._called = self._told = time.monotonic()
        self._count: PassCount | None = None
        self._before = 0
        self._rows = 0

    def __call__(self, count: PassCount, _: float) -> None:
        now = time.monotonic()
        if count is not self._count:
            self._begin(count)
        rows, total = self._before + count.rows, self._total(count)
        # dlt's hint of `total` leaves out its own default, None
        self._collector.update(self._name, rows - self._rows, total=total, label=SWEPT)  # type: ignore[arg-type]
        self._rows, self._called = rows, now
        if now - self._told >= PROGRESS_EVERY_SECONDS:
            self._told = now
            self._tell(progress_line(self._name, rows, total, max(now - self._began, 0.001)))

    def _begin(self, count: PassCount) -> None:
        """Another parent, whose records are further ones, or another pass over the same records."""
        self._count = count
        if self._in_parts:
            self._before = self._rows
        else:
            self._began = self._called

    def _total(self, count: PassCount) -> int | None:
        if self._in_parts or count.names_pages or not count.total:
            return None
        # by rows, for to count the distinct ones anew with each page would cost the square of their number
        return count.total if count.total >= count.rows else None


def progress_line(name: str, rows: int, total: int | None, seconds: float) -> str:
    """How far a sweep is: `invoices: ███████░░░░░ 64 %, 9,600 of 15,000 rows, 2,100 rows/s, 3 s left`.

    Parameters:
        rows: that came.
        total: that will have come; None where nobody knows.
        seconds: since the first one was asked for.
    """
    rate = rows / seconds
    if total is None:
        return f"{name}: {rows:,} rows, {rate:,.0f} rows/s"
    full = _WIDTH * rows // total
    bar = "█" * full + "░" * (_WIDTH - full)
    left = f", {_duration((total - rows) / rate)} left" if rate else ""
    return f"{name}: {bar} {100 * rows // total} %, {rows:,} of {total:,} rows, {rate:,.0f} rows/s{left}"


def _duration(seconds: float) -> str:
    """For people: 90 s, 12 min, 3.5 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
