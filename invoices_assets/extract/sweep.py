"""A sweep: passes over a resource until one of them proves to be everything that the API has."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import requests

from invoices_assets.errors import IncompleteSweep, NotFound
from invoices_assets.extract.claims import names_pages
from invoices_assets.extract.completeness import believe_end, misfits_of
from invoices_assets.extract.endpoint import Endpoint
from invoices_assets.extract.id_count import IdCount
from invoices_assets.extract.page import Page
from invoices_assets.extract.pagination.style import Style
from invoices_assets.extract.pagination.walk import walk_of
from invoices_assets.extract.partition import DateWindow, OutsideCount
from invoices_assets.extract.pass_count import EndInDoubt, PassCount, RecordsMoved
from invoices_assets.extract.reading import reading_of
from invoices_assets.extract.watermark import Watermark
from invoices_assets.source.resource import ResourceSpec

PASSES = 5
"""How often a resource is read anew while its records move, before the run gives up."""

UNSEEN_MOVES = "its pages cannot overlap, so a move of records while they are read that keeps the total cannot be seen"
PAGE_SIZES = ("limit", "per_page", "perpage", "page_size", "pagesize", "size", "take", "top", "first", "rows")
"""Parameters that ask for the size of a page, in lower case and without `$` and `_` in front."""

_log = logging.getLogger("invoices_assets")


class Sink(Protocol):
    """Takes the records of a pass."""

    def start_over(self) -> None:
        """Forgets what came so far: the pass is read anew."""

    def add(self, page: Page) -> None:
        """Takes the records of one page."""


class Kept:
    """A sink that keeps the pages."""

    def __init__(self) -> None:
        self.pages: list[Page] = []

    def start_over(self) -> None:
        self.pages.clear()

    def add(self, page: Page) -> None:
        self.pages.append(page)


@dataclass(frozen=True)
class SweepRequest:
    """What of a resource is asked for.

    Parameters:
        start: where the cursor starts, in the API's notation; None for everything.
        dates: the stretch of time to ask for; None for all of it.
        limit: stop after about this many records; the sweep then is not complete.
        confirm: what is missing will be marked as deleted, so where a pass cannot see every move, a second one has to
            bring the same records.
        parent_values: values of `{resources.…}` placeholders.
        passes: how often the resource is read anew while its records move, before the run gives up.
        folder: for what does not stay in memory; None for the system's temporary place.
    """

    start: Any = None
    dates: DateWindow | None = None
    limit: int | None = None
    confirm: bool = False
    parent_values: Mapping[str, Any] | None = None
    passes: int = PASSES
    folder: Path | None = None


EVERYTHING = SweepRequest()


@dataclass
class SweepResult:
    """What a sweep brought.

    Parameters:
        rows: records received in the pass that counted.
        distinct: distinct records among them.
        pages: pages with new records in that pass.
        passes: passes that were needed.
        total: the API's total of records; None where it gives none.
        complete: whether the pass was read to its end; False for a trial with a limit.
        proven: whether something proves that nothing lies behind that end.
        end: what proves it, or why nothing does, in a sentence.
        remarks: what the sweep could not see.
        misfits: what of the source file's paging does not fit the answers.
        seconds: wall time.
        cursor: what was read of the change stamps.
        outside: records outside of the date window that was asked for.
        is_unmodified: the API answered 304, that nothing changed, instead of showing records.
    """

    rows: int = 0
    distinct: int = 0
    pages: int = 0
    passes: int = 0
    total: int | None = None
    complete: bool = False
    proven: bool = False
    end: str = ""
    remarks: list[str] = field(default_factory=list)
    misfits: list[str] = field(default_factory=list)
    seconds: float = 0.0
    cursor: Watermark | None = field(default=None, repr=False)
    outside: int = 0
    is_unmodified: bool = False


Progress = Callable[[PassCount, float], None]
"""Called after each page with the running count and the seconds since the sweep began."""


def sweep(
    spec: ResourceSpec,
    endpoint: Endpoint,
    sink: Sink,
    asked: SweepRequest = EVERYTHING,
    *,
    window: int = 8,
    progress: Progress | None = None,
) -> SweepResult:
    """Reads a resource until a pass adds up.

    Parameters:
        endpoint: asks for its pages.
        sink: gets the records, page by page; after an error it holds an unfinished pass.
        window: pages in flight together, for counted paging.
        progress: told after each page.

    Raises:
        IncompleteSweep: no pass added up.
        RequestFailed: a page cannot be had.
        WarehouseUnusable: the folder cannot be written.
    """
    began = time.monotonic()
    request = endpoint.request(asked.start, asked.parent_values, asked.dates)
    counts: list[PassCount] = []
    moved = ""
    with ExitStack() as stack:
        while len(counts) < asked.passes:
            ids = [stack.enter_context(IdCount(asked.folder)) for _ in ("records", "tombstones")]
            one = _Pass(spec, asked, walk_of(endpoint, spec.paginator, request), request, ids)
            sink.start_over()
            try:
                for page in one.pages(window):
                    sink.add(page)
                    if progress is not None:
                        progress(one.count, time.monotonic() - began)
                return replace(one.result(counts), passes=len(counts) + 1, seconds=time.monotonic() - began)
            except RecordsMoved as error:
                if isinstance(error, EndInDoubt) and str(error) == moved:
                    raise IncompleteSweep(moved) from None
                counts, moved = [*counts, one.count], str(error)
                _log.warning("%s: pass %d of %d is not the last: %s", spec.name, len(counts), asked.passes, moved)
    raise IncompleteSweep(
        f"No pass over `{spec.name}` added up in {asked.passes} attempts: {moved}. Its records move while they are "
        "read, or its pages overlap: give a stable sort in `params`, if the API has one."
    )


class _Pass:
    """One walk over the pages, and what is read of them on the way."""

    def __init__(
        self, spec: ResourceSpec, asked: SweepRequest, walk: Style, request: requests.Request, ids: Sequence[IdCount]
    ) -> None:
        self._spec, self._asked, self._walk = spec, asked, walk
        self._cursor, self._moments = Watermark(spec, asked.start), OutsideCount(spec, asked.dates)
        reading = reading_of(spec, changes_come_again=walk.shows_changes_again)
        records, tombstones = ids
        size, of_pages = page_size(spec, request), names_pages(spec.total_path)
        self.count = PassCount(reading, walk.parameter, records, tombstones, size, of_pages)

    def pages(self, window: int) -> Iterator[Page]:
        """The pages with new records, up to the end or to the limit."""
        limit = self._asked.limit
        try:
            for page in self._walk.pages(self.count, window):
                self._cursor.read(page.outline)
                self._moments.read(page.outline)
                yield page
                if limit is not None and self.count.rows >= limit:
                    return
        except NotFound as error:
            if self.count.pages:
                raise
            hint = (
                f"is `path: {self._spec.path}` right, and may the key see it? Some APIs say 404 to a key without rights"
            )
            raise NotFound(error.status, f"{error} ({hint})") from None

    def result(self, before: Sequence[PassCount]) -> SweepResult:
        """What the pass brought.

        Parameters:
            before: the passes that did not count.

        Raises:
            IncompleteSweep, RecordsMoved: its end is not to be believed.
        """
        count, walk = self.count, self._walk
        result = SweepResult(
            rows=count.rows,
            distinct=count.distinct,
            pages=count.pages,
            total=walk.expected(count) if count.total_is_of_records else None,
            end="the reading stopped at the limit of a trial",
            cursor=self._cursor,
            outside=self._moments.outside,
            is_unmodified=count.is_unmodified,
        )
        most = max((other.rows for other in before), default=0)
        if most and not count.rows:
            raise RecordsMoved(f"no record came, after {most} in a pass before")
        if walk.end is None or (self._asked.limit is not None and count.rows >= self._asked.limit):
            return result
        end = believe_end(count, walk.end, walk.expected(count), is_one_page=walk.is_one_page)
        result.complete, result.proven, result.end = True, bool(end.proven), end.sentence
        result.misfits = misfits_of(count, walk.end, is_one_page=walk.is_one_page) if end.proven else []
        if self._spec.total_path is not None and count.told is None and count.rows:
            result.remarks.append(
                f"no answer has a total at `total_path: {self._spec.total_path}`; write null if there is none"
            )
        if not walk.sees_moves and not self._asked.confirm:
            result.remarks.append(UNSEEN_MOVES)
        elif not walk.sees_moves and not (before and count.has_same_records(before[-1])):
            raise RecordsMoved("its pages cannot overlap, and only a second pass that agrees shows which are gone")
        return result


def page_size(spec: ResourceSpec, request: requests.Request) -> int | None:
    """How many records a page is asked to have, if that can be told."""
    limit = getattr(spec.paginator, "limit", None)
    if limit is not None:
        return int(limit)
    params: Any = request.params
    sent: dict[str, Any] = {**(request.json if isinstance(request.json, dict) else {}), **params}
    for name, value in sent.items():
        if name.lower().lstrip("$_").rpartition("[")[2].rstrip("]") in PAGE_SIZES and str(value).isdecimal():
            return int(value)
    return None
