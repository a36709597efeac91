"""A sweep: passes over a resource until one of them proves to be everything that the API has."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from invoices_assets.errors import IncompleteSweep
from invoices_assets.extract.completeness import PassCount, RecordsMoved
from invoices_assets.extract.endpoint import Endpoint
from invoices_assets.extract.page import Page
from invoices_assets.extract.pagination.walk import walk
from invoices_assets.extract.partition import DateReader, DateWindow
from invoices_assets.extract.watermark import Watermark
from invoices_assets.source.record_key import keys_of
from invoices_assets.source.resource import ResourceSpec

PASSES = 5
"""How often a resource is read anew while its records move, before the run gives up."""

_log = logging.getLogger("invoices_assets")


class Sink(Protocol):
    """Takes the records of a pass."""

    def start_over(self) -> None:
        """Forgets what came so far: the pass is read anew."""

    def add(self, page: Page) -> None:
        """Takes the records of one page."""


@dataclass
class SweepResult:
    """What a sweep brought.

    Parameters:
        rows: records received in the pass that counted.
        distinct: distinct records among them.
        pages: pages with records in that pass.
        passes: passes that were needed.
        total: the API's total; None where it gives none.
        complete: whether the pass was read to its proven end; False for a trial with a limit.
        seconds: wall time.
        cursor: what was read of the change stamps.
        outside: records outside of the date window that was asked for.
    """

    rows: int = 0
    distinct: int = 0
    pages: int = 0
    passes: int = 0
    total: int | None = None
    complete: bool = False
    seconds: float = 0.0
    cursor: Watermark | None = field(default=None, repr=False)
    outside: int = 0


Progress = Callable[[PassCount, float], None]
"""Called after each page with the running count and the seconds since the sweep began."""


def sweep(
    spec: ResourceSpec,
    endpoint: Endpoint,
    sink: Sink,
    *,
    start: Any = None,
    dates: DateWindow | None = None,
    window: int = 8,
    limit: int | None = None,
    progress: Progress | None = None,
    parent_values: dict[str, Any] | None = None,
) -> SweepResult:
    """Reads a resource until a pass adds up.

    Parameters:
        spec: the resource.
        endpoint: asks for its pages.
        sink: gets the records, page by page; after an error it holds an unfinished pass.
        start: where the cursor starts, in the API's notation; None for everything.
        dates: the stretch of time to ask for; None for all of it.
        window: pages in flight together, for counted paging.
        limit: stop after about this many records; the sweep then is not complete.
        progress: told after each page.
        parent_values: values of `{resources.…}` placeholders.

    Raises:
        IncompleteSweep: no pass added up.
        RequestFailed: a page cannot be had.
    """
    began = time.monotonic()
    identities = keys_of(spec)
    position = getattr(spec.paginator, "param_name", None) or "the page's position"
    request = endpoint.request(start, parent_values, dates)
    moved = ""
    for number in range(1, PASSES + 1):
        count = PassCount(identities, position)
        cursor, moments = Watermark(spec, start), DateReader(spec, dates)
        sink.start_over()
        try:
            for page in walk(endpoint, spec.paginator, request, count, window):
                cursor.read(page.outline)
                moments.read(page.outline)
                sink.add(page)
                if progress is not None:
                    progress(count, time.monotonic() - began)
                if limit is not None and count.rows >= limit:
                    break
            return SweepResult(
                rows=count.rows,
                distinct=count.distinct,
                pages=count.pages,
                passes=number,
                total=count.total,
                complete=limit is None or count.rows < limit,
                seconds=time.monotonic() - began,
                cursor=cursor,
                outside=moments.outside,
            )
        except RecordsMoved as error:
            moved = str(error)
            _log.warning("%s: records moved during pass %d of %d: %s", spec.name, number, PASSES, moved)
    raise IncompleteSweep(
        f"No pass over `{spec.name}` added up in {PASSES} attempts: {moved}. Its records move while they are "
        "read, or its pages overlap: give a stable sort in `params`, if the API has one."
    )
