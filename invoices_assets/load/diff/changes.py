"""What a sweep changes: its rows are compared with the tables, and only what differs is handed on.

An id is new, changed (a column of its row, or any of its child rows, differs), returned (it was marked as
deleted), unchanged, or gone: a tombstone of the API says so, or a complete sweep lacks it. Gone rows stay, with the
time in `deleted_at`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import duckdb

from invoices_assets.load.diff.comparable import comparable, differs
from invoices_assets.load.diff.schema_evolution import spooled_select
from invoices_assets.load.spool import SEQ, SpooledSweep
from invoices_assets.load.sql import ident, literal, parquet
from invoices_assets.load.tables import (
    DELETED_AT,
    ROOT_ID,
    ROW_ID,
    LoadPlan,
    TablePlan,
    is_live,
    qualified,
    table_exists,
)
from invoices_assets.load.types import TIMESTAMPTZ
from invoices_assets.source.naming import rejected_table
from invoices_assets.source.resource import ResourceSpec

UNCHANGED, NEW, CHANGED, RETURNED = range(4)
IDS = "temp.main._delta_ids"
GONE = "temp.main._delta_gone"
"""The row ids of what is to be marked as deleted; `deletions` adds what a complete sweep lacks."""
LAST = "temp.main._delta_last"
SWEPT = "temp.main._delta_swept"
"""A view of the spooled main rows in which each id comes once, tombstones included."""
REJECTED = "temp.main._delta_rejected"
# below this share of a table, child rows are looked up by their record instead of read as a whole
LOOKUP_SHARE = 0.1


@dataclass
class Counts:
    """How many records are what; `rekeyed` ones had another row id: one is made of the key with its type."""

    new: int = 0
    changed: int = 0
    returned: int = 0
    unchanged: int = 0
    deleted: int = 0
    rejected_new: int = 0
    rekeyed: int = 0

    @property
    def main(self) -> bool:
        """Whether there is anything to load into the main table and its child tables."""
        return bool(self.new or self.changed or self.returned or self.deleted)

    @property
    def any(self) -> bool:
        """Whether there is anything to load."""
        return self.main or bool(self.rejected_new)


class Delta:
    """The difference between a sweep and the warehouse.

    Parameters:
        connection: the warehouse, in the transaction of the load.
        sweep: proven, spooled.
        plan: the tables as they will be; already widened.
        resource: whose main table it is.
        now: the time for `deleted_at` and `rejected_at`.

    After `compare`, `counts` says how many records are what; `all_new`, whether the main table was empty;
    `doubles`, whether ids came more than once; the tables IDS and REJECTED, which they are.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        dataset: str,
        sweep: SpooledSweep,
        plan: LoadPlan,
        resource: ResourceSpec,
        now: datetime,
    ) -> None:
        self.connection = connection
        self.dataset = dataset
        self.sweep = sweep
        self.plan = plan
        self.key = resource.primary_key
        self.marks = resource.marks
        self.now = f"CAST({literal(now.isoformat())} AS {TIMESTAMPTZ})"
        self.all_new = False
        self.doubles = False
        self.counts = Counts()

    def compare(self) -> Counts:
        """Find out what is new, changed, returned or unchanged."""
        self._view_spool()
        root = self.plan.root
        if root.exists and self.count(f"SELECT count(*) FROM {self.table(root)}"):
            self._compare_root()
            self._find_buried()
            for child in self.plan.children:
                self._compare_child(child)
            self._tally()
        else:
            self.all_new = True
            self.counts.new = self.count(f"SELECT count(*) FROM {spool_view(root)}")
        if self.counts.new:
            self._drop_orphans()
        self.counts.rejected_new = self._compare_rejected()
        return self.counts

    def _view_spool(self) -> None:
        """Views of the spool in which each id comes once, as it came last; those of rows are without tombstones."""
        root = self.plan.root
        row_id = ident(ROW_ID)
        for table in self.plan.tables.values():
            select = spooled_select(self.sweep, table, extra=SEQ)
            self.connection.execute(f"CREATE OR REPLACE TEMP VIEW {_raw(table)} AS {select}")
        if root.columns:
            query = f"SELECT count(*) > count(DISTINCT {row_id}) FROM {_raw(root)}"
            self.doubles = bool(self.count(query))
        if self.doubles:
            self.connection.execute(
                f"CREATE OR REPLACE TEMP TABLE {LAST} AS "
                f"SELECT {row_id} AS id, {self._last()} AS seq FROM {_raw(root)} GROUP BY 1"
            )
        buried = self._is_tombstone("r")
        for table in self.plan.tables.values():
            select, owner = f"SELECT * FROM {_raw(table)} r", ident(ROW_ID if table is root else ROOT_ID)
            if self.doubles:
                last = f"SELECT 1 FROM {LAST} l WHERE l.id = r.{owner} AND l.seq = r.{SEQ}"
                select += f" WHERE EXISTS ({last})"
            if table is root:
                self.connection.execute(f"CREATE OR REPLACE TEMP VIEW {SWEPT} AS {select}")
                select = f"SELECT * FROM {SWEPT} r WHERE NOT {buried}" if buried else select
            elif buried:
                select = f"SELECT * FROM ({select}) c WHERE {owner} IN (SELECT {row_id} FROM {spool_view(root)})"
            self.connection.execute(f"CREATE OR REPLACE TEMP VIEW {spool_view(table)} AS {select}")

    def _last(self) -> str:
        """SQL for the batch that has the record that counts, of those with one id."""
        version = self.marks.version
        if version is None or version.name not in self.plan.root.columns:
            return f"max({SEQ})"
        return f"first({SEQ} ORDER BY {ident(version.name)} {version.dedup_sort} NULLS LAST, {SEQ} DESC)"

    def _is_tombstone(self, row: str) -> str | None:
        """SQL that tells whether a spooled row is a tombstone; None where none can be."""
        column = self.marks.tombstone
        if column is None or column.name not in self.plan.root.columns:
            return None
        value = f"{row}.{ident(column.name)}"
        return f"coalesce({value}, false)" if column.kind == "bool" else f"({value} IS NOT NULL)"

    def _find_buried(self) -> None:
        """Put the live rows that a tombstone names into GONE."""
        buried = self._is_tombstone("s") or "false"
        self.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {GONE} AS SELECT DISTINCT e.{ident(ROW_ID)} AS id "
            f"FROM {self.table(self.plan.root)} e JOIN {SWEPT} s ON {self.same} WHERE {self.live} AND {buried}"
        )
        self.counts.deleted = self.count(f"SELECT count(*) FROM {GONE}")

    def _compare_root(self) -> None:
        root = self.plan.root
        row_id = ident(ROW_ID)
        self.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {IDS} AS SELECT s.{row_id} AS id, "
            f"CASE WHEN e.{row_id} IS NULL THEN {NEW} WHEN e.{ident(DELETED_AT)} IS NOT NULL THEN {RETURNED} "
            f"WHEN s.{row_id} <> e.{row_id} OR {differs(root)} THEN {CHANGED} ELSE {UNCHANGED} END AS kind, "
            f"s.{row_id} <> e.{row_id} AS rekeyed "
            f"FROM ({self._spooled(root, *self.key)}) s "
            f"LEFT JOIN ({self._stored(root, *self.key, DELETED_AT)}) e ON {self.same}"
        )
        # a table that plain dlt appended to may hold an id more than once; one row is to remain
        if self.count(f"SELECT count(*) > count(DISTINCT id) FROM {IDS}"):
            self.connection.execute(
                f"CREATE OR REPLACE TEMP TABLE {IDS} AS SELECT id, bool_or(rekeyed) AS rekeyed, "
                f"CASE WHEN count(*) > 1 THEN {CHANGED} ELSE max(kind) END AS kind FROM {IDS} GROUP BY id"
            )

    def _compare_child(self, child: TablePlan) -> None:
        """A record whose child rows differ in any way is changed."""
        if not self.count(f"SELECT count(*) FROM {IDS} WHERE kind = {UNCHANGED}"):
            return
        root_id, row_id = ident(ROOT_ID), ident(ROW_ID)
        if child.exists:
            restricted = ""
            if self._is_small():
                restricted = f" WHERE {root_id} IN (SELECT id FROM {IDS} WHERE kind = {UNCHANGED})"
            differing = (
                f"SELECT coalesce(s.{root_id}, e.{root_id}) AS id "
                f"FROM ({self._spooled(child, ROOT_ID)}{restricted}) s "
                f"FULL JOIN ({self._stored(child, ROOT_ID)}{restricted}) e ON s.{row_id} = e.{row_id} "
                f"WHERE s.{row_id} IS NULL OR e.{row_id} IS NULL OR {differs(child)}"
            )
        else:
            differing = f"SELECT {root_id} AS id FROM {spool_view(child)}"
        self.connection.execute(f"UPDATE {IDS} SET kind = {CHANGED} WHERE kind = {UNCHANGED} AND id IN ({differing})")

    def _spooled(self, table: TablePlan, *keys: str) -> str:
        return comparable(table, spool_view(table), table.columns, keys)

    def _stored(self, table: TablePlan, *keys: str) -> str:
        return comparable(table, self.table(table), table.existing, keys)

    def _drop_orphans(self) -> None:
        """Child rows of new records are left over from main rows that somebody has removed by hand."""
        for child in self.plan.children:
            if child.exists:
                new = f" WHERE {ident(ROOT_ID)} IN (SELECT id FROM {IDS} WHERE kind = {NEW})"
                self.connection.execute(f"DELETE FROM {self.table(child)}{'' if self.all_new else new}")

    def _is_small(self) -> bool:
        stored = self.count(f"SELECT count(*) FROM {self.table(self.plan.root)}")
        return self.count(f"SELECT count(*) FROM {IDS}") < LOOKUP_SHARE * stored

    def _tally(self) -> None:
        query = f"SELECT kind, count(*), count(*) FILTER (WHERE rekeyed) FROM {IDS} GROUP BY 1"
        for kind, count, rekeyed in self.connection.execute(query).fetchall():
            name = {NEW: "new", CHANGED: "changed", RETURNED: "returned", UNCHANGED: "unchanged"}[kind]
            setattr(self.counts, name, count)
            self.counts.rekeyed += rekeyed

    def _compare_rejected(self) -> int:
        """A rejection that is in the table already is not stored again."""
        if not self.sweep.rejected_files:
            return 0
        table = rejected_table(self.sweep.root)
        fresh, row_id = "", ident(ROW_ID)
        if table_exists(self.connection, self.dataset, table):
            fresh = f" WHERE {row_id} NOT IN (SELECT {row_id} FROM {qualified(self.dataset, table)})"
        self.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {REJECTED} AS "
            f"SELECT DISTINCT *, {self.now} AS rejected_at FROM {parquet(self.sweep.rejected_files)}{fresh}"
        )
        return self.count(f"SELECT count(*) FROM {REJECTED}")

    @property
    def same(self) -> str:
        """SQL that tells whether a row `s` of the sweep and a stored row `e` are of one record."""
        return " AND ".join(f"s.{ident(name)} = e.{ident(name)}" for name in self.key)

    @property
    def live(self) -> str:
        """SQL that tells whether a stored row `e` is not marked as deleted."""
        return is_live(self.plan.root.existing, "e.")

    @property
    def replaced(self) -> str:
        """What follows FROM where the stored rows `e` are read that others take the place of."""
        swept = f"{IDS} i JOIN {spool_view(self.plan.root)} s ON s.{ident(ROW_ID)} = i.id"
        return f"{swept} JOIN {self.table(self.plan.root)} e ON {self.same} WHERE i.kind IN ({CHANGED}, {RETURNED})"

    def count(self, query: str) -> int:
        """The number that a query gives."""
        # a result that is not read to its end would keep the connection busy
        return int(self.connection.execute(query).fetchall()[0][0])

    def table(self, table: TablePlan) -> str:
        """A table in the warehouse, as SQL."""
        return qualified(self.dataset, table.name)


def _raw(table: TablePlan) -> str:
    return f"temp.main.{ident(f'_raw_{table.name}')}"


def spool_view(table: TablePlan) -> str:
    """The view of the spooled rows of a table in which each id comes once, without those of tombstones."""
    return f"temp.main.{ident(f'_spool_{table.name}')}"
