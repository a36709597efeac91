"""Tells of a long sweep, in sentences."""

from __future__ import annotations

import time
from collections.abc import Callable

from invoices_assets.extract.pass_count import PassCount

PROGRESS_EVERY_SECONDS = 5.0


class Progress:
    """Tells how far a long sweep is, every few seconds."""

    def __init__(self, name: str, tell: Callable[[str], None]) -> None:
        self._name = name
        self._tell = tell
        self._told = time.monotonic()

    def __call__(self, count: PassCount, seconds: float) -> None:
        now = time.monotonic()
        if now - self._told < PROGRESS_EVERY_SECONDS:
            return
        self._told = now
        rate = count.rows / seconds if seconds else 0.0
        sentence = f"{self._name}: {count.pages:,} pages, {count.rows:,} rows, {rate:,.0f} rows/s"
        if count.total and count.total >= count.rows and not count.names_pages and rate:
            left = (count.total - count.rows) / rate
            sentence += f", {count.rows / count.total:.0%} of {count.total:,}, about {left:,.0f} s left"
        self._tell(sentence)
