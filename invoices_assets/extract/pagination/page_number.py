"""Pages that are asked for by their number."""

from __future__ import annotations

from collections.abc import Iterator

from dlt.sources.helpers.rest_client.paginators import PageNumberPaginator

from invoices_assets.errors import ApiStatusError, IncompleteSweep, KeyRefused, NotFound, RequestFailed
from invoices_assets.extract.completeness import End
from invoices_assets.extract.page import Page
from invoices_assets.extract.pagination.counted import Counted
from invoices_assets.extract.pass_count import PassCount


class PageNumber(Counted):
    """`?page=3`. Pages cannot overlap, so that a move of records that keeps the total cannot be seen."""

    paginator_class = PageNumberPaginator

    def pages(self, count: PassCount, window: int) -> Iterator[Page]:
        yield from super().pages(count, window)
        self.sees_moves = count.pages < 2
        if count.pages and count.total is None:
            self._check_that_nothing_is_before(count)

    def position(self, count: PassCount) -> int:
        return int(self.paginator.initial_value) + count.pages

    def expected(self, count: PassCount) -> int | None:
        """As many APIs give a total of records as of pages, which is what dlt's paginator reads."""
        return None if count.told == count.pages else count.told

    def _stride(self, count: PassCount) -> tuple[int, int]:
        return 1, count.sizes[1]

    def _lacks(self, count: PassCount) -> bool:
        total = count.total
        return total is not None and count.rows != total and count.pages < total

    def _total_is_reached(self, count: PassCount) -> End | None:
        if count.pages == count.total:
            return End(f"it was the last of {count.pages} pages")
        # behind a full page one more request tells: some APIs cut their total off, at 10,000 for example
        is_last = count.rows == count.total and count.sizes[1] < count.sizes[0]
        return End(f"the API's total of {count.total} was reached") if is_last else None

    def _end_in_doubt(self, doubted: list[Page | ApiStatusError], error: IncompleteSweep, count: PassCount) -> End:
        if not isinstance(doubted[0], NotFound) or not self._is_behind_full_page(count):
            raise error
        return End("behind a full page the API answers 404, also when it is asked again", proven=None)

    def _check_that_nothing_is_before(self, count: PassCount) -> None:
        """Raises if the page before the first one has records: then `base_page` is off by one.

        Only a total would tell it otherwise. That an API has no such page, or shows its first one, is fine.
        """
        before = self.paginator.initial_value - 1
        try:
            page = self.at(before).get()
        except KeyRefused:
            raise
        except RequestFailed:
            return
        if page.outline and not any(count.known(page)):
            raise IncompleteSweep(
                f"Page {before} has records too, and they are not those of page {before + 1}: is `base_page` right?"
            )
