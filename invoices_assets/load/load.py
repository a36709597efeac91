"""A proven sweep goes into the warehouse: compare, load what differs through dlt, all in one transaction."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from invoices_assets.load.diff.changed_rows import copy_rows, write_files
from invoices_assets.load.diff.changes import Delta
from invoices_assets.load.diff.continuity import prove_continuity
from invoices_assets.load.diff.deletions import find_gone, refuse_empty_sweep
from invoices_assets.load.diff.history import is_behind, plan_history, versions_to_load
from invoices_assets.load.diff.missed import count_missed
from invoices_assets.load.diff.rejections import refuse_if_all_rejected, settle_rejections
from invoices_assets.load.diff.schema_evolution import plan_tables
from invoices_assets.load.request import LoadRequest, Scope, Stretch
from invoices_assets.load.saved_state import merged_state, stored_state
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.spool import SpooledSweep
from invoices_assets.load.target import Target
from invoices_assets.source.dlt_settings import own_settings
from invoices_assets.source.resource import ResourceSpec


@dataclass
class LoadResult:
    """What a load did.

    Parameters:
        new, changed, returned, unchanged: records of the sweep; each is one of these. `returned` ones were
            marked as deleted before.
        deleted: records that got their `deleted_at` in this load.
        missed: new or changed records that incremental refreshes should have found; None where that was not
            asked for, or cannot be told.
        rejected: records of the sweep that could not be stored as declared.
        versions: rows that the history of the main table got; None where there is no history.
        table_rows: rows of the main table afterwards; live_rows: those without `deleted_at`.
        load_id: dlt's id of the load, None when nothing differed and nothing was written.
        columns: table -> column -> DuckDB type, afterwards.
        remarks: what has to be told, one sentence each.
        seconds: by stage.
    """

    new: int = 0
    changed: int = 0
    deleted: int = 0
    returned: int = 0
    unchanged: int = 0
    missed: int | None = None
    rejected: int = 0
    versions: int | None = None
    table_rows: int = 0
    live_rows: int = 0
    load_id: str | None = None
    columns: dict[str, dict[str, str]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the seconds of a block to `stage`."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - started


def load_sweep(
    sweep: SpooledSweep,
    spec: ResourceSpec,
    settings: WarehouseSettings,
    request: LoadRequest,
    working_dir: Path,
    log: Callable[[str], None] = lambda _: None,
) -> LoadResult:
    """Bring the warehouse to the state of `sweep`, or leave it exactly as it was.

    To be called in the turn of the run: see `Catalog.turn`.

    Parameters:
        sweep: proven complete by the caller, for what it asked.
        spec: the resource.
        settings: where its rows go.
        request: what the sweep covers, and what the load is to do with it.
        working_dir: of this run.
        log: told when another process holds the warehouse and has to be waited for.

    Raises:
        WarehouseError: nothing was written.
        NotContinuous: nothing was written; the overlap that was asked for did not come back.
    """
    remarks = [f"{sentence} ({rows} rows)" for sentence, rows in sorted(sweep.remarks.items())]
    result = LoadResult(rejected=sweep.rejected, remarks=remarks)
    load = _Load(spec, settings, request, working_dir, result, Target(settings))
    try:
        with ExitStack() as stack:
            with result.timed("open"):
                connection = stack.enter_context(load.target.open(working_dir, log))
            with result.timed("compare"):
                delta = load.compare(connection, sweep)
            load.write(delta)
            with result.timed("describe"):
                load.describe(connection, sweep.root)
            with result.timed("close"):
                stack.close()
    except (duckdb.Error, OSError) as error:
        raise load.target.explain(error) from None
    return result


@dataclass
class _Load:
    """The steps of one load."""

    spec: ResourceSpec
    settings: WarehouseSettings
    request: LoadRequest
    working_dir: Path
    result: LoadResult
    target: Target

    def compare(self, connection: duckdb.DuckDBPyConnection, sweep: SpooledSweep) -> Delta:
        """Find out what is new, changed, returned, unchanged, gone and missed."""
        scope, request, result = self.request.scope, self.request, self.result
        plan = plan_tables(connection, self.settings, sweep, self.spec)
        plan.history = plan_history(connection, self.settings, plan, self.spec)
        self.target.widen(connection, plan)
        delta = Delta(connection, self.settings.dataset, sweep, plan, self.spec.primary_key, request.moment)
        delta.compare()
        if scope.is_everything or delta.all_new:
            refuse_if_all_rejected(delta)
        if request.overlap is not None:
            prove_continuity(delta, request.overlap)
        if scope.is_everything:
            refuse_empty_sweep(delta)
        if request.max_deleted_share is not None:
            gone = find_gone(delta, request.max_deleted_share, request.asked, self.settings.hints)
            if gone is None:
                self._cannot_tell("is gone", request.asked)
            elif scope is Scope.EVERYTHING_MARK_DELETED:
                delta.counts.deleted = gone
        if request.refreshed is not None:
            result.missed = count_missed(delta, request.refreshed)
            if result.missed is None:
                self._cannot_tell("refreshes missed", request.refreshed)
        for name in ("new", "changed", "deleted", "returned", "unchanged"):
            setattr(result, name, getattr(delta.counts, name))
        return delta

    def _cannot_tell(self, what: str, stretch: Stretch | None) -> None:
        column = stretch.column if stretch else ""
        self.result.remarks.append(
            f"what {what} cannot be told: `{column}` is not declared as a timestamp, date or number"
        )

    def write(self, delta: Delta) -> None:
        """Load what differs, and commit it."""
        connection, plan, counts = delta.connection, delta.plan, delta.counts
        settled = settle_rejections(delta, self.request.scope)
        stored = stored_state(connection, self.settings, self.spec.name)
        behind = is_behind(connection, self.settings.dataset, plan, stored)
        has_new_state = self.request.state is not None and merged_state(stored, self.request.state) != stored
        if not (counts.any or has_new_state or settled or behind):
            connection.rollback()
            return
        self.result.remarks += plan.remarks
        if counts.rekeyed:
            self.result.remarks.append(
                f"{counts.rekeyed} rows that another dlt pipeline had written got new dlt row ids"
            )
        self._load(delta, behind)
        with self.result.timed("commit"):
            connection.commit()

    def describe(self, connection: duckdb.DuckDBPyConnection, root: str) -> None:
        """Tell what is in the tables afterwards."""
        tables, self.result.table_rows, self.result.live_rows = self.target.describe(connection, root)
        for table, columns in tables.items():
            self.result.columns[table] = {column: kind for column, (kind, _) in columns.items()}

    def _load(self, delta: Delta, behind: bool) -> None:
        result, target, plan = self.result, self.target, delta.plan
        with result.timed("import_dlt"):
            # only when there is something to load; it takes longer than an empty refresh
            from invoices_assets.load import dlt_package

        def write(load_id: str) -> dict[str, list[Path]]:
            with result.timed("write"):
                return self._files(delta, behind, load_id)

        package = dlt_package.Package(self.settings.dataset, self.spec, plan, self.request.state, write)
        with own_settings(), target.plain_errors(), ExitStack() as stack:
            with result.timed("dlt_sync"):
                bound = target.destination(delta.connection, self.working_dir)
                new = dlt_package.new_pipeline(self.settings.dataset, bound, self.working_dir / "dlt")
                pipeline = stack.enter_context(new)
            with result.timed("dlt_run"):
                result.load_id = package.run(pipeline)
            if plan.history is not None:
                result.versions = target.count_loaded(delta.connection, plan.history.name, result.load_id)

    def _files(self, delta: Delta, behind: bool, load_id: str) -> dict[str, list[Path]]:
        files = write_files(delta, self.working_dir, load_id)
        history = delta.plan.history
        if history is not None and (delta.counts.main or behind):
            select = versions_to_load(delta, load_id, behind=behind)
            files[history.name] = [copy_rows(delta, select, self.working_dir / f"{history.name}.delta.parquet")]
        return files
