"""Pages that are counted: by an offset, or by their number.

The stride follows what was received and not what was asked for: a server may cap its pages in silence.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

from dlt.common import jsonpath

from invoices_assets.errors import ApiStatusError, IncompleteSweep, NotFound
from invoices_assets.extract.completeness import End
from invoices_assets.extract.endpoint import PageRequest
from invoices_assets.extract.page import Page
from invoices_assets.extract.pagination.prefetch import Prefetch
from invoices_assets.extract.pagination.style import IGNORED, Style
from invoices_assets.extract.pass_count import PassCount, RecordsMoved
from invoices_assets.source.values.paths import spelled

PAST_END = (400, 416, 422)
"""What some APIs answer, instead of an empty page, to an offset that is not below their total."""

EMPTY = End("an empty page came behind the last record")


class Counted(Style):
    """Pages at positions that can be computed, so that several may be under way."""

    def first(self) -> PageRequest:
        return self.at(self.paginator.initial_value)

    def at(self, position: int) -> PageRequest:
        """The page at a position, to be had."""
        request = self._copy_of_request()
        for name, body_path, value in self._values(position):
            if body_path:
                request.json = request.json or {}
                jsonpath.set_value_at_path(request.json, body_path, value)
            else:
                request.params[name] = value
        return self.endpoint.page(request)

    def pages(self, count: PassCount, window: int) -> Iterator[Page]:
        self._asked_again = -1
        with Prefetch(self.at, window) as prefetch:
            while self.end is None:
                page = self._next(prefetch, count)
                if page is None:
                    continue
                count.add(page)
                yield page
                self.end = self._end_behind(page, count)
                if self.end is None:
                    prefetch.expect(self._positions(count))

    @abstractmethod
    def position(self, count: PassCount) -> int:
        """Where the next page is."""

    @abstractmethod
    def _stride(self, count: PassCount) -> tuple[int, int]:
        """How far the page behind the next one is from it, and how many new records the next one has.

        Both if pages stay as long as the last one.
        """

    @abstractmethod
    def _lacks(self, count: PassCount) -> bool:
        """Whether the API's total says that there is more."""

    @abstractmethod
    def _total_is_reached(self, count: PassCount) -> End | None:
        """The end, where the API's total says so."""

    def _values(self, position: int) -> Iterator[tuple[str, str | None, int]]:
        yield str(self.paginator.param_name), self.paginator.param_body_path, position

    def _positions(self, count: PassCount) -> Iterator[int]:
        position = self.position(count)
        stride, rows = self._stride(count)
        ahead = None if count.total is None else count.total - count.rows
        while ahead is None or ahead > 0:
            yield position
            position += stride
            ahead = None if ahead is None else ahead - rows

    def _next(self, prefetch: Prefetch, count: PassCount) -> Page | None:
        """The next page that has new records; None where there was none, or another position is to be tried."""
        doubted: list[Page | ApiStatusError] = []

        def contradiction(came: Page | ApiStatusError) -> str | None:
            is_ignored = isinstance(came, ApiStatusError) and self.endpoint.is_ignored(came)
            doubt = None if is_ignored else self._contradiction(count, came)
            doubted[:] = [came] if doubt else []
            return doubt

        try:
            page = prefetch.take(self.position(count)).get(contradiction)
        except ApiStatusError as error:
            self.end = IGNORED if self.endpoint.is_ignored(error) else self._end_by(error, count)
            return None
        except IncompleteSweep as error:
            self.end = self._end_in_doubt(doubted, error, count)
            return None
        if page.outline and count.is_repetition(page):
            self.end = self._end_by_repetition(page, count)
            return None
        count.note(page)
        if not page.outline:
            self.end = self._end_by_nothing(page, count)
            return None
        return page

    def _contradiction(self, count: PassCount, came: Page | ApiStatusError) -> str | None:
        """Why the next page cannot be what it seems, so that it is asked for again."""
        if isinstance(came, Page) and (came.outline or has_another_total(came, count)):
            return None
        # counts all ids so far, which is for a doubt and not for each page
        is_short = self._lacks(count)
        so_far = count.of_total if is_short else f"{count.rows} records"
        if isinstance(came, Page) and not count.pages and came.total:
            so_far, is_short = f"0 of {came.total} records", True
        if isinstance(came, ApiStatusError):
            if not isinstance(came, NotFound) or not count.pages:
                return None
            if is_short or self._is_behind_full_page(count):
                return f"{came}, after {so_far}"
            return self._once_more(count, came)
        if is_short or self.says_more(came) or (came.shape == "null" and self._is_behind_full_page(count)):
            more = came.claims.more
            said = f", and `{more[0]}` says that there is more" if more and more[1] else ""
            return f"an empty page after {so_far}{said}"
        return self._once_more(count, came)

    def _once_more(self, count: PassCount, came: Page | ApiStatusError) -> str | None:
        """Why an end that no total confirms is asked for again: one answer alone may be a fault that goes away."""
        if not count.rows or count.total is not None or self._asked_again == count.pages:
            return None
        self._asked_again = count.pages
        return f"{came if isinstance(came, ApiStatusError) else 'an empty page'} after {count.rows} records"

    def _end_in_doubt(self, doubted: list[Page | ApiStatusError], error: IncompleteSweep, count: PassCount) -> End:
        """The end that is left where a doubted answer came as often as it may be asked for; most are none."""
        raise error

    def _is_behind_full_page(self, count: PassCount) -> bool:
        return count.pages > 0 and count.total is None and not count.last_is_short

    def _end_by(self, error: ApiStatusError, count: PassCount) -> End | None:
        """The end that a status is; None where another position is to be tried.

        Raises:
            ApiStatusError: it is none.
        """
        has_total = count.total is not None and not count.total_may_be_a_page_count
        if not count.pages or self._lacks(count):
            raise error
        if has_total and (isinstance(error, NotFound) or error.status in PAST_END):
            return refused_behind_total(error.status, count)
        if isinstance(error, NotFound):
            return End(f"the API answered {error.status} behind a page that was not full")
        raise error

    def _end_by_nothing(self, page: Page, count: PassCount) -> End:
        if page.total == 0 and count.total_may_be_a_page_count:
            self._check_that_first_page_stands(count)
        return EMPTY

    def _check_that_first_page_stands(self, count: PassCount) -> None:
        """Raises if the first page is another one by now.

        A total of 0 behind the only page is the count of that empty page, or all records were deleted meanwhile.
        """
        if not count.is_repetition(self.first().get()):
            raise RecordsMoved(f"the total went from {count.total} to 0")

    def _end_by_repetition(self, page: Page, count: PassCount) -> End | None:
        """The end that a repetition proves: of an API that answers its last page once more past the end.

        Raises:
            IncompleteSweep: it proves none.
            RecordsMoved: it has another total than the pages before.
        """
        if has_another_total(page, count):
            raise RecordsMoved(f"the total went from {count.total} to {page.total}")
        if count.rows == count.total and (count.pages > 1 or len(page.outline) == 1):
            return End("the last page came again, with the API's total reached")
        if count.is_last_page_again(page):
            return End("the last page came again, shorter than the others")
        raise count.repetition_error()

    def _end_behind(self, page: Page, count: PassCount) -> End | None:
        maximum = self.paginator.maximum_value
        if maximum is not None and self.position(count) >= maximum:
            if count.total is None or count.total_may_be_a_page_count:
                raise IncompleteSweep(
                    f"The source file ends the reading at the {self.paginator.param_name} {maximum}, after "
                    f"{count.rows} records, and nothing proves that these are all."
                )
            return End("the source file ends the reading here")
        reached = count.total is None or count.rows >= count.total
        if self.paginator.has_more_path is not None and self.says_more(page) is False and reached:
            return End(f"`{spelled(self.paginator.has_more_path)}` says that there is no more")
        if count.total is None or count.total_may_be_a_page_count:
            return None
        return self._total_is_reached(count)


def has_another_total(page: Page, count: PassCount) -> bool:
    """Whether a page without new records has another total than those before, so that something moved."""
    return bool(page.total) and count.total is not None and page.total != count.total


def refused_behind_total(status: int, count: PassCount) -> End:
    """A window of results looks like this: no total above so many, and no record behind them."""
    why = f"the API refuses ({status}) to be asked for what lies behind its total of {count.total}, as one does that"
    return End(f"{why} shows no more than so many", proven=False)
