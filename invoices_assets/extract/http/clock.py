"""Time as a client sees it; tests give it another one."""

from __future__ import annotations

import threading
import time


class Clock:
    """The time of the system, and waits that can be ended."""

    def __init__(self) -> None:
        self._stopped = threading.Event()

    def monotonic(self) -> float:
        """Seconds from an unknown start; never goes back."""
        return time.monotonic()

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Waits so long, or until `stop`."""
        self._stopped.wait(seconds)

    def stop(self) -> None:
        """Ends all waits, those to come included."""
        self._stopped.set()
