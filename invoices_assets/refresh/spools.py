"""Where the pages of a sweep go."""

from __future__ import annotations

import shutil
from pathlib import Path

from invoices_assets.extract.page import Page
from invoices_assets.load.spool import Spool, SpooledSweep
from invoices_assets.normalize.batches import Batches
from invoices_assets.normalize.converter import Converter
from invoices_assets.source.columns.fields import has_field
from invoices_assets.source.resource import ResourceSpec

MOST_LOOKED_AT = 1000
"""Records of a first page that are looked at one by one; a page of all records would take its time."""


class Spools:
    """The sink of a sweep: a new spool for each pass, so that a pass that did not add up leaves nothing.

    `unmatched` has the columns whose `x-from` no record of the first page has.
    """

    def __init__(self, spec: ResourceSpec, directory: Path) -> None:
        self._spec = spec
        self._directory = directory
        self.unmatched: frozenset[str] = frozenset()
        self._open()

    def _open(self) -> None:
        self._is_begun = False
        self._spool = Spool(self._directory, self._spec.name)
        self._batches = Batches(Converter(self._spec), self._spool.append)

    def __enter__(self) -> Spools:
        return self

    def __exit__(self, *_: object) -> None:
        self._batches.close()

    def start_over(self) -> None:
        self._batches.close()
        if self._directory.exists():
            shutil.rmtree(self._directory)
        self._directory.mkdir(parents=True)
        self._open()

    def add(self, page: Page) -> None:
        if not self._is_begun and page.outline:
            self._is_begun = True
            self.unmatched = _unmatched(self._spec, page) if len(page.outline) <= MOST_LOOKED_AT else frozenset()
        self._batches.add(page)

    def finish(self) -> SpooledSweep:
        self._batches.finish()
        return self._spool.finish()


def _unmatched(spec: ResourceSpec, page: Page) -> frozenset[str]:
    moved = [column for column in spec.columns.values() if column.x_from]
    records = page.records if moved else []
    return frozenset(
        column.name
        for column in moved
        if not any(has_field(record, source) for record in records for source in column.sources)
    )
