"""A stand-in for the warehouse file, where the warehouse is none: a copy of what a load has to know of it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from invoices_assets.load.remote.client import KEYS_AT_ONCE, Remote, open_remote
from invoices_assets.load.request import LoadRequest, Stretch, bound
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.spool import SpooledSweep
from invoices_assets.load.sql import CATALOG, ident, literal
from invoices_assets.load.tables import DELETED_AT, ROOT_ID, ROW_ID, Stored, qualified
from invoices_assets.source.naming import history_table, rejected_table
from invoices_assets.source.resource import ResourceSpec

DLT_TABLES = ("_dlt_pipeline_state", "_dlt_loads", "_dlt_version")
# for a sweep of more records, all rows of the warehouse are mirrored
MOST_KEYS = 5000


@contextlib.contextmanager
def empty_mirror(settings: WarehouseSettings, working_dir: Path | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty DuckDB database in the place of the warehouse; in memory, if there is no working folder."""
    config: dict[str, Any] = {"memory_limit": settings.memory_limit, "preserve_insertion_order": False}
    config["temp_directory"] = str(working_dir / "duckdb_tmp") if working_dir else ""
    with duckdb.connect(":memory:", config=config) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        path = str(working_dir / "mirror.duckdb") if working_dir else ":memory:"
        connection.execute(f"ATTACH {literal(path)} AS {ident(CATALOG)}")
        connection.execute(f"USE {ident(CATALOG)}")
        connection.execute(f"CREATE SCHEMA {ident(settings.dataset)}")
        yield connection


@contextlib.contextmanager
def mirrored_state(settings: WarehouseSettings) -> Iterator[duckdb.DuckDBPyConnection]:
    """All tables of the warehouse, with dlt's state, the rejected records and a live row each.

    Raises:
        WarehouseError: the warehouse cannot be read.
    """
    with empty_mirror(settings) as connection:
        with open_remote(settings) as remote:
            mirror = Mirror(connection, remote, settings.dataset, None)
            mirror.copy_state()
            mirror.copy_live_rows()
        yield connection


class Mirror:
    """Copies tables of one resource, or of all.

    Parameters:
        connection: of an `empty_mirror`.
        remote: the warehouse.
        root: the main table; None for the tables of all resources.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, remote: Remote, dataset: str, root: str | None) -> None:
        self._connection = connection
        self._remote = remote
        self._dataset = dataset
        self._root = root
        names = remote.tables()
        if root is not None:
            own = {root, rejected_table(root), history_table(root), *DLT_TABLES}
            names = [name for name in names if name in own or name.startswith(f"{root}__")]
        self._columns: Mapping[str, Stored] = remote.columns(names)
        for table, columns in self._columns.items():
            parts = [f"{ident(c)} {kind}{'' if null else ' NOT NULL'}" for c, (kind, null) in columns.items()]
            connection.execute(f"CREATE TABLE {qualified(dataset, table)} ({', '.join(parts)})")

    def copy_state(self) -> None:
        """dlt's own tables and the rejected records: few rows each."""
        for table in self._columns:
            if table in DLT_TABLES or table.endswith(rejected_table("")):
                self._copy(table)

    def copy_live_rows(self) -> None:
        """One row of each main table, live if there is such; enough to tell whether there are any."""
        for table, columns in self._columns.items():
            if DELETED_AT in columns:
                self._copy(table, f" ORDER BY {self._remote.name(DELETED_AT)} IS NOT NULL LIMIT 1")

    def copy_rows(self, sweep: SpooledSweep, resource: ResourceSpec, request: LoadRequest) -> None:
        """What the sweep is compared with.

        Parameters:
            request: for a part, only the rows of records of the sweep, and one of the overlap where it has none.
        """
        keys = None if request.scope.is_everything or resource.history else _keys(sweep, resource.primary_key)
        if keys is None:
            for table in self._columns:
                if table == self._root or ROOT_ID in self._columns[table]:
                    self._copy(table)
        elif self._root is not None and self._root in self._columns:
            self._copy_among(self._root, resource.primary_key[0], keys)
            query = f"SELECT {ident(ROW_ID)} FROM {qualified(self._dataset, self._root)}"
            ids = [row_id for (row_id,) in self._connection.execute(query).fetchall()]
            for table in self._columns:
                if ROOT_ID in self._columns[table]:
                    self._copy_among(table, ROOT_ID, ids)
            if request.overlap is not None:
                self._copy_one_of(self._root, request.overlap)

    def _copy_one_of(self, root: str, overlap: Stretch) -> None:
        """A live row of the overlap, if none is here yet; enough to tell that the warehouse knows some."""
        kind, _ = self._columns[root].get(overlap.column, ("", True))
        start, end = bound(overlap.start, kind), None if overlap.end is None else bound(overlap.end, kind)
        if start is None or end is None:
            return
        column, table = ident(overlap.column), qualified(self._dataset, root)
        here = f"SELECT 1 FROM {table} WHERE {column} > {start} AND {column} <= {end} LIMIT 1"
        if not self._connection.execute(here).fetchall():
            first, last = (self._remote.value(str(value)) for value in (overlap.start, overlap.end))
            stamp, deleted = self._remote.name(overlap.column), self._remote.name(DELETED_AT)
            live = f" AND {deleted} IS NULL" if DELETED_AT in self._columns[root] else ""
            self._copy(root, f" WHERE {stamp} > {first} AND {stamp} <= {last}{live} LIMIT 1")

    def _copy_among(self, table: str, column: str, values: Sequence[Any]) -> None:
        for start in range(0, len(values), KEYS_AT_ONCE):
            listed = ", ".join(map(self._remote.value, values[start : start + KEYS_AT_ONCE]))
            self._copy(table, f" WHERE {self._remote.name(column)} IN ({listed})")

    def _copy(self, table: str, clauses: str = "") -> None:
        columns = list(self._columns.get(table, {}))
        if not columns:
            return
        for rows in self._remote.rows(table, columns, clauses):
            batch = {column: [_plain(row[i]) for row in rows] for i, column in enumerate(columns)}
            self._connection.register("_mirrored", pa.table(batch))
            target = qualified(self._dataset, table)
            self._connection.execute(f"INSERT INTO {target} BY NAME SELECT * FROM _mirrored")
            self._connection.unregister("_mirrored")


def _keys(sweep: SpooledSweep, primary_key: Sequence[str]) -> list[Any] | None:
    """The keys of the records of a small sweep; None where all rows have to be compared."""
    if sweep.rows > MOST_KEYS or len(primary_key) != 1:
        return None
    found: set[Any] = set()
    for path, _ in sweep.files.get(sweep.root, []):
        found.update(pq.read_table(path, columns=[primary_key[0]])[0].to_pylist())
    return sorted(found, key=str)


def _plain(value: Any) -> Any:
    """A value as Arrow takes it: drivers give JSON as objects and bytes as views."""
    if isinstance(value, dict | list):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return bytes(value) if isinstance(value, memoryview) else value
