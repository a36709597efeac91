"""One refresh of one resource: sweep, prove, compare, load. It knows nothing of Dagster."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from invoices_assets.extract.asking import Asker
from invoices_assets.extract.connection import Connection
from invoices_assets.extract.cursor import comparable
from invoices_assets.extract.dependents import sweep_dependent
from invoices_assets.extract.errors import IncompleteSweep, SourceError
from invoices_assets.extract.http import HttpClient, HttpStats
from invoices_assets.extract.notation import Notation, parse_since, stamp_column
from invoices_assets.extract.source import ResourceSpec
from invoices_assets.extract.sweep import Swept, sweep
from invoices_assets.extract.tally import Tally
from invoices_assets.load.missed import Watermark
from invoices_assets.load.pipeline import LoadResult, load_sweep, read_state
from invoices_assets.load.records import Converter
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.spool import Spool, SpooledSweep
from invoices_assets.load.state import cursor_state

Mode = Literal["incremental", "full", "reconcile"]
PROGRESS_EVERY_SECONDS = 5.0

_log = logging.getLogger("invoices_assets")


@dataclass(frozen=True)
class RefreshRequest:
    """What a run is asked to do.

    Parameters:
        mode: `incremental` asks for what changed, `full` for everything, `reconcile` for everything and marks
            what the API no longer has as deleted.
        since: ask for what changed since this moment instead of the stored cursor; ISO 8601.
        limit: stop after about so many records, for a trial; the cursor stays where it is.
        dry_run: fetch and report, load nothing.
        max_deleted_share: fail instead of marking more than this share of the rows as deleted, 0 to 1.
    """

    mode: Mode = "incremental"
    since: str | None = None
    limit: int | None = None
    dry_run: bool = False
    max_deleted_share: float = 0.2


@dataclass
class Refreshed:
    """What a refresh did; true also where it loaded nothing."""

    swept: Swept
    stats: HttpStats
    loaded: LoadResult | None
    cursor_before: Any
    cursor_after: Any
    remarks: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


def refresh(
    spec: ResourceSpec,
    specs: dict[str, ResourceSpec],
    connection: Connection,
    settings: WarehouseSettings,
    request: RefreshRequest,
    working_dir: Path,
    tell: Callable[[str], None] = _log.info,
) -> Refreshed:
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
    before = _stored_cursor(spec, settings)
    start = _start(spec, request, before)
    with _http(connection, spec) as http, _Spools(spec, working_dir / f"spool_{spec.name}") as spools:
        asker = connection.asker(http, spec)
        progress = _Progress(spec.name, tell)
        common = dict(start=start, limit=request.limit, window=connection.window, progress=progress)
        if spec.parent is None:
            swept = sweep(spec, asker, spools, **common)
        else:
            swept = sweep_dependent(spec, specs[spec.parent], connection, http, spools, **common)
        spooled = spools.finish()
        everything = swept.complete and (start is None or (spec.cursor is not None and start == spec.cursor.initial_value))
        if start is not None and swept.rows == 0 and swept.complete:
            _prove_alive(spec, asker)
        seconds = {"sweep": swept.seconds}
        loaded = None
        after = before
        if not request.dry_run:
            after = _cursor_after(spec, swept, before, start)
            loaded = load_sweep(
                spooled,
                settings=settings,
                spec=spec,
                complete=everything and request.mode == "reconcile",
                everything=everything,
                watermark=_watermark(spec, before) if everything and request.mode != "incremental" else None,
                state_update=_state(spec, after),
                working_dir=working_dir,
                max_deleted_share=request.max_deleted_share,
                log=tell,
            )
            seconds |= loaded.seconds
        return Refreshed(
            swept=swept,
            stats=http.stats,
            loaded=loaded,
            cursor_before=before,
            cursor_after=after,
            remarks=[*(loaded.remarks if loaded else []), *_remarks(spec, swept)],
            seconds=seconds,
        )


class _Spools:
    """The sink of a sweep: a new spool for each pass, so that a pass that did not add up leaves nothing."""

    def __init__(self, spec: ResourceSpec, directory: Path) -> None:
        self._spec = spec
        self._directory = directory
        self._spool: Spool | None = None

    def __enter__(self) -> _Spools:
        return self

    def __exit__(self, *_: object) -> None:
        if self._spool is not None:
            self._spool.close()

    def start_over(self) -> None:
        if self._spool is not None:
            self._spool.close()
            shutil.rmtree(self._directory)
        self._directory.mkdir(parents=True)
        converter = Converter(self._spec.name, self._spec.columns, self._spec.primary_key)
        self._spool = Spool(self._directory, converter, self._spec.name)

    def add(self, records: list[Any]) -> None:
        assert self._spool is not None
        self._spool.add(records)

    def finish(self) -> SpooledSweep:
        assert self._spool is not None
        return self._spool.finish()


class _Progress:
    """Tells how far a long sweep is, every few seconds."""

    def __init__(self, name: str, tell: Callable[[str], None]) -> None:
        self._name = name
        self._tell = tell
        self._told = time.monotonic()

    def __call__(self, tally: Tally, seconds: float) -> None:
        now = time.monotonic()
        if now - self._told < PROGRESS_EVERY_SECONDS:
            return
        self._told = now
        rate = tally.rows / seconds if seconds else 0.0
        sentence = f"{self._name}: {tally.pages:,} pages, {tally.rows:,} rows, {rate:,.0f} rows/s"
        if tally.total and rate:
            left = max(0, tally.total - tally.rows) / rate
            sentence += f", {tally.rows / tally.total:.0%} of {tally.total:,}, about {left:,.0f} s left"
        self._tell(sentence)


@contextmanager
def _http(connection: Connection, spec: ResourceSpec) -> Iterator[HttpClient]:
    http = connection.client(spec)
    try:
        yield http
    finally:
        http.close()


def _stored_cursor(spec: ResourceSpec, settings: WarehouseSettings) -> Any:
    if spec.cursor is None:
        return None
    state = read_state(settings, spec.name)
    return state.get("incremental", {}).get(spec.cursor.path, {}).get("last_value")


def _start(spec: ResourceSpec, request: RefreshRequest, before: Any) -> Any:
    """Where the sweep starts, in the API's notation; None for everything."""
    if spec.cursor is None or not spec.cursor.filters:
        if request.since is not None:
            raise SourceError(f"`since` needs an API that filters by change, and `{spec.name}` declares no cursor.")
        return None
    if request.since is not None:
        return parse_since(spec, request.since, like=before or spec.cursor.initial_value)
    if request.mode == "incremental" and before is not None:
        return Notation(spec).start_after(before)
    return Notation(spec).as_text(spec.cursor.initial_value)


def _cursor_after(spec: ResourceSpec, swept: Swept, before: Any, start: Any) -> Any:
    """The cursor moves forward only, and only over what a complete sweep has covered without a gap."""
    if spec.cursor is None or not swept.complete or swept.cursor is None or swept.cursor.last_value is None:
        return before
    notation = Notation(spec)
    reached, held, began = (notation.moment(value) for value in (swept.cursor.last_value, before, start))
    if held is not None and (not comparable(reached, held) or reached <= held):  # type: ignore[operator]
        return before
    leaves_gap = held is not None and comparable(began, held) and began > held  # type: ignore[operator]
    return before if leaves_gap else swept.cursor.last_value


def _watermark(spec: ResourceSpec, before: Any) -> Watermark | None:
    """Where a refresh would have started; None where refreshes ask for everything anyway."""
    if spec.cursor is None or not spec.cursor.filters or before is None:
        return None
    notation = Notation(spec)
    if notation.moment(before) is None:
        return None
    start = notation.local(notation.start_after(before))
    column, _ = stamp_column(spec, spec.cursor.path)
    return None if start is None else Watermark(column, start)


def _state(spec: ResourceSpec, last_value: Any) -> dict[str, Any] | None:
    if spec.cursor is None or last_value is None:
        return None
    return cursor_state(spec.cursor.path, spec.cursor.initial_value, last_value)


def _prove_alive(spec: ResourceSpec, asker: Asker) -> None:
    """An incremental answer without a record, where the overlap should bring some, may be a refused key.

    Raises:
        IncompleteSweep: the API shows nothing at all.
    """

    class Nowhere:
        def start_over(self) -> None: ...
        def add(self, records: list[Any]) -> None: ...

    initial = spec.cursor.initial_value if spec.cursor is not None else None
    if sweep(spec, asker, Nowhere(), start=initial, window=1, limit=1).rows == 0:
        raise IncompleteSweep(
            f"The API shows no `{spec.name}` at all, though some were loaded before: some APIs answer so to a key "
            "without rights. Nothing was changed."
        )


def _remarks(spec: ResourceSpec, swept: Swept) -> list[str]:
    if spec.cursor is None or swept.cursor is None:
        return []
    read = swept.cursor
    remarks = {
        f"records without `{spec.cursor.path}`": read.without_stamp,
        f"records with `{spec.cursor.path}` in the future, which did not move the cursor": read.in_future,
        f"records older than asked for: the API ignores or widens its filter on `{spec.cursor.path}`": read.before_start,
    }
    return [f"{sentence} ({count} rows)" for sentence, count in remarks.items() if count]

