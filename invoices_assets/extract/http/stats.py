"""Counts what a client did."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class HttpStats:
    """What a client did so far.

    Parameters:
        requests: sent, retries and redirects included.
        retries: requests that were repeated.
        seconds_waited: in which the client waited before a retry or for a paused API; waits of several
            threads at the same time count once, and the spacing of a rate budget does not count.
        bytes_received: of bodies, as they came over the wire.
        status_counts: how many answers had which HTTP status.
    """

    requests: int = 0
    retries: int = 0
    seconds_waited: float = 0.0
    bytes_received: int = 0
    status_counts: Mapping[int, int] = field(default_factory=dict)

    def __add__(self, other: HttpStats) -> HttpStats:
        """Of two clients, one after the other."""
        return HttpStats(
            self.requests + other.requests,
            self.retries + other.retries,
            self.seconds_waited + other.seconds_waited,
            self.bytes_received + other.bytes_received,
            Counter(self.status_counts) + Counter(other.status_counts),
        )


class RequestCounter:
    """Collects the numbers; may be used by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stats = HttpStats()
        self._waited_until = float("-inf")

    def sent(self, status: int | None = None, size: int = 0) -> None:
        """A request, with the status of its answer and the bytes of its body; None where no answer came."""
        statuses = {} if status is None else {status: 1}
        with self._lock:
            self._stats += HttpStats(requests=1, bytes_received=size, status_counts=statuses)

    def repeated(self) -> None:
        """A request that is sent again."""
        with self._lock:
            self._stats += HttpStats(retries=1)

    def waits(self, start: float, seconds: float) -> None:
        """A wait from a moment of a monotonic clock on."""
        with self._lock:
            end = start + seconds
            self._stats += HttpStats(seconds_waited=max(0.0, end - max(start, self._waited_until)))
            self._waited_until = max(self._waited_until, end)

    def snapshot(self) -> HttpStats:
        """The figures of this moment."""
        return self._stats
