"""The gate that every request of a client passes: pauses, a rate and a window that all its threads share."""

from __future__ import annotations

import itertools
import threading

from invoices_assets.errors import RequestFailed
from invoices_assets.extract.http.clock import Clock

_SPACING = 1.08
"""Requests are spaced this much wider than the rate asks, for on their way they come closer to each other."""

_CLOSEST = 1.06
"""How close one may follow another that left late, to make up for that; some APIs measure each distance."""

_SHORT = 0.02
"""Seconds. Shorter distances are blurred on the way by more than that margin; only their average counts."""

_WIDENING, _WIDEST = 1.1, 1.5
"""A 429 in spite of the budget widens the distances for the rest of the run, up to so much: the API measures each of
them, or others use the same key."""

_ROUNDS_TO_GROW = 4
"""The window grows by one after as many undisturbed answers as this times its size."""


class RateLimiter:
    """Lets requests pass one by one.

    Parameters:
        window: requests under way at once; halved when the API answers 429, it grows back one by one.
        requests_per_second: at most, over all threads, evenly spaced, and fewer after a 429; None for no limit.
    """

    def __init__(self, window: int, requests_per_second: float | None, clock: Clock) -> None:
        self._changed = threading.Condition()
        self._clock = clock
        self._spacing = 1 / requests_per_second if requests_per_second else 0.0
        self._widest = self._spacing * _WIDEST
        self._queue: list[tuple[int, int]] = []
        self._numbers = itertools.count()
        self._largest = self._window = max(1, window)
        self._under_way = self._undisturbed = self._storm = 0
        self._closed = False
        self._paused_until = self._due = self._earliest = float("-inf")

    def enter(self, failures: int = 0) -> int:
        """Waits for this request's turn; of several, the one that has failed most often goes first.

        Returns:
            A ticket for `leave`.

        Raises:
            RequestFailed: the gate was closed meanwhile.
        """
        with self._changed:
            me = (-failures, next(self._numbers))
            self._queue.append(me)
            try:
                while (wait := self._wait_of(me)) != 0:
                    if wait is None:
                        self._changed.wait()
                    else:
                        self._changed.release()
                        try:
                            self._clock.sleep(wait)
                        finally:
                            self._changed.acquire()
                self._depart()
                return self._storm
            finally:
                self._queue.remove(me)
                self._changed.notify_all()

    def _wait_of(self, me: tuple[int, int]) -> float | None:
        """Seconds until this request may leave; None where others have to move first."""
        if self._closed:
            raise RequestFailed("the reading of the API was stopped")
        if self._under_way >= self._window or min(self._queue) != me:
            return None
        return max(0.0, max(self._paused_until, self._due, self._earliest) - self._clock.monotonic())

    def _depart(self) -> None:
        self._under_way += 1
        if self._spacing:
            now = self._clock.monotonic()
            self._due = max(self._due, now - self._spacing) + self._spacing * _SPACING
            self._earliest = now + self._spacing * (_CLOSEST if self._spacing >= _SHORT else 1)

    def leave(self, ticket: int, *, throttled: bool) -> None:
        """Tells that the answer is there.

        Parameters:
            ticket: what `enter` returned.
            throttled: whether the API answered 429.
        """
        with self._changed:
            self._under_way -= 1
            if not throttled:
                self._undisturbed += 1
                if self._undisturbed >= _ROUNDS_TO_GROW * self._window:
                    self._undisturbed = 0
                    self._window = min(self._largest, self._window + 1)
            elif ticket == self._storm:
                # Requests that left before the window shrank tell nothing about the smaller one.
                self._storm += 1
                self._undisturbed = 0
                self._window = max(1, self._window // 2)
                self._spacing = min(self._spacing * _WIDENING, self._widest)
            self._changed.notify_all()

    def pause(self, seconds: float) -> None:
        """Holds back every request for so long from now."""
        with self._changed:
            self._paused_until = max(self._paused_until, self._clock.monotonic() + seconds)

    def close(self) -> None:
        """Lets nobody pass any more, and sends away those who wait."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
