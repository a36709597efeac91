"""One refresh of one resource: sweep, prove, compare, load. It knows nothing of Dagster."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from invoices_assets.errors import IncompleteSweep
from invoices_assets.extract.api import Api
from invoices_assets.extract.dependent import sweep_dependent
from invoices_assets.extract.http.client import HttpClient
from invoices_assets.extract.http.stats import HttpStats
from invoices_assets.extract.page import Page
from invoices_assets.extract.sweep import SweepResult, sweep
from invoices_assets.extract.watermark import Watermark
from invoices_assets.load.inspect import ReliableState, has_live_rows, reliable_state
from invoices_assets.load.load import LoadResult, load_sweep
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.spool import Spool, SpooledSweep
from invoices_assets.normalize.batches import Batches
from invoices_assets.normalize.converter import Converter
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
    specs: dict[str, ResourceSpec],
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
    trusted = reliable_state(settings, spec.name, tell) if spec.cursor is not None else ReliableState()
    plan = RefreshPlan.of(spec, request, trusted)
    with _http(connection, spec) as http, _Spools(spec, working_dir / f"spool_{spec.name}") as spools:
        common: Any = {
            "start": plan.start,
            "limit": request.limit,
            "window": connection.window,
            "progress": Progress(spec.name, tell),
        }
        if spec.parent is None:
            swept = sweep(spec, connection.endpoint(http, spec), spools, dates=request.dates, **common)
        else:
            swept = sweep_dependent(spec, specs[spec.parent], connection, http, spools, **common)
        spooled = spools.finish()
        if swept.rows == 0 and swept.complete and (plan.start is not None or request.dates is not None):
            _prove_alive(spec, specs, connection, http, settings)
        done = RefreshResult(
            swept=swept,
            stats=http.stats,
            loaded=None,
            cursor_before=plan.before,
            cursor_after=plan.before,
            remarks=[*_remarks(spec, swept), *_doubts(trusted), *connection.redactor.remarks()],
            seconds={"sweep": swept.seconds},
        )
        if request.dry_run:
            return done
        everything = swept.complete and plan.covers_everything
        done.cursor_after = plan.cursor_after(swept)
        done.loaded = load_sweep(
            spooled,
            settings=settings,
            spec=spec,
            complete=everything and request.mode == "reconcile",
            everything=everything,
            watermark=plan.watermark if everything else None,
            state_update=plan.state(done.cursor_after, swept),
            working_dir=working_dir,
            max_deleted_share=request.max_deleted_share,
            log=tell,
        )
        done.remarks = [*done.loaded.remarks, *done.remarks]
        done.seconds |= done.loaded.seconds
        return done


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


def _prove_alive(
    spec: ResourceSpec,
    specs: dict[str, ResourceSpec],
    connection: Api,
    http: HttpClient,
    settings: WarehouseSettings,
) -> None:
    """An answer without a record to a question for some of them may be the answer to a refused key.

    Raises:
        IncompleteSweep: the API shows nothing at all, though there are rows in the warehouse.
    """

    class Nowhere:
        def start_over(self) -> None: ...
        def add(self, page: Page) -> None: ...

    shown = specs[spec.parent] if spec.parent is not None else spec
    initial = shown.cursor.initial_value if shown.cursor is not None else None
    swept = sweep(shown, connection.endpoint(http, shown), Nowhere(), start=initial, window=1, limit=1)
    if swept.rows == 0 and has_live_rows(settings, spec.name):
        raise IncompleteSweep(
            f"The API shows no `{shown.name}` at all, though some were loaded before: some APIs answer so to "
            "a key without rights. Nothing was changed."
        )


def _doubts(trusted: ReliableState) -> list[str]:
    return [f"the stored cursor was not relied on: {trusted.doubt}"] if trusted.doubt else []


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
