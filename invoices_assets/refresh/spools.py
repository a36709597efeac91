"""Where the pages of a sweep go."""

from __future__ import annotations

import shutil
from pathlib import Path

from invoices_assets.extract.page import Page
from invoices_assets.load.spool import Spool, SpooledSweep
from invoices_assets.normalize.batches import Batches
from invoices_assets.normalize.converter import Converter
from invoices_assets.source.resource import ResourceSpec


class Nowhere:
    """A sink that keeps nothing."""

    def start_over(self) -> None: ...
    def add(self, page: Page) -> None: ...


class Spools:
    """The sink of a sweep: a new spool for each pass, so that a pass that did not add up leaves nothing."""

    def __init__(self, spec: ResourceSpec, directory: Path) -> None:
        self._spec = spec
        self._directory = directory
        self._open()

    def _open(self) -> None:
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
        self._batches.add(page)

    def finish(self) -> SpooledSweep:
        self._batches.finish()
        return self._spool.finish()
