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
    OffsetPaginator,
    RangePaginator,
)

from invoices_assets.errors import ApiStatusError, BadAnswer, IncompleteSweep, NotFound
from invoices_assets.extract.completeness import PassCount, RecordsMoved
from invoices_assets.extract.endpoint import Endpoint
from invoices_assets.extract.page import Page
from invoices_assets.extract.pagination.prefetch import Prefetch
from invoices_assets.source.paths import select, spelled

PAST_END = (400, 416, 422)
"""What some APIs answer, instead of an empty page, to an offset that is not below their total."""


class _Range:
    """Counted positions: an offset, or the number of a page."""

    def __init__(self, endpoint: Endpoint, paginator: RangePaginator, request: requests.Request) -> None:
        self.endpoint = endpoint
        self.paginator = paginator
        self.by_offset = isinstance(paginator, OffsetPaginator)
        self._request = request

    @property
    def parameter(self) -> str:
        return str(self.paginator.param_name or self.paginator.param_body_path)

    def page(self, position: int) -> Page:
        # requests allows its fields to be almost anything; here they are what `Endpoint.request` made
        request: Any = copy(self._request)
        request.params = dict(request.params)
        request.json = deepcopy(self._request.json)
        for name, body_path, value in self._values(position):
            if body_path:
                request.json = request.json or {}
                jsonpath.set_value_at_path(request.json, body_path, value)
            else:
                request.params[name] = value
        return self.endpoint.get_page(request).page

    def position(self, count: PassCount) -> int:
        return self.paginator.initial_value + (count.rows if self.by_offset else count.pages)

    def next_positions(self, count: PassCount, received: int) -> Iterator[int]:
        """Where the next pages should be if they are as long as the last one."""
        step = received if self.by_offset else 1
        position = self.position(count)
        rows_ahead = None if count.total is None else count.total - count.rows
        while rows_ahead is None or rows_ahead > 0:
            yield position
            position += step
            rows_ahead = None if rows_ahead is None else rows_ahead - received

    def expected(self, count: PassCount) -> int | None:
        """How many records make the pass complete, or None where the API gives no total of records.

        dlt's `page_number` paginator reads a total of pages, while many APIs give one of records there.
        """
        total = count.total
        return None if not self.by_offset and total == count.pages else total

    def reached_end(self, page: Page, count: PassCount) -> bool:
        if self.paginator.maximum_value is not None and self.position(count) >= self.paginator.maximum_value:
            return self._reached_maximum(count)
        if self._says_no_more(page) and (count.total is None or count.rows >= count.total):
            return True
        total = count.total
        if total is None or count.total_may_be_a_page_count:
            return False
        # Behind a full page one more request tells: some APIs cut their total off, at 10,000 for example.
        last_is_shorter = count.sizes[1] < count.sizes[0]
        if self.by_offset:
            return count.rows > total or (count.rows == total and last_is_shorter)
        return count.pages == total or (count.rows == total and last_is_shorter)

    def _reached_maximum(self, count: PassCount) -> bool:
        if count.total is None or count.total_may_be_a_page_count:
            raise IncompleteSweep(
                f"The source file ends the reading at the {self.paginator.param_name} "
                f"{self.paginator.maximum_value}, after {count.rows} records, and nothing proves that these are all."
            )
        return True

    def may_go_on(self, count: PassCount) -> bool:
        """Whether an empty page contradicts what the API said of its total."""
        total = count.total
        if total is None:
            return False
        return count.rows < total if self.by_offset else count.rows != total and count.pages < total

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


def _walk_range(steps: _Range, count: PassCount, window: int) -> Iterator[Page]:
    with Prefetch(steps.page, window) as prefetch:
        while True:
            position = steps.position(count)
            page = _page_or_end(steps, prefetch, position, count)
            if page is None:
                break
            count.note_total(page)
            if not page.outline and steps.may_go_on(count):
                page = steps.endpoint.get_filled_page(
                    partial(steps.page, position),
                    f"an empty page after {count.rows} of {count.total} records",
                )
                count.note_total(page)
            if not page.outline and count.rows and count.total is None:
                page = _page_or_end(steps, prefetch, position, count) or page
            if not page.outline:
                if page.total == 0 and count.total_may_be_a_page_count:
                    _check_that_first_page_stands(steps, count)
                break
            if count.is_repetition(page):
                _refuse_repetition(steps, page, count)
                break
            count.add(page)
            yield page
            if steps.reached_end(page, count):
                break
            prefetch.expect(steps.next_positions(count, len(page.outline)))
    count.prove(steps.expected(count))


def _page_or_end(steps: _Range, prefetch: Prefetch, position: int, count: PassCount) -> Page | None:
    try:
        return prefetch.take(position)
    except ApiStatusError as error:
        may_be_past_the_end = count.pages > 0 and not steps.may_go_on(count)
        at_total = count.total is not None and not count.total_may_be_a_page_count
        if may_be_past_the_end and (isinstance(error, NotFound) or (at_total and error.status in PAST_END)):
            return None
        if steps.endpoint.is_ignored(error):
            return None
        raise


def _check_that_first_page_stands(steps: _Range, count: PassCount) -> None:
    """Raises if the first page is another one by now.

    A total of 0 behind the only page is the count of that empty page, or all records were deleted meanwhile.
    """
    if not count.is_repetition(steps.page(steps.paginator.initial_value)):
        raise RecordsMoved(f"the total went from {count.total} to 0")


def _refuse_repetition(steps: _Range, page: Page, count: PassCount) -> None:
    """Raises unless the repetition itself proves the end.

    An API that answers its last page once more past the end is at its end where the total is reached, or
    where that page is shorter than the others.
    """
    if count.rows == count.total and (count.pages > 1 or _is_position_heeded(steps, page, count)):
        return
    if not count.is_last_page_again(page):
        raise count.repetition_error()


def _is_position_heeded(steps: _Range, page: Page, count: PassCount) -> bool:
    """Whether the only page came again because there is no other, and not because the offset is ignored.

    Its count may be that of one page of many, so one request shows whether an offset of one moves it by one.
    """
    if len(page.outline) == 1:
        return True
    if not steps.by_offset:
        return False
    moved = steps.page(steps.paginator.initial_value + 1).records
    return bool(moved) and count.are_same(moved[0], page.records[1])
