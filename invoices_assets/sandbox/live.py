"""The default book: it grows and changes as the clock goes on, without stored state.

Everything is a pure function of (index, now), so two processes that ask at the same moment see the same
invoices, and an invoice that once existed never vanishes:

- the first `records` invoices are history, created evenly over the two years before `EPOCH`. Three in four of
  them never change again. One in four is *active*: every `CHANGE_EVERY` seconds the next of them, in a
  scattered order, gets another status and `updated_at`; for 12,000 invoices each active one changes once in
  25 hours.
- after `EPOCH` the k-th new invoice appears k*k/10 seconds later. Growth by the square root never ends and
  yet stays bounded in practice: about 2,400 new ones after a week, 17,700 after a year, 56,000 after ten. A
  new invoice is a draft, open after 5 minutes, paid after 2 days.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from math import isqrt
from typing import Any

from invoices_assets.sandbox.data import invoice_text

EPOCH = int(datetime(2026, 11, 16, tzinfo=UTC).timestamp())
HISTORY = 2 * 365 * 86_400
CHANGE_EVERY = 30
OPEN_AFTER = 300
PAID_AFTER = 2 * 86_400
CACHED = 200_000

_CYCLE = (b"open", b"overdue", b"paid")


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


class LiveBook:
    """The clock-driven invoices.

    Parameters:
        records: how many invoices of history; made on demand, so a million costs nothing until it is read.
        seed: another value gives other invoices.
        clock: returns the present moment, with a time zone.
    """

    def __init__(self, records: int = 12_000, seed: int = 0, clock: Callable[[], datetime] = utc_now) -> None:
        if records < 0:
            raise ValueError("records must not be negative")
        self.history = records
        self.seed = seed
        self.clock = clock
        self._active = (records + 3) // 4
        self._cache: dict[int, tuple[int, bytes]] = {}
        self._selected = lru_cache(maxsize=4)(self._select)
        self._history_since = lru_cache(maxsize=4)(self._changed_history)

    def size(self, now: int) -> int:
        """How many invoices there are at an epoch second."""
        return self.history + isqrt(10 * max(0, now - EPOCH))

    def changed_at(self, index: int, now: int) -> int:
        """The epoch second of the invoice's last change."""
        if index >= self.history:
            age = now - self.created_at(index)
            return now - age + (PAID_AFTER if age >= PAID_AFTER else OPEN_AFTER if age >= OPEN_AFTER else 0)
        if index % 4:
            return min(self.created_at(index) + (index * 2_654_435_761 >> 7) % 2_592_000, EPOCH)
        return max(self.created_at(index), EPOCH + CHANGE_EVERY * self._tick(index, now))

    def rows(
        self,
        since: datetime | None = None,
        created_from: datetime | None = None,
        created_to: datetime | None = None,
    ) -> LiveRows:
        """The invoices of this moment by id: changed at `since` or later, created from a moment on, or before one."""
        now = int(self.clock().timestamp())
        indexes = range(self.size(now)) if since is None else self._selected(since.timestamp(), now)
        if created_from is not None or created_to is not None:
            first = 0 if created_from is None else self._first_created(indexes, created_from)
            end = len(indexes) if created_to is None else self._first_created(indexes, created_to)
            indexes = indexes[first:end]
        return LiveRows(self, indexes, now)

    def _first_created(self, indexes: Sequence[int], moment: datetime) -> int:
        """The position of the first invoice that was created at a moment or later; ids are in that order."""
        return bisect_left(indexes, moment.timestamp(), key=self.created_at)

    def texts(self, indexes: Iterable[int], now: int) -> list[bytes]:
        """Invoices as JSON, as of an epoch second."""
        cache, history = self._cache, self.history
        if len(cache) > CACHED:
            cache.clear()
        texts = []
        for index in indexes:
            known = cache.get(index)
            settled = index % 4 and index < history
            if known is None or not (settled or known[0] == self.changed_at(index, now)):
                changed = self.changed_at(index, now)
                known = cache[index] = (changed, self._make_text(index, changed))
            texts.append(known[1])
        return texts

    def created_at(self, index: int) -> int:
        """The epoch second at which the invoice appeared."""
        if index < self.history:
            return EPOCH - HISTORY + HISTORY * index // self.history
        born = index - self.history + 1
        return EPOCH - (-born * born // 10)

    def _tick(self, index: int, now: int) -> int:
        """The number of the tick at which an active invoice last changed."""
        # 7919 is a prime: it scatters the turns over the ids.
        tick = (now - EPOCH) // CHANGE_EVERY
        return tick - (tick - index // 4 * 7919) % self._active

    def _select(self, since: float, now: int) -> list[int]:
        tick = (now - EPOCH) // CHANGE_EVERY
        born = range(self.history, self.size(now))
        return self._history_since(since, tick) + [index for index in born if self.changed_at(index, now) >= since]

    def _changed_history(self, since: float, tick: int) -> list[int]:
        # Three quarters of the history last changed before EPOCH: a later moment need not look at them.
        now = EPOCH + tick * CHANGE_EVERY
        looked_at = range(0, self.history, 4 if since > EPOCH else 1)
        return [index for index in looked_at if self.changed_at(index, now) >= since]

    def _make_text(self, index: int, changed: int) -> bytes:
        created = self.created_at(index)
        status = note = None
        if index >= self.history:
            age = changed - created
            status = b"paid" if age >= PAID_AFTER else b"open" if age >= OPEN_AFTER else b"draft"
        elif index % 4 == 0 and changed > created:
            turn = (changed - EPOCH) // CHANGE_EVERY // self._active
            status = _CYCLE[(index // 4 + turn) % 3]
            note = f"Reminder {turn} sent" if status == b"overdue" and turn > 0 else None
        return invoice_text(index, self.seed, created, changed, status, note)


class LiveRows:
    """Invoices of one moment, made when they are read."""

    def __init__(self, book: LiveBook, indexes: Sequence[int], now: int) -> None:
        self._book = book
        self._indexes = indexes
        self._now = now

    def __len__(self) -> int:
        return len(self._indexes)

    def texts(self, positions: Sequence[int]) -> list[bytes]:
        """The records at these positions as JSON."""
        return self._book.texts([self._indexes[position] for position in positions], self._now)

    def record(self, position: int) -> dict[str, Any]:
        """One record as a dict, numbers exact."""
        return json.loads(self.texts((position,))[0], parse_float=Decimal)
