"""The fixture server, in a process of its own: invoices that stand still, so that every contender reads the same.

    python -m benchmarks.server --records 100000 --latency 0.05

Prints one JSON line, `{"url": ..., "key": ..., "rows": ..., "total": "..."}`, and serves until its input ends. It
answers each line of input by a line:

    later     25 minutes pass, in which about 50 invoices change and 120 are new; the same line again
    asked     {"seconds": ..., "refused": ...}: from the first request since the last such line to the last one,
              and how many were answered 429
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from invoices_assets.sandbox.app import SANDBOX_KEY, application
from invoices_assets.sandbox.live import LiveBook, LiveRows
from invoices_assets.sandbox.server import running

STANDSTILL = datetime(2026, 11, 16, tzinfo=UTC)


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = STANDSTILL

    def __call__(self) -> datetime:
        return self.now

    def move(self) -> None:
        self.now += timedelta(minutes=25)


class Recorded:
    """An ASGI application, and when it was asked and with what success."""

    def __init__(self, application: Any) -> None:
        self._application = application
        self._moments: list[float] = []
        self._refused = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def sent(message: Any) -> None:
            self._refused += message.get("status") == 429
            await send(message)

        self._moments.append(time.monotonic())
        await self._application(scope, receive, sent)

    def tell(self) -> None:
        """Prints what was asked since the last call."""
        moments, refused = self._moments, self._refused
        self._moments, self._refused = [], 0
        print(json.dumps({"seconds": max(moments) - min(moments), "refused": refused}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, required=True)
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--rate", type=float, default=0.0)
    chosen = parser.parse_args()
    clock = Clock()
    book = LiveBook(records=chosen.records, clock=clock)
    served = Recorded(application(book, latency=chosen.latency, rate_limit=chosen.rate))
    with running(served) as url:
        _tell(book, url)
        for line in sys.stdin:
            if line.strip() == "later":
                clock.move()
                _tell(book, url)
            else:
                served.tell()


def _tell(book: LiveBook, url: str) -> None:
    rows = book.rows()
    told = {"url": url, "key": SANDBOX_KEY, "rows": len(rows), "total": str(total_of(rows))}
    print(json.dumps(told), flush=True)


def total_of(rows: LiveRows) -> Decimal:
    """The sum of all totals, exactly."""
    total = Decimal(0)
    for start in range(0, len(rows), 1000):
        for text in rows.texts(range(start, min(start + 1000, len(rows)))):
            total += json.loads(text, parse_float=Decimal)["total"]
    return total


if __name__ == "__main__":
    main()
