"""A sweep: passes over a resource until one of them proves to be everything that the API has."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from invoices_assets.extract.asking import Asker
from invoices_assets.extract.cursor import CursorReader
from invoices_assets.extract.dates import DateReader, DateWindow
from invoices_assets.extract.errors import IncompleteSweep
from invoices_assets.extract.page import Page
from invoices_assets.extract.paging import walk
from invoices_assets.extract.source import ResourceSpec
from invoices_assets.extract.tally import RecordsMoved, Tally, identities_of

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
class Swept:
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
    cursor: CursorReader | None = field(default=None, repr=False)
    outside: int = 0


Progress = Callable[[Tally, float], None]
"""Called after each page with the running count and the seconds since the sweep began."""


def sweep(
    spec: ResourceSpec,
    asker: Asker,
    sink: Sink,
    *,
    start: Any = None,
    dates: DateWindow | None = None,
    window: int = 8,
    limit: int | None = None,
    progress: Progress | None = None,
    parent_values: dict[str, Any] | None = None,
) -> Swept:
    """Reads a resource until a pass adds up.

    Parameters:
        spec: the resource.
        asker: asks for its pages.
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
    identities = identities_of(spec.key_fields)
    position = getattr(spec.paginator, "param_name", None) or "the page's position"
    request = asker.request(start, parent_values, dates)
    moved = ""
    for number in range(1, PASSES + 1):
        tally = Tally(identities, position)
        cursor, moments = CursorReader(spec, start), DateReader(spec, dates)
        sink.start_over()
        try:
            for page in walk(asker, spec.paginator, request, tally, window):
                cursor.read(page.outline)
                moments.read(page.outline)
                sink.add(page)
                if progress is not None:
                    progress(tally, time.monotonic() - began)
                if limit is not None and tally.rows >= limit:
                    break
            return Swept(
                rows=tally.rows,
                distinct=tally.distinct,
                pages=tally.pages,
                passes=number,
                total=tally.total,
                complete=limit is None or tally.rows < limit,
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
