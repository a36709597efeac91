"""Which failures are worth asking again, how often, and how long to wait in between."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

import requests

from invoices_assets.errors import PASSING_STATUSES, ApiStatusError, ExtractError

_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?")


@dataclass(frozen=True)
class RetryPolicy:
    """When to ask again.

    Parameters:
        retries: how often at most, after the first attempt.
        factor: the first wait in seconds; each further one is twice as long (2, 4, 8).
        statuses: the HTTP statuses that may go away; every other one fails at once.
        longest_wait: seconds; an API that asks for a longer wait (`Retry-After`) fails the request at once.
    """

    retries: int = 3
    factor: float = 2.0
    statuses: frozenset[int] = PASSING_STATUSES
    longest_wait: float = 600.0

    @property
    def attempts(self) -> int:
        """How often a request is sent at most."""
        return self.retries + 1

    def wait(self, failures: int, retry_after: float | None) -> float:
        """Seconds to wait after so many failed attempts; a longer `Retry-After` is honoured."""
        return max(min(self.factor * 2.0 ** (failures - 1), self.longest_wait), retry_after or 0.0)


DEFAULT_POLICY = RetryPolicy()


@dataclass(frozen=True)
class AttemptResult:
    """How one attempt ended: with a response, with an error that is final, or with a reason to ask again.

    Failures travel as values and not as exceptions, so that no traceback holds the request with its key.

    Parameters:
        response: a success.
        error: to be raised at once.
        reason: why to ask again, for example `503 Service Unavailable` or `connection refused`.
        status: the HTTP status, where there was an answer.
        unreachable: whether not even a connection was made.
        retry_after: seconds that the API asks to wait.
        doubt: what to raise for the reason when the attempts are used up; None for a failure of the exchange.
    """

    response: requests.Response | None = None
    error: ExtractError | None = None
    reason: str = ""
    status: int | None = None
    unreachable: bool = False
    retry_after: float | None = None
    doubt: ExtractError | None = None

    @property
    def throttled(self) -> bool:
        """Whether the API is too busy for any request, not only for this one."""
        return self.status == 429 or (self.status == 503 and self.retry_after is not None)


Check = Callable[[requests.Response | ApiStatusError], ExtractError | None]
"""Looks at a success, or at a status that is none, and says why it cannot be what it seems; None if it can."""


@dataclass
class Attempts:
    """What one answer has cost so far, kept by whoever may have to ask for it again.

    Parameters:
        count: attempts made.
        last: how the last one ended; None before the first.
    """

    count: int = 0
    last: AttemptResult | None = None


def retry_after_seconds(header: str | None, now: float) -> float | None:
    """Seconds of a `Retry-After` header (RFC 9110, section 10.2.3), or None where it asks for no wait.

    Parameters:
        header: seconds, with or without a fraction, or an HTTP date.
        now: seconds since the epoch.
    """
    if header is None:
        return None
    header = header.strip()
    if _SECONDS.fullmatch(header):
        return float(header) or None
    try:
        date = parsedate_to_datetime(header)
        if date.tzinfo is None:
            date = date.replace(tzinfo=UTC)
        seconds = date.timestamp() - now
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return seconds if seconds > 0 else None
