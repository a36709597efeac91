"""Pages that are asked for by an offset."""

from __future__ import annotations

from collections.abc import Iterator

from dlt.sources.helpers.rest_client.paginators import OffsetPaginator

from invoices_assets.errors import ApiStatusError, IncompleteSweep, NotFound
from invoices_assets.extract.completeness import End
from invoices_assets.extract.page import Page
from invoices_assets.extract.pagination.counted import EMPTY, PAST_END, Counted, has_another_total, refused_behind_total
from invoices_assets.extract.pagination.prefetch import Prefetch
from invoices_assets.extract.pass_count import EndInDoubt, PassCount, RecordsMoved

_AGAIN = "though the last of them should have come again"


class Offset(Counted):
    """`?offset=200&limit=100`. Each page is asked for with the last record of the one before it.

    If that record is not the first of the page, something moved. The overlap also makes an empty page, and a status
    behind the last record, contradict what was shown before: past the end there is still that one record.
    """

    paginator_class = OffsetPaginator

    def pages(self, count: PassCount, window: int) -> Iterator[Page]:
        self._can_overlap = self.paginator.maximum_value is None
        yield from super().pages(count, window)
        self.sees_moves = self._can_overlap or count.pages < 2

    def position(self, count: PassCount) -> int:
        return int(self.paginator.initial_value) + count.rows - self._overlaps(count)

    def _overlaps(self, count: PassCount) -> bool:
        """Whether the next page is to begin with a record that came already; a page of one record would end there."""
        return self._can_overlap and count.pages > 0 and count.sizes[0] > 1

    def _values(self, position: int) -> Iterator[tuple[str, str | None, int]]:
        yield from super()._values(position)
        yield str(self.paginator.limit_param), self.paginator.limit_body_path, self.paginator.limit

    def _stride(self, count: PassCount) -> tuple[int, int]:
        new = max(1, count.sizes[1] - self._overlaps(count))
        return new, new

    def _lacks(self, count: PassCount) -> bool:
        return count.total is not None and count.rows < count.total

    def _total_is_reached(self, count: PassCount) -> End | None:
        total = count.total or 0
        if count.rows < total:
            return None
        if count.rows == total and total % self.paginator.limit == 0:
            return self._end_behind_round_total(count)
        is_last = count.rows > total or count.sizes[1] < count.sizes[0]
        return End(f"the API's total of {count.total} was reached") if is_last else None

    def _end_behind_round_total(self, count: PassCount) -> End:
        """Asks for what lies behind the total: some APIs cut theirs off, at 10,000 for example."""
        try:
            page = self.at(int(self.paginator.initial_value) + count.rows).get()
        except ApiStatusError as error:
            return refused_behind_total(error.status, count)
        count.note(page)
        if page.outline and not all(count.known(page)):
            raise RecordsMoved(f"the API says {count.total} records, and there are more behind them")
        return EMPTY

    def _contradiction(self, count: PassCount, came: Page | ApiStatusError) -> str | None:
        doubt = super()._contradiction(count, came)
        if doubt or not self._overlaps(count):
            return doubt
        if isinstance(came, NotFound):
            return f"{came}, after {count.rows} records, {_AGAIN}"
        if isinstance(came, ApiStatusError) or has_another_total(came, count):
            return None
        if not came.outline:
            return f"an empty page after {count.rows} records, {_AGAIN} (does `{self.parameter}` count pages?)"
        is_last_alone = len(came.outline) == 1 and count.begins_with_the_last(came)
        if is_last_alone and (self._lacks(count) or self.says_more(came)):
            so_far = count.of_total if self._lacks(count) else f"{count.rows} records"
            return f"no new record after {so_far}, though the API says that there is more"
        return None

    def _end_in_doubt(self, doubted: list[Page | ApiStatusError], error: IncompleteSweep, count: PassCount) -> End:
        came = doubted[0]
        if self._overlaps(count) and count.total is None and isinstance(came, Page) and not self.says_more(came):
            raise EndInDoubt(str(error)) from None
        raise error

    def _next(self, prefetch: Prefetch, count: PassCount) -> Page | None:
        page = super()._next(prefetch, count)
        overlaps = self._overlaps(count)
        if page is None or not overlaps:
            return page
        if not count.begins_with_the_last(page):
            raise RecordsMoved(f"the record at {self.parameter} {self.position(count)} is another one than before")
        page = page.without_first()
        if page.outline:
            return page
        self.end = self._total_is_reached(count) if count.total else None
        self.end = self.end or End("behind the last record no other one came")
        return None

    def _end_by(self, error: ApiStatusError, count: PassCount) -> End | None:
        if self._overlaps(count) and error.status in PAST_END:
            self._can_overlap = False  # some APIs take multiples of the limit only
            return None
        return super()._end_by(error, count)

    def _end_by_nothing(self, page: Page, count: PassCount) -> End:
        if self._overlaps(count):
            raise RecordsMoved(f"an empty page came after {count.rows} records")
        return super()._end_by_nothing(page, count)

    def _end_by_repetition(self, page: Page, count: PassCount) -> End | None:
        if self._overlaps(count) and count.pages == 1:
            self._can_overlap = False  # some APIs round down to a multiple of the limit
            return None
        return super()._end_by_repetition(page, count)
