"""What a sweep changes: its rows are compared with the tables, and only what differs is handed on.

An id is new, changed (a column of its row, or any of its child rows, differs), returned (it was marked deleted),
unchanged, or, after a complete sweep, gone. Gone rows stay, with the time in `deleted_at`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from invoices_assets.load.connection import ident, literal
from invoices_assets.load.errors import DeletionRefused
from invoices_assets.load.evolution import spooled_select
from invoices_assets.load.exact import plain_number
from invoices_assets.load.kinds import duckdb_type, text_of
from invoices_assets.load.spool import SEQ, SpooledSweep
from invoices_assets.load.tables import (
    DELETED_AT,
    LOAD_ID,
    ROOT_ID,
    ROW_ID,
    TIMESTAMPTZ,
    Plan,
    TablePlan,
    qualified,
    rejected_table,
    table_exists,
)

UNCHANGED, NEW, CHANGED, RETURNED = range(4)
# dlt makes a job of each file; beyond so many, one new file is cheaper
MOST_FILES = 8
# below this share of a table, child rows are looked up by their record instead of read as a whole
LOOKUP_SHARE = 0.1
PARQUET = "(FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE 61440)"


@dataclass
class Counts:
    """How many records of the main table are what; `rekeyed` are those whose dlt row id had to be replaced."""

    new: int = 0
    changed: int = 0
    returned: int = 0
    unchanged: int = 0
    deleted: int = 0
    rejected_new: int = 0
    rekeyed: int = 0

    @property
    def any(self) -> bool:
        return bool(self.new or self.changed or self.returned or self.deleted or self.rejected_new)


@dataclass(frozen=True)
class Files:
    """Parquet files of one table and how many rows they have together."""

    paths: list[Path]
    rows: int


class Delta:
    """The difference between a sweep and the warehouse.

    Parameters:
        connection: the warehouse, in the transaction of the load.
        shapes: the tables as they will be; already widened.
        primary_key: columns of the main table.
        now: the time for `deleted_at` and `rejected_at`.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        dataset: str,
        sweep: SpooledSweep,
        shapes: Shapes,
        primary_key: Sequence[str],
        now: datetime,
    ) -> None:
        self._connection = connection
        self._dataset = dataset
        self._sweep = sweep
        self._shapes = shapes
        self._key = primary_key
        self._now = literal(now.astimezone(timezone.utc).isoformat())
        self._all_new = False
        self._doubles = False
        self.counts = Counts()

    def compare(self, *, complete: bool, everything: bool, max_deleted_share: float) -> Counts:
        """Find out what is new, changed, returned and, when the sweep is `complete`, gone.

        Raises:
            DeletionRefused: more than `max_deleted_share` of the live rows would vanish, or all of them.
        """
        self._view_spool()
        root = self._shapes.root
        stored = self._count(f"SELECT count(*) FROM {self._table(root)}") if root.exists else 0
        if not stored:
            self._all_new = True
            self.counts.new = self._count(f"SELECT count(*) FROM {_spool(root)}")
        else:
            self._compare_root()
            for child in self._shapes.children:
                self._compare_child(child)
            self._tally()
            if complete or everything:
                self._refuse_nothing()
            if complete:
                self._find_gone(max_deleted_share)
        self.counts.rejected_new = self._compare_rejected()
        return self.counts

    def write(self, directory: Path, load_id: str) -> dict[str, Files]:
        """The rows to load as Parquet files: table -> its files.

        Files of the spool are handed on as they are where that is possible; they have the hidden column `_seq`, and
        lack `_dlt_load_id`, `deleted_at` and columns that did not come.

        Parameters:
            load_id: of dlt's load package, for the column `_dlt_load_id`.
        """
        files: dict[str, Files] = {}
        counts = self.counts
        if counts.new or counts.changed or counts.returned or counts.deleted:
            for shape in self._shapes.tables.values():
                path = directory / f"{shape.name}.delta.parquet"
                files[shape.name] = self._as_spooled(shape) or self._copy(self._rows(shape, load_id), path)
        if counts.rejected_new:
            select = f"SELECT *, {literal(load_id)} AS {ident(LOAD_ID)} FROM temp.main._delta_rejected"
            files[f"{self._sweep.root}_rejected"] = self._copy(select, directory / "_rejected.delta.parquet")
        return files

    def _as_spooled(self, shape: TableShape) -> Files | None:
        """The spooled files, when all of their rows are to be loaded and none needs another type."""
        files = self._sweep.files.get(shape.name, [])
        if not self._all_new or self._doubles or not 0 < len(files) <= MOST_FILES:
            return None
        for _, schema in files:
            for name, kind in zip(schema.names, schema.types, strict=True):
                if name != SEQ and duckdb_type(kind) != shape.columns[name]:
                    return None
        return Files([path for path, _ in files], self._sweep.table_rows[shape.name])

    def _view_spool(self) -> None:
        """Views of the spool in which each id comes once, from the last batch that has it."""
        execute = self._connection.execute
        root = self._shapes.root
        for shape in self._shapes.tables.values():
            select = spooled_select(self._sweep, shape, extra=(SEQ,))
            execute(f"CREATE OR REPLACE TEMP VIEW {_raw(shape)} AS {select}")
        row_id = ident(ROW_ID)
        doubles = self._count(f"SELECT count(*) - count(DISTINCT {row_id}) FROM {_raw(root)}")
        self._doubles = bool(doubles)
        if doubles:
            execute(
                f"CREATE OR REPLACE TEMP TABLE temp.main._delta_last AS "
                f"SELECT {row_id} AS id, max({SEQ}) AS seq FROM {_raw(root)} GROUP BY 1"
            )
        for shape in self._shapes.tables.values():
            select = f"SELECT * FROM {_raw(shape)} r"
            if doubles:
                owner = ident(ROW_ID if shape is root else ROOT_ID)
                select += f" WHERE EXISTS (SELECT 1 FROM temp.main._delta_last l WHERE l.id = r.{owner} AND l.seq = r.{SEQ})"
            execute(f"CREATE OR REPLACE TEMP VIEW {_spool(shape)} AS {select}")

    def _compare_root(self) -> None:
        root = self._shapes.root
        row_id = ident(ROW_ID)
        differs = _differs(root)
        deleted = f"e.{ident(DELETED_AT)} IS NOT NULL" if DELETED_AT in root.existing else "false"
        on = " AND ".join(f"s.{ident(k)} = e.{ident(k)}" for k in self._key)
        self._connection.execute(
            f"CREATE OR REPLACE TEMP TABLE temp.main._delta_ids AS SELECT s.{row_id} AS id, "
            f"CASE WHEN e.{row_id} IS NULL THEN {NEW} WHEN {deleted} THEN {RETURNED} "
            f"WHEN s.{row_id} <> e.{row_id} OR {differs} THEN {CHANGED} ELSE {UNCHANGED} END AS kind, "
            f"s.{row_id} <> e.{row_id} AS rekeyed "
            f"FROM {_spool(root)} s LEFT JOIN {self._table(root)} e ON {on}"
        )
        # a table that plain dlt appended to may hold an id more than once; one row is to remain
        twice = self._count("SELECT count(*) - count(DISTINCT id) FROM temp.main._delta_ids")
        if twice:
            self._connection.execute(
                f"CREATE OR REPLACE TEMP TABLE temp.main._delta_ids AS SELECT id, CASE WHEN count(*) > 1 THEN {CHANGED} "
                f"ELSE max(kind) END AS kind, bool_or(rekeyed) AS rekeyed FROM temp.main._delta_ids GROUP BY id"
            )

    def _compare_child(self, child: TableShape) -> None:
        """A record whose child rows differ in any way is changed."""
        if not self._count(f"SELECT count(*) FROM temp.main._delta_ids WHERE kind = {UNCHANGED}"):
            return
        root_id, row_id = ident(ROOT_ID), ident(ROW_ID)
        same = f"(SELECT id FROM temp.main._delta_ids WHERE kind = {UNCHANGED})"
        if not child.exists:
            differing = f"SELECT {root_id} AS id FROM {_spool(child)}"
        else:
            lookup = self._is_small(child)
            stored = f"SELECT * FROM {self._table(child)}" + (f" WHERE {root_id} IN {same}" if lookup else "")
            spooled = f"SELECT * FROM {_spool(child)}" + (f" WHERE {root_id} IN {same}" if lookup else "")
            differing = (
                f"SELECT coalesce(s.{root_id}, e.{root_id}) AS id FROM ({spooled}) s FULL JOIN ({stored}) e "
                f"ON s.{row_id} = e.{row_id} WHERE s.{row_id} IS NULL OR e.{row_id} IS NULL OR {_differs(child)}"
            )
        self._connection.execute(
            f"UPDATE temp.main._delta_ids SET kind = {CHANGED} WHERE kind = {UNCHANGED} AND id IN ({differing})"
        )

    def _is_small(self, child: TableShape) -> bool:
        records = self._count("SELECT count(*) FROM temp.main._delta_ids")
        return records < LOOKUP_SHARE * self._count(f"SELECT count(*) FROM {self._table(self._shapes.root)}")

    def _tally(self) -> None:
        found = dict(self._connection.execute("SELECT kind, count(*) FROM temp.main._delta_ids GROUP BY 1").fetchall())
        self.counts.new = found.get(NEW, 0)
        self.counts.changed = found.get(CHANGED, 0)
        self.counts.returned = found.get(RETURNED, 0)
        self.counts.unchanged = found.get(UNCHANGED, 0)
        self.counts.rekeyed = self._count("SELECT count(*) FROM temp.main._delta_ids WHERE rekeyed")

    def _refuse_nothing(self) -> None:
        if self._sweep.rows or self._sweep.rejected:
            return
        root = self._shapes.root
        live = f"WHERE {ident(DELETED_AT)} IS NULL" if DELETED_AT in root.existing else ""
        total = self._count(f"SELECT count(*) FROM {self._table(root)} {live}")
        if total:
            raise DeletionRefused(
                f"the API shows no records though the warehouse has {total} in {self._dataset}.{root.name}; "
                "nothing was changed, for some APIs answer a wrong key with an empty list"
            )

    def _find_gone(self, max_deleted_share: float) -> None:
        root = self._shapes.root
        live = f"e.{ident(DELETED_AT)} IS NULL" if DELETED_AT in root.existing else "true"
        on = " AND ".join(f"s.{ident(k)} = e.{ident(k)}" for k in self._key)
        rejected = ""
        if self._sweep.rejected_files:
            key = f"CAST(e.{ident(self._key[0])} AS VARCHAR)"
            files = ", ".join(literal(str(path)) for path in self._sweep.rejected_files)
            rejected = f" AND {key} NOT IN (SELECT key FROM read_parquet([{files}]) WHERE key IS NOT NULL)"
        self._connection.execute(
            f"CREATE OR REPLACE TEMP TABLE temp.main._delta_gone AS SELECT DISTINCT e.{ident(ROW_ID)} AS id "
            f"FROM {self._table(root)} e WHERE {live} AND NOT EXISTS "
            f"(SELECT 1 FROM {_spool(root)} s WHERE {on}){rejected}"
        )
        gone = self._count("SELECT count(*) FROM temp.main._delta_gone")
        if not gone:
            return
        total = self._count(f"SELECT count(*) FROM {self._table(root)} e WHERE {live}")
        if gone > max_deleted_share * total:
            raise DeletionRefused(
                f"{gone} of {total} records in {self._dataset}.{root.name} ({gone / total:.0%}) are missing from the API, more than the "
                f"limit of {max_deleted_share:.0%}; nothing was marked as deleted; if this is right, "
                "raise max_deleted_share in the run config"
            )
        self.counts.deleted = gone

    def _compare_rejected(self) -> int:
        if not self._sweep.rejected_files:
            return 0
        files = ", ".join(literal(str(path)) for path in self._sweep.rejected_files)
        table = f"{self._sweep.root}_rejected"
        known = self._connection.execute(
            "SELECT count(*) FROM duckdb_tables() WHERE database_name = 'warehouse' AND schema_name = ? "
            "AND table_name = ?",
            [self._dataset, table],
        ).fetchone()
        fresh = ""
        if known and known[0]:
            fresh = f" WHERE {ident(ROW_ID)} NOT IN (SELECT {ident(ROW_ID)} FROM {qualified(self._dataset, table)})"
        self._connection.execute(
            f"CREATE OR REPLACE TEMP TABLE temp.main._delta_rejected AS SELECT DISTINCT *, "
            f"CAST({self._now} AS TIMESTAMP WITH TIME ZONE) AS rejected_at FROM read_parquet([{files}]){fresh}"
        )
        return self._count("SELECT count(*) FROM temp.main._delta_rejected")

    def _rows(self, shape: TableShape, load_id: str) -> str:
        """SQL for the rows of one table that are to be loaded."""
        root = shape is self._shapes.root
        owner = ident(ROW_ID if root else ROOT_ID)
        known = [c for c in shape.columns if c not in (LOAD_ID, DELETED_AT)] if root else list(shape.columns)
        columns = ", ".join(ident(c) for c in known)
        stamp = f", {literal(load_id)} AS {ident(LOAD_ID)}" if root else ""
        alive = f", CAST(NULL AS TIMESTAMP WITH TIME ZONE) AS {ident(DELETED_AT)}" if root else ""
        select = f"SELECT {columns}{stamp}{alive} FROM {_spool(shape)}"
        if not self._all_new:
            select += f" WHERE {owner} IN (SELECT id FROM temp.main._delta_ids WHERE kind <> {UNCHANGED})"
        if self.counts.deleted and shape.exists:
            dead = f", CAST({self._now} AS TIMESTAMP WITH TIME ZONE) AS {ident(DELETED_AT)}" if root else ""
            old = ", ".join(
                ident(c) if c in shape.existing else f"CAST(NULL AS {shape.columns[c]}) AS {ident(c)}" for c in known
            )
            select += (
                f" UNION ALL SELECT {old}{stamp}{dead} FROM {self._table(shape)} "
                f"WHERE {owner} IN (SELECT id FROM temp.main._delta_gone)"
            )
        return select

    def _copy(self, select: str, path: Path) -> Files:
        row = self._connection.execute(f"COPY ({select}) TO {literal(str(path))} {PARQUET}").fetchone()
        return Files([path], int(row[0]) if row else 0)

    def _count(self, query: str) -> int:
        row = self._connection.execute(query).fetchone()
        return int(row[0]) if row else 0

    def _table(self, shape: TableShape) -> str:
        return qualified(self._dataset, shape.name)


def _differs(shape: TableShape) -> str:
    """SQL that is true when the spooled row `s` and the stored row `e` differ in a column of the API."""
    parts = [
        f"s.{ident(c)} IS DISTINCT FROM e.{ident(c)}" if c in shape.existing else f"s.{ident(c)} IS NOT NULL"
        for c in shape.data_columns
    ]
    return f"({' OR '.join(parts)})" if parts else "false"


def _raw(shape: TableShape) -> str:
    return f"temp.main.{ident(f'_raw_{shape.name}')}"


def _spool(shape: TableShape) -> str:
    return f"temp.main.{ident(f'_spool_{shape.name}')}"
