"""Walks over the pages of one resource, once. Each walk ends at a proven end, or raises.

A walk takes its paging parameters from dlt's paginator, and where the paginator only counts (offset,
page number) it counts by what was received: a server may cap its pages in silence.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy, deepcopy
from functools import partial
from typing import Any

import requests
from dlt.common import jsonpath
from dlt.sources.helpers.rest_client.paginators import (
    BasePaginator,
    OffsetPaginator,
    RangePaginator,
)

from invoices_assets.extract.asking import Asker
from invoices_assets.extract.errors import ApiStatusError, BadAnswer, IncompleteSweep, NotFound
from invoices_assets.extract.links import walk_links
from invoices_assets.extract.page import Page, select, spelled
from invoices_assets.extract.prefetch import Prefetch
from invoices_assets.extract.tally import RecordsMoved, Tally

PAST_END = (400, 416, 422)
"""What some APIs answer, instead of an empty page, to an offset that is not below their total."""


def walk(
    asker: Asker, paginator: BasePaginator, request: requests.Request, tally: Tally, window: int
) -> Iterator[Page]:
    """Yields the pages that have records, in order.

    Parameters:
        asker: asks for pages.
        paginator: dlt's paginator as configured; it is left as it is.
        request: the request without paging parameters.
        tally: counts along; after the last page it can prove the pass.
        window: pages in flight together, for counted paging.

    Raises:
        IncompleteSweep: the end cannot be proven.
        RecordsMoved: the totals contradict each other, or the records received.
        RequestFailed: a page cannot be had.
    """
    if isinstance(paginator, RangePaginator):
        yield from _walk_range(_Range(asker, paginator, request), tally, window)
    else:
        yield from walk_links(asker, deepcopy(paginator), request, tally)


def first_page(asker: Asker, paginator: BasePaginator, request: requests.Request) -> Page:
    """The first page alone, as a walk would ask for it.

    Raises:
        RequestFailed: it cannot be had.
    """
    if isinstance(paginator, RangePaginator):
        return _Range(asker, paginator, request).page(paginator.initial_value)
    deepcopy(paginator).init_request(request)
    return asker.ask(request).page


class _Range:
    """Counted positions: an offset, or the number of a page."""

    def __init__(self, asker: Asker, paginator: RangePaginator, request: requests.Request) -> None:
        self.asker = asker
        self.paginator = paginator
        self.by_offset = isinstance(paginator, OffsetPaginator)
        self._request = request

    @property
    def parameter(self) -> str:
        return str(self.paginator.param_name or self.paginator.param_body_path)

    def page(self, position: int) -> Page:
        # requests allows its fields to be almost anything; here they are what `Asker.request` made
        request: Any = copy(self._request)
        request.params = dict(request.params)
        request.json = deepcopy(self._request.json)
        for name, body_path, value in self._values(position):
            if body_path:
                request.json = request.json or {}
                jsonpath.set_value_at_path(request.json, body_path, value)
            else:
                request.params[name] = value
        return self.asker.ask(request).page

    def position(self, tally: Tally) -> int:
        return self.paginator.initial_value + (tally.rows if self.by_offset else tally.pages)

    def next_positions(self, tally: Tally, received: int) -> Iterator[int]:
        """Where the next pages should be if they are as long as the last one."""
        step = received if self.by_offset else 1
        position = self.position(tally)
        rows_ahead = None if tally.total is None else tally.total - tally.rows
        while rows_ahead is None or rows_ahead > 0:
            yield position
            position += step
            rows_ahead = None if rows_ahead is None else rows_ahead - received

    def expected(self, tally: Tally) -> int | None:
        """How many records make the pass complete, or None where the API gives no total of records.

        dlt's `page_number` paginator reads a total of pages, while many APIs give one of records there.
        """
        total = tally.total
        return None if not self.by_offset and total == tally.pages else total

    def reached_end(self, page: Page, tally: Tally) -> bool:
        if self.paginator.maximum_value is not None and self.position(tally) >= self.paginator.maximum_value:
            return self._reached_maximum(tally)
        if self._says_no_more(page) and (tally.total is None or tally.rows >= tally.total):
            return True
        total = tally.total
        if total is None or tally.total_may_be_a_page_count:
            return False
        # Behind a full page one more request tells: some APIs cut their total off, at 10,000 for example.
        last_is_shorter = tally.sizes[1] < tally.sizes[0]
        if self.by_offset:
            return tally.rows > total or (tally.rows == total and last_is_shorter)
        return tally.pages == total or (tally.rows == total and last_is_shorter)

    def _reached_maximum(self, tally: Tally) -> bool:
        if tally.total is None or tally.total_may_be_a_page_count:
            raise IncompleteSweep(
                f"The source file ends the reading at the {self.paginator.param_name} "
                f"{self.paginator.maximum_value}, after {tally.rows} records, and nothing proves that these are all."
            )
        return True

    def may_go_on(self, tally: Tally) -> bool:
        """Whether an empty page contradicts what the API said of its total."""
        total = tally.total
        if total is None:
            return False
        return tally.rows < total if self.by_offset else tally.rows != total and tally.pages < total

    def _says_no_more(self, page: Page) -> bool:
        if self.paginator.has_more_path is None:
            return False
        try:
            return str(select(page.body, spelled(self.paginator.has_more_path))).lower() in (
                "false",
                "0",
                "no",
            )
        except KeyError:
            raise BadAnswer(f"the answer has no `{self.paginator.has_more_path}`") from None

    def _values(self, position: int) -> Iterator[tuple[str, str | None, int]]:
        yield str(self.paginator.param_name), self.paginator.param_body_path, position
        if isinstance(self.paginator, OffsetPaginator):
            yield str(self.paginator.limit_param), self.paginator.limit_body_path, self.paginator.limit


def _walk_range(steps: _Range, tally: Tally, window: int) -> Iterator[Page]:
    with Prefetch(steps.page, window) as prefetch:
        while True:
            position = steps.position(tally)
            page = _page_or_end(steps, prefetch, position, tally)
            if page is None:
                break
            tally.hear(page)
            if not page.outline and steps.may_go_on(tally):
                page = steps.asker.ask_until_filled(
                    partial(steps.page, position),
                    f"an empty page after {tally.rows} of {tally.total} records",
                )
                tally.hear(page)
            if not page.outline and tally.rows and tally.total is None:
                page = _page_or_end(steps, prefetch, position, tally) or page
            if not page.outline:
                if page.total == 0 and tally.total_may_be_a_page_count:
                    _check_that_first_page_stands(steps, tally)
                break
            if tally.is_repetition(page):
                _refuse_repetition(steps, page, tally)
                break
            tally.add(page)
            yield page
            if steps.reached_end(page, tally):
                break
            prefetch.expect(steps.next_positions(tally, len(page.outline)))
    tally.prove(steps.expected(tally))


def _page_or_end(steps: _Range, prefetch: Prefetch, position: int, tally: Tally) -> Page | None:
    try:
        return prefetch.take(position)
    except ApiStatusError as error:
        may_be_past_the_end = tally.pages > 0 and not steps.may_go_on(tally)
        at_total = tally.total is not None and not tally.total_may_be_a_page_count
        if may_be_past_the_end and (isinstance(error, NotFound) or (at_total and error.status in PAST_END)):
            return None
        if steps.asker.is_ignored(error):
            return None
        raise


def _check_that_first_page_stands(steps: _Range, tally: Tally) -> None:
    """Raises if the first page is another one by now.

    A total of 0 behind the only page is the count of that empty page, or all records were deleted meanwhile.
    """
    if not tally.is_repetition(steps.page(steps.paginator.initial_value)):
        raise RecordsMoved(f"the total went from {tally.total} to 0")


def _refuse_repetition(steps: _Range, page: Page, tally: Tally) -> None:
    """Raises unless the repetition itself proves the end.

    An API that answers its last page once more past the end is at its end where the total is reached, or
    where that page is shorter than the others.
    """
    if tally.rows == tally.total and (tally.pages > 1 or _is_position_heeded(steps, page, tally)):
        return
    if not tally.is_last_page_again(page):
        raise tally.repetition_error()


def _is_position_heeded(steps: _Range, page: Page, tally: Tally) -> bool:
    """Whether the only page came again because there is no other, and not because the offset is ignored.

    Its count may be that of one page of many, so one request shows whether an offset of one moves it by one.
    """
    if len(page.outline) == 1:
        return True
    if not steps.by_offset:
        return False
    moved = steps.page(steps.paginator.initial_value + 1).records
    return bool(moved) and tally.are_same(moved[0], page.records[1])
