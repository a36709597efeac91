"""One refresh of one resource: sweep, prove, compare, load. It knows nothing of Dagster."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from invoices_assets.errors import DeletionRefused, IncompleteSweep
from invoices_assets.extract.api import Api
from invoices_assets.extract.dependent import sweep_dependent
from invoices_assets.extract.http.client import HttpClient
from invoices_assets.extract.http.stats import HttpStats
from invoices_assets.extract.page import Page
from invoices_assets.extract.sweep import SweepRequest, SweepResult, sweep
from invoices_assets.extract.watermark import Watermark
from invoices_assets.load.diff.continuity import NotContinuous
from invoices_assets.load.inspect import has_live_rows, known_state
from invoices_assets.load.load import LoadResult
from invoices_assets.load.pipeline import load_sweep
from invoices_assets.load.request import LoadRequest
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.spool import Spool, SpooledSweep
from invoices_assets.normalize.batches import Batches
from invoices_assets.normalize.converter import Converter
from invoices_assets.refresh.origin import Origin
from invoices_assets.refresh.plan import RefreshPlan, RefreshRequest
from invoices_assets.refresh.progress import Progress
from invoices_assets.source.resource import ResourceSpec

_log = logging.getLogger("invoices_assets")


@dataclass
class RefreshResult:
    """What a refresh did; true also where it loaded nothing."""

    swept: SweepResult
    stats: HttpStats
    loaded: LoadResult | None
    cursor_before: Any
    cursor_after: Any
    remarks: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


def refresh(
    spec: ResourceSpec,
    specs: Mapping[str, ResourceSpec],
    connection: Api,
    settings: WarehouseSettings,
    request: RefreshRequest,
    working_dir: Path,
    tell: Callable[[str], None] = _log.info,
) -> RefreshResult:
    """Brings one resource up to date; to be called by the holder of the warehouse's lock.

    Parameters:
        spec: the resource.
        specs: all resources of the source, for the parent of a dependent one.
        connection: the way to the API.
        settings: where the rows go.
        request: what the run is asked to do.
        working_dir: an empty folder of the run.
        tell: told of progress, in sentences.

    Raises:
        ExtractError: the API's answers do not prove to be complete.
        WarehouseError: the rows cannot be loaded; nothing of them was kept.
    """
    parent = specs[spec.parent] if spec.parent is not None else None
    with _http(connection, spec) as http:
        run = _Run(spec, parent, connection, http, settings, working_dir, tell)
        plan = RefreshPlan.of(
            spec, request, known_state(settings, spec.name, tell), Origin.of(spec, connection.address)
        )
        try:
            return run.carry_out(plan)
        except NotContinuous as found:
            plan = plan.of_everything(found.known)
            tell(*plan.remarks)
            return run.carry_out(plan)


@dataclass
class _Run:
    """The steps of one refresh: sweep, look twice at silence, load."""

    spec: ResourceSpec
    parent: ResourceSpec | None
    api: Api
    http: HttpClient
    settings: WarehouseSettings
    working_dir: Path
    tell: Callable[[str], None]

    def carry_out(self, plan: RefreshPlan) -> RefreshResult:
        with _Spools(self.spec, self.working_dir / f"spool_{self.spec.name}") as spools:
            swept = self._sweep(plan, spools)
            spooled = spools.finish()
            if swept.rows == 0 and swept.complete and (plan.start is not None or plan.request.dates is not None):
                self._prove_alive()
            done = RefreshResult(
                swept=swept,
                stats=self.http.stats,
                loaded=None,
                cursor_before=plan.before,
                cursor_after=plan.before,
                remarks=[
                    *_remarks(self.spec, swept),
                    *plan.remarks,
                    *plan.unproven(swept),
                    *self.api.redactor.remarks(),
                ],
                seconds={"sweep": swept.seconds},
            )
            if not plan.request.dry_run:
                done.cursor_after = plan.cursor_after(swept)
                done.loaded = self._load(plan, plan.load_request(done.cursor_after, swept), spooled)
                done.remarks = [*done.loaded.remarks, *done.remarks]
                done.seconds |= done.loaded.seconds
            return done

    def _sweep(self, plan: RefreshPlan, spools: _Spools) -> SweepResult:
        progress = Progress(self.spec.name, self.tell)
        if self.parent is not None:
            return sweep_dependent(
                self.spec, self.parent, self.api, self.http, spools, plan.sweep_request, progress=progress
            )
        endpoint = self.api.endpoint(self.http, self.spec)
        return sweep(self.spec, endpoint, spools, plan.sweep_request, window=self.api.window, progress=progress)

    def _load(self, plan: RefreshPlan, request: LoadRequest, spooled: SpooledSweep) -> LoadResult:
        try:
            return load_sweep(spooled, self.spec, self.settings, request, self.working_dir, self.tell)
        except DeletionRefused as error:
            if plan.missing is None:
                raise
            raise DeletionRefused(
                f"{plan.discontinuity}, so this may be another API or another account, and a sweep of everything does "
                f"not know the rows either: {error}"
            ) from None

    def _prove_alive(self) -> None:
        """An answer without a record to a question for some of them may be the answer to a refused key.

        Raises:
            IncompleteSweep: the API shows nothing at all, though there are rows in the warehouse.
        """
        shown = self.parent or self.spec
        initial = shown.cursor.initial_value if shown.cursor is not None else None
        swept = sweep(shown, self.api.endpoint(self.http, shown), _Nowhere(), SweepRequest(initial, limit=1), window=1)
        if swept.rows == 0 and has_live_rows(self.settings, self.spec.name):
            raise IncompleteSweep(
                f"The API shows no `{shown.name}` at all, though some were loaded before: some APIs answer so to "
                "a key without rights. Nothing was changed."
            )


class _Nowhere:
    """A sink that keeps nothing."""

    def start_over(self) -> None: ...
    def add(self, page: Page) -> None: ...


class _Spools:
    """The sink of a sweep: a new spool for each pass, so that a pass that did not add up leaves nothing."""

    def __init__(self, spec: ResourceSpec, directory: Path) -> None:
        self._spec = spec
        self._directory = directory
        self._open()

    def _open(self) -> None:
        self._spool = Spool(self._directory, self._spec.name)
        self._batches = Batches(Converter(self._spec), self._spool.append)

    def __enter__(self) -> _Spools:
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


@contextmanager
def _http(connection: Api, spec: ResourceSpec) -> Iterator[HttpClient]:
    http = connection.client(spec)
    try:
        yield http
    finally:
        http.close()


def _remarks(spec: ResourceSpec, swept: SweepResult) -> list[str]:
    remarks = {
        "records outside of the partition: the API ignores or widens its date window": swept.outside,
    }
    if spec.cursor is not None and swept.cursor is not None:
        remarks |= _cursor_remarks(spec.cursor.path, swept.cursor)
    return [f"{sentence} ({count} rows)" for sentence, count in remarks.items() if count]


def _cursor_remarks(path: str, read: Watermark) -> dict[str, int]:
    return {
        f"records without `{path}`": read.without_stamp,
        f"records with `{path}` in the future, which did not move the cursor": read.in_future,
        f"records older than asked for: the API ignores or widens its filter on `{path}`": read.before_start,
    }
