"""A proven sweep goes into the warehouse: compare, load what differs through dlt, all in one transaction."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from invoices_assets.load.diff.changed_rows import copy_rows, write_files
from invoices_assets.load.diff.changes import Delta
from invoices_assets.load.diff.history import is_behind, plan_history, versions_to_load
from invoices_assets.load.diff.missed import RefreshStart, count_missed
from invoices_assets.load.diff.rejections import settle_rejections
from invoices_assets.load.diff.schema_evolution import plan_tables
from invoices_assets.load.error_messages import explain
from invoices_assets.load.saved_state import merged_state, stored_state
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.spool import SpooledSweep
from invoices_assets.load.tables import LoadPlan
from invoices_assets.load.target import Target, target_of
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

    @contextlib.contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the seconds of a block to `stage`."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - started


def load_sweep(
    sweep: SpooledSweep,
    *,
    settings: WarehouseSettings,
    spec: ResourceSpec,
    complete: bool,
    everything: bool = False,
    state_update: Mapping[str, Any] | None,
    working_dir: Path,
    max_deleted_share: float = 0.2,
    watermark: RefreshStart | None = None,
    now: datetime | None = None,
    log: Callable[[str], None] = lambda _: None,
) -> LoadResult:
    """Bring the warehouse to the state of `sweep`, or leave it exactly as it was.

    To be called under `lock.warehouse_lock`.

    Parameters:
        sweep: proven complete by the caller, for what it asked.
        spec: the resource.
        complete: the sweep has every record of the API, and what is missing is to be marked as deleted.
        everything: the sweep has every record of the API, but what is missing is to be left alone.
        state_update: merged into dlt's state of the resource, committed with the rows.
        working_dir: of this run.
        max_deleted_share: the largest believable share of live rows that vanish at once, 0 to 1.
        watermark: where an incremental refresh would have started; for a sweep of everything.
        now: the time for `deleted_at` and `rejected_at`; the clock's by default.

    Raises:
        WarehouseError: nothing was written.
    """
    result = LoadResult(rejected=sweep.rejected)
    result.remarks = [f"{sentence} ({rows} rows)" for sentence, rows in sorted(sweep.remarks.items())]
    moment = now or datetime.now(UTC)
    target = target_of(settings, spec, sweep)
    try:
        with contextlib.ExitStack() as stack:
            with result.timed("open"):
                opened = target.open(working_dir, log, whole=complete or everything)
                connection = stack.enter_context(opened)
            with result.timed("compare"):
                plan = plan_tables(connection, settings.dataset, sweep, spec)
                plan.history = plan_history(connection, settings.dataset, plan, spec)
                target.widen(connection, plan)
                delta = Delta(connection, settings.dataset, sweep, plan, spec.primary_key, moment)
                counts = delta.compare(complete=complete, everything=everything, max_deleted_share=max_deleted_share)
                if watermark is not None:
                    _count_missed(result, delta, watermark)
                settled = settle_rejections(delta, spec.primary_key, everything=everything or complete)
            for name in ("new", "changed", "deleted", "returned", "unchanged"):
                setattr(result, name, getattr(counts, name))
            stored = stored_state(connection, settings, spec.name)
            state = _if_changed(stored, state_update)
            behind = is_behind(connection, settings.dataset, plan, stored)
            if counts.any or state or settled or behind:
                _note(result, plan, counts.rekeyed)
                _load(target, settings, spec, delta, state, behind, working_dir, result)
                with result.timed("commit"):
                    target.end(connection)
            else:
                connection.rollback()
            with result.timed("describe"):
                tables, result.table_rows, result.live_rows = target.describe(connection, sweep.root)
                for table, columns in tables.items():
                    result.columns[table] = {column: kind for column, (kind, _) in columns.items()}
            with result.timed("close"):
                stack.close()
    except (duckdb.Error, OSError) as error:
        raise explain(error, settings.path if settings.is_duckdb else working_dir) from error
    return result


def _if_changed(stored: Mapping[str, Any], update: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    return update if update and merged_state(stored, update) != stored else None


def _count_missed(result: LoadResult, delta: Delta, watermark: RefreshStart) -> None:
    result.missed = count_missed(delta, watermark)
    if result.missed is None:
        result.remarks.append(
            f"what refreshes missed cannot be told: `{watermark.column}` is not declared as a timestamp, date or number"
        )


def _note(result: LoadResult, plan: LoadPlan, rekeyed: int) -> None:
    result.remarks += plan.remarks
    if rekeyed:
        result.remarks.append(f"{rekeyed} rows that another dlt pipeline had written got new dlt row ids")


def _load(
    target: Target,
    settings: WarehouseSettings,
    spec: ResourceSpec,
    delta: Delta,
    state: Mapping[str, Any] | None,
    behind: bool,
    working_dir: Path,
    result: LoadResult,
) -> None:
    with result.timed("import_dlt"):
        # only when there is something to load; it takes longer than an empty refresh
        from invoices_assets.load import dlt_package

    connection, plan = delta.connection, delta.plan

    def write(load_id: str) -> dict[str, list[Path]]:
        with result.timed("write"):
            files = write_files(delta, working_dir, load_id, as_spooled=target.as_files)
            if plan.history is not None and (delta.counts.main or behind):
                select = versions_to_load(delta, spec.primary_key, load_id, behind=behind)
                path = working_dir / f"{plan.history.name}.delta.parquet"
                files[plan.history.name] = [copy_rows(delta, select, path)]
            return files

    with target.plain_errors(), contextlib.ExitStack() as stack:
        with result.timed("dlt_sync"):
            bound = target.destination(connection, working_dir)
            pipeline = stack.enter_context(dlt_package.new_pipeline(settings, bound, working_dir / "dlt"))
        with result.timed("dlt_run"):
            result.load_id = dlt_package.run(pipeline, settings, spec, plan, state, write, as_files=target.as_files)
        if plan.history is not None:
            result.versions = target.count_loaded(connection, plan.history.name, result.load_id)
