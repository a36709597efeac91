"""The rows of a sweep on disk, as Parquet, until the sweep is proven complete.

Nothing reaches the warehouse before the last page has been checked, and memory must not grow with the number
of pages; so each batch of rows is appended to one Parquet file per table at once.

Every row carries the number of its batch. No id comes twice in one batch, so a record that was received
more than once is the one with the highest, and its child rows are those of the same batch.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from invoices_assets.load.error_messages import explain
from invoices_assets.load.tables import ROW_ID
from invoices_assets.normalize.tables import NormalizedBatch, RejectedRecord
from invoices_assets.source.naming import normalized

SEQ = "_dlt_spool_seq"

_WRITTEN: Any = {"compression": "snappy", "use_dictionary": False, "write_statistics": False}
REJECTED_SCHEMA = pa.schema([(name, pa.string()) for name in ("key", "raw", "reason", ROW_ID)])


@dataclass(frozen=True)
class SpooledSweep:
    """A sweep on disk.

    Parameters:
        root: the main table.
        files: table -> its Parquet files, each with the schema it was written with.
        table_rows: table -> rows, an id that came n times counted n times.
        rejected: how many records were rejected.
        rejected_files: their Parquet files: key, raw, reason, `_dlt_id`.
        remarks: what has to be told -> how many rows it concerns.
        filled: table -> its columns that have a value in some row.
    """

    root: str
    files: dict[str, list[tuple[Path, pa.Schema]]]
    table_rows: dict[str, int]
    rejected: int
    rejected_files: list[Path]
    remarks: dict[str, int]
    filled: dict[str, set[str]] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Rows of the main table, an id that came n times counted n times."""
        return self.table_rows.get(self.root, 0)

    def has_value(self, place: str) -> bool:
        """Whether some row has a value in a column, or in one of what was nested there.

        Parameters:
            place: normalized path from the root record, such as `line_items__amount`.
        """
        path = f"{self.root}__{place}"
        columns = (f"{table}__{name}" for table, names in self.filled.items() for name in names)
        return any(f"{column}__".startswith(f"{path}__") for column in columns)

    def true_rows(self, name: str) -> int:
        """How many rows of the main table are true in a column; none where it is not there, or no bool."""
        count = 0
        for path, schema in self.files.get(self.root, []):
            if name in schema.names and pa.types.is_boolean(schema.field(name).type):
                count += pq.read_table(path, columns=[name])[name].combine_chunks().true_count
        return count

    @property
    def columns(self) -> dict[str, dict[str, list[pa.DataType]]]:
        """table -> column -> the types it came with, in the order they came."""
        found: dict[str, dict[str, list[pa.DataType]]] = {}
        for table, files in self.files.items():
            columns = found.setdefault(table, {})
            for _, schema in files:
                for name, kind in zip(schema.names, schema.types, strict=True):
                    if name != SEQ and kind not in columns.setdefault(name, []):
                        columns[name].append(kind)
        return found


@dataclass
class _TableFiles:
    """The Parquet files of one table: a new one only when a batch does not fit the one that is open."""

    directory: Path
    table: str
    files: list[tuple[Path, pa.Schema]] = field(default_factory=list)
    writer: pq.ParquetWriter | None = None
    rows: int = 0
    filled: set[str] = field(default_factory=set)

    def append(self, table: pa.Table) -> None:
        schema = self.files[-1][1] if self.files else None
        if schema is None or not _fits(table.schema, schema):
            self.close()
            path = self.directory / f"{self.table}.{len(self.files)}.parquet"
            schema = table.schema.remove_metadata()
            self.writer = pq.ParquetWriter(path, schema, **_WRITTEN)
            self.files.append((path, schema))
        assert self.writer is not None
        # columns that did not come are null
        self.writer.write_table(pa.concat_tables([schema.empty_table(), table], promote_options="default"))
        self.rows += table.num_rows
        open_names = (name for name in table.column_names if name not in self.filled)
        self.filled.update(name for name in open_names if table[name].null_count < table.num_rows)

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()
            self.writer = None


class Spool:
    """Writes the batches of a sweep.

    Parameters:
        directory: an empty folder of the run, removed by whoever made it.
        root: the name of the resource.
    """

    def __init__(self, directory: Path, root: str) -> None:
        self._directory = directory
        self._root = normalized(root)
        self._seq = 0
        self._tables: dict[str, _TableFiles] = {}
        self._rejected = _TableFiles(directory, "_rejected")
        self._remarks: Counter[str] = Counter()

    def append(self, batch: NormalizedBatch) -> None:
        """Writes a batch in which no id comes twice.

        Raises:
            WarehouseError: the disk is full or cannot be written.
        """
        with self._explained():
            for name, table in batch.tables.items():
                seq = pa.repeat(pa.scalar(self._seq, pa.int64()), table.num_rows)
                files = self._tables.setdefault(name, _TableFiles(self._directory, name))
                files.append(table.append_column(SEQ, seq))
            if batch.rejected:
                self._rejected.append(_rejected_table(batch.rejected))
        self._seq += 1
        self._remarks.update(batch.remarks)

    def finish(self) -> SpooledSweep:
        """Closes the files.

        Raises:
            WarehouseError: the disk is full or cannot be written.
        """
        with self._explained():
            for files in (*self._tables.values(), self._rejected):
                files.close()
        pa.default_memory_pool().release_unused()
        return SpooledSweep(
            root=self._root,
            files={name: files.files for name, files in self._tables.items()},
            table_rows={name: files.rows for name, files in self._tables.items()},
            rejected=self._rejected.rows,
            rejected_files=[path for path, _ in self._rejected.files],
            remarks=dict(self._remarks),
            filled={name: files.filled for name, files in self._tables.items()},
        )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise explain(error, self._directory) from error


def rejected_id(key: str | None, raw: str, reason: str) -> str:
    """The same rejection has the same id, in every run; written like the ids that dlt makes."""
    digest = hashlib.shake_128("\x00".join((key or "", raw, reason)).encode("utf-8", "surrogatepass")).digest(15)
    return base64.b64encode(digest).decode("ascii").rstrip("=")


def _rejected_table(rejected: Sequence[RejectedRecord]) -> pa.Table:
    rows = [
        {"key": r.key, "raw": r.raw, "reason": r.reason, ROW_ID: rejected_id(r.key, r.raw, r.reason)} for r in rejected
    ]
    return pa.Table.from_pylist(rows, schema=REJECTED_SCHEMA)


def _fits(schema: pa.Schema, into: pa.Schema) -> bool:
    return all(
        (index := into.get_field_index(name)) >= 0 and into.field(index).type == kind
        for name, kind in zip(schema.names, schema.types, strict=True)
    )
