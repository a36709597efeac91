"""A clock that moves only when somebody sleeps, or when the test says so."""

from __future__ import annotations

import threading

from invoices_assets.extract.http.clock import Clock

EPOCH = 1_700_000_000.0
"""Seconds since the epoch at which the clocks here begin."""


class FakeClock(Clock):
    """Call it for the seconds that were slept; `sleeps` has every wait in order."""

    def __init__(self) -> None:
        self.sleeps: list[float] = []
        self._now = 0.0
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return self._now

    monotonic = __call__

    def now(self) -> float:
        return EPOCH + self._now

    def stop(self) -> None:
        pass

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.sleeps.append(seconds)
            self._now += seconds


class HeldClock(Clock):
    """A clock whose sleepers sleep until the test moves it on."""

    def __init__(self) -> None:
        self.sleepers = 0
        self._now = 0.0
        self._changed = threading.Condition()

    def monotonic(self) -> float:
        return self._now

    def stop(self) -> None:
        pass

    def sleep(self, seconds: float) -> None:
        with self._changed:
            until = self._now + seconds
            self.sleepers += 1
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: self._now >= until, timeout=10)
            self.sleepers -= 1

    def advance(self, seconds: float) -> None:
        with self._changed:
            self._now += seconds
            self._changed.notify_all()

    def wait_for_sleepers(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.sleepers >= count, timeout=10)
