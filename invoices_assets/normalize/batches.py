"""Pages to batches, converted in a thread beside the downloads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from invoices_assets.extract.page import Page
from invoices_assets.normalize.converter import Converter
from invoices_assets.normalize.tables import NormalizedBatch

BACKLOG = 2
"""Batches that may wait; then the downloads wait, so that memory does not grow with the number of pages."""
FIRST_BATCH = 500
"""Records of the first batch: the converter learns from it how to be quicker with the others."""


class Batches:
    """Takes the pages of a sweep, and hands their records on as tables.

    No id comes twice in one batch, as child rows name their record by its id only.

    Parameters:
        converter: records to tables.
        write: takes each batch in turn, in a thread of its own; what it raises is raised by `add` or `finish`.
        batch_rows: how many records are converted at once.
    """

    def __init__(
        self, converter: Converter, write: Callable[[NormalizedBatch], None], *, batch_rows: int = 4000
    ) -> None:
        self._converter = converter
        self._write = write
        self._batch_rows = batch_rows
        self._limit = min(FIRST_BATCH, batch_rows)
        self._pages: list[Page] = []
        self._rows = 0
        # with more threads they would wait for each other
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="normalize")
        self._running: list[Future[None]] = []

    def add(self, page: Page) -> None:
        """Takes the records of one page."""
        for part in self._parts(page):
            if self._pages and self._rows + len(part.outline) > self._limit:
                self._submit()
            self._pages.append(part)
            self._rows += len(part.outline)

    def finish(self) -> None:
        """Waits until all records are written."""
        try:
            if self._pages:
                self._submit()
            self._wait(0)
        finally:
            self.close()

    def close(self) -> None:
        """Stops; also the way to give a sweep up."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _parts(self, page: Page) -> Iterable[Page]:
        """The page, in parts where it alone is more than a batch."""
        if len(page.outline) <= self._batch_rows:
            return [page]
        starts = range(0, len(page.records), self._batch_rows)
        return (Page(page.records[start : start + self._batch_rows]) for start in starts)

    def _submit(self) -> None:
        self._wait(BACKLOG - 1)
        self._running.append(self._pool.submit(self._convert, self._pages))
        self._pages, self._rows, self._limit = [], 0, self._batch_rows

    def _wait(self, backlog: int) -> None:
        while len(self._running) > backlog:
            self._running.pop(0).result()

    def _convert(self, pages: Sequence[Page]) -> None:
        batch = self._converter.convert_pages(pages)
        if batch.has_an_id_twice:
            records = [record for page in pages for record in page.records]
            middle = len(records) // 2
            self._convert([Page(records[:middle])])
            self._convert([Page(records[middle:])])
        else:
            self._write(batch)
