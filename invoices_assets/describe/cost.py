"""What a full load will cost."""

from __future__ import annotations

from math import ceil

from invoices_assets.describe.evidence import Evidence
from invoices_assets.describe.finding import Finding, ok, unproven
from invoices_assets.extract.api import Api
from invoices_assets.extract.pagination.counted import Counted
from invoices_assets.extract.pagination.walk import walk_of


def on_cost(seen: Evidence, api: Api) -> Finding:
    """Requests and time of a sweep of everything, by the first answer and the budget."""
    size = len(seen.first.outline)
    total = _records(seen)
    if not size or total is None:
        return unproven(
            "cost", f"No answer says how many records there are, so it is not known. One takes {seen.seconds:.1f} s."
        )
    requests = ceil(total / size) + 1
    in_flight = api.window if _is_counted(seen) else 1
    seconds = requests * seen.seconds / in_flight
    if api.requests_per_second:
        seconds = max(seconds, requests / api.requests_per_second)
    return ok("cost", f"A full load of {total:,} records is about {requests:,} requests, {_duration(seconds)}.")


def _records(seen: Evidence) -> int | None:
    if seen.swept is not None and (seen.swept.complete or seen.swept.total is not None):
        return seen.swept.distinct if seen.swept.complete else seen.swept.total
    claims = seen.first.claims
    if claims.total is not None and claims.total[1] > len(seen.first.outline):
        return claims.total[1]
    return claims.pages[1] * len(seen.first.outline) if claims.pages is not None else None


def _is_counted(seen: Evidence) -> bool:
    asking = seen.asking
    request = asking.endpoint.request(None, asking.parent_values)
    return isinstance(walk_of(asking.endpoint, seen.spec.paginator, request), Counted)


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{max(1, round(seconds))} s"
