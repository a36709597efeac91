"""What a proven sweep does to the warehouse: compare, and write what differs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import duckdb

from invoices_assets.load.diff.changes import Delta
from invoices_assets.load.diff.continuity import prove_continuity
from invoices_assets.load.diff.deletions import find_missing, mark_missing, refuse_empty_sweep
from invoices_assets.load.diff.history import HISTORY_KEY, is_behind, plan_history
from invoices_assets.load.diff.missed import count_missed
from invoices_assets.load.diff.order import refuse_moved, refuse_outdated
from invoices_assets.load.diff.rejections import refuse_if_all_rejected, settle_rejections
from invoices_assets.load.diff.schema_evolution import plan_tables
from invoices_assets.load.inspect import known_state_in
from invoices_assets.load.reports.audit import Audit, audit_in
from invoices_assets.load.reports.made_table import table_columns
from invoices_assets.load.reports.overview import Overview, overview_of
from invoices_assets.load.request import LoadRequest, Scope, Stretch
from invoices_assets.load.saved_state import merged_state, resource_state
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.spool import SpooledSweep
from invoices_assets.load.tables import is_live, qualified, stored_tables, widen
from invoices_assets.load.warehouses.catalog import Catalog
from invoices_assets.load.write import write_rejected, write_rows, write_versions
from invoices_assets.source.naming import history_table, rejected_table
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
        columns: table -> column -> DuckDB type, afterwards; the main table is the first one.
        rows: table -> its rows, afterwards; also those of rejected records and of the history.
        overview: of the main table; None where there is none, or where it cannot be added up.
        audit: of the tables; None where nobody could look.
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
    rows: dict[str, int] = field(default_factory=dict)
    overview: Overview | None = None
    audit: Audit | None = None
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


@dataclass
class Load:
    """What one sweep does to the warehouse, in a transaction that somebody else ends.

    Parameters:
        connection: the warehouse, attached.
        catalog: its kind.
        spec: the resource.
        request: what the sweep covers, and what the load is to do with it.
        result: filled on the way.
    """

    connection: duckdb.DuckDBPyConnection
    catalog: Catalog
    spec: ResourceSpec
    request: LoadRequest
    result: LoadResult
    differs: bool = False
    """Whether there is anything to write; known after `compare`."""

    def compare(self, sweep: SpooledSweep) -> Delta:
        """Find out what is new, changed, returned, unchanged, gone and missed; types are widened.

        Raises:
            WarehouseError: the sweep must not be loaded.
            NotContinuous: nor this one; the overlap that was asked for did not come back.
        """
        with self.result.timed("compare"):
            if self.request.seen is not None:
                refuse_moved(self.request.seen, known_state_in(self.connection, self.settings, self.spec.name))
            self._delta = self._compared(sweep)
            stored = resource_state(self.connection, self.settings.dataset, self.spec.name)
            self._behind = is_behind(self.connection, self.settings.dataset, self._delta.plan, stored)
            has_new_state = self.request.state is not None and merged_state(stored, self.request.state) != stored
            settled = settle_rejections(self._delta, self.request.scope)
            self.differs = bool(self._delta.counts.any or has_new_state or settled or self._behind)
        return self._delta

    def write(self, load_id: str) -> None:
        """Write what differs into the tables, which are there.

        Parameters:
            load_id: higher than that of any load before; new versions of rows begin at its time.
        """
        delta, result = self._delta, self.result
        result.remarks += delta.plan.remarks
        if delta.counts.rekeyed:
            result.remarks.append(
                f"{delta.counts.rekeyed} rows got new dlt row ids: another dlt pipeline had written them, or their key "
                "came with another type (declare its `data_type`)"
            )
        with result.timed("write"):
            result.load_id = load_id
            if delta.plan.history is not None:
                is_needed = delta.counts.main or self._behind
                result.versions = write_versions(delta, load_id, behind=self._behind) if is_needed else 0
            write_rows(delta, load_id)
            write_rejected(delta, load_id)

    def new_state(self, load_id: str) -> dict[str, Any]:
        """What changes of dlt's state of the resource."""
        history = {HISTORY_KEY: {"load_id": load_id}} if self.spec.history else {}
        return {**(self.request.state or {}), **history}

    def describe(self) -> None:
        """Tell what is in the tables now."""
        with self.result.timed("describe"):
            root, dataset = self._delta.plan.root.name, self.settings.dataset
            for table, stored in stored_tables(self.connection, self.settings, root).items():
                self.result.columns[table] = {column: kind for column, (kind, _) in stored.items()}
            for table in (rejected_table(root), history_table(root)):
                if columns := table_columns(self.connection, dataset, table):
                    self.result.columns[table] = columns
            for table, columns in self.result.columns.items():
                live = f"FILTER (WHERE {is_live(columns)})" if table == root else ""
                query = f"SELECT count(*), count(*) {live} FROM {qualified(dataset, table)}"
                [(self.result.rows[table], live_rows)] = self.connection.execute(query).fetchall()
                self.result.live_rows = live_rows if table == root else self.result.live_rows
            self.result.table_rows = self.result.rows.get(root, 0)

    def report(self) -> None:
        """Tell what the tables say, after the transaction; that nobody can look at them fails no load."""
        root, dataset = self._delta.plan.root.name, self.settings.dataset
        columns = self.result.columns.get(root)
        with self.result.timed("describe"), suppress(duckdb.Error):
            self.result.audit = audit_in(self.connection, dataset, self.result.columns, self.spec)
        if columns is None:
            return
        with self.result.timed("describe"):
            try:
                self.result.overview = overview_of(self.connection, dataset, root, columns, self.spec)
            except duckdb.Error as error:
                self.result.remarks.append(f"the amounts could not be added up: {self.catalog.explain(error)}")

    @property
    def settings(self) -> WarehouseSettings:
        """Of the warehouse."""
        return self.catalog.settings

    def _compared(self, sweep: SpooledSweep) -> Delta:
        scope, request, result = self.request.scope, self.request, self.result
        plan = plan_tables(self.connection, self.settings, sweep, self.spec)
        plan.history = plan_history(self.connection, self.settings, plan, self.spec)
        self.catalog.prepare(self.connection, plan)
        widen(self.connection, self.settings.dataset, plan, retypes=self.catalog.retypes)
        delta = Delta(self.connection, self.settings.dataset, sweep, plan, self.spec, request.moment)
        delta.compare()
        if scope.is_everything or delta.all_new:
            refuse_if_all_rejected(delta)
        if request.overlap is not None:
            prove_continuity(delta, request.overlap)
        if scope.is_everything:
            refuse_empty_sweep(delta)
        if request.max_deleted_share is not None:
            gone = find_missing(delta, request.max_deleted_share, request.asked, self.settings.hints)
            if gone is None:
                self._cannot_tell("is gone", request.asked)
            elif scope is Scope.EVERYTHING_MARK_DELETED:
                mark_missing(delta)
        if request.refreshed is not None:
            result.missed = count_missed(delta, request.refreshed)
            if result.missed is None:
                self._cannot_tell("refreshes missed", request.refreshed)
        if request.seen is not None:
            refuse_outdated(delta, request.seen)
        for name in ("new", "changed", "deleted", "returned", "unchanged"):
            setattr(result, name, getattr(delta.counts, name))
        return delta

    def _cannot_tell(self, what: str, stretch: Stretch | None) -> None:
        column = stretch.column if stretch else ""
        self.result.remarks.append(
            f"what {what} cannot be told: `{column}` is not declared as a timestamp, date or number"
        )
