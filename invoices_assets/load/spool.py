"""The rows of a sweep on disk, as Parquet, until the sweep is proven complete.

Nothing reaches the warehouse before the last page has been checked, and memory must not grow with the number
of pages; so each batch of records becomes rows at once and is appended to one Parquet file per table.

Every row carries the number of its batch. No id comes twice in one batch, so a record that was received
more than once is the one with the highest, and its child rows are those of the same batch.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from invoices_assets.extract.page import Page
from invoices_assets.load.error_messages import explain
from invoices_assets.normalize.converter import Converter
from invoices_assets.normalize.tables import NormalizedBatch, RejectedRecord
from invoices_assets.source.naming import normalized

SEQ = "_dlt_spool_seq"
ROW_ID = "_dlt_id"
BACKLOG = 2
FIRST_BATCH = 500
"""Records of the first batch: the converter learns from it how to be quicker with the others."""

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
    """

    root: str
    files: dict[str, list[tuple[Path, pa.Schema]]]
    table_rows: dict[str, int]
    rejected: int
    rejected_files: list[Path]
    remarks: dict[str, int]

    @property
    def rows(self) -> int:
        """Rows of the main table, an id that came n times counted n times."""
        return self.table_rows.get(self.root, 0)

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

    def append(self, table: pa.Table) -> None:
        schema = self.files[-1][1] if self.files else None
        if schema is None or not _fits(table.schema, schema):
            self.close()
            path = self.directory / f"{self.table}.{len(self.files)}.parquet"
            schema = table.schema.remove_metadata()
            self.writer = _writer(path, schema)
            self.files.append((path, schema))
        assert self.writer is not None
        self.writer.write_table(_aligned(table, schema))
        self.rows += table.num_rows

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()
            self.writer = None


class Spool:
    """Takes the records of a sweep page by page.

    Parameters:
        directory: an empty folder of the run, removed by whoever made it.
        converter: records to rows.
        root: the name of the resource.
        batch_rows: how many records are converted at once.
    """

    def __init__(
        self,
        directory: Path,
        converter: Converter,
        root: str,
        *,
        batch_rows: int = 4000,
    ) -> None:
        self._directory = Path(directory)
        self._converter = converter
        self._root = normalized(root)
        self._batch_rows = batch_rows
        self._pending: list[Page] = []
        self._pending_rows = 0
        self._seq = 0
        self._tables: dict[str, _TableFiles] = {}
        self._rejected = _TableFiles(self._directory, "_rejected")
        self._remarks: Counter[str] = Counter()
        # beside the downloads; with more threads they would wait for each other
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._running: list[Future[None]] = []

    def add(self, page: Page) -> None:
        """Take the records of one page.

        Raises:
            WarehouseError: the disk is full or cannot be written.
        """
        for part in self._small(page):
            limit = self._batch_rows if self._seq or self._running else min(FIRST_BATCH, self._batch_rows)
            if self._pending and self._pending_rows + len(part.outline) > limit:
                self._submit_pending()
            self._pending.append(part)
            self._pending_rows += len(part.outline)

    def _small(self, page: Page) -> Iterable[Page]:
        """The page, in parts where it alone is more than a batch."""
        if len(page.outline) <= self._batch_rows:
            return [page]
        starts = range(0, len(page.records), self._batch_rows)
        return (Page(page.records[start : start + self._batch_rows]) for start in starts)

    def finish(self) -> SpooledSweep:
        """Write what is left and close the files.

        Raises:
            WarehouseError: the disk is full or cannot be written.
        """
        try:
            if self._pending:
                self._submit_pending()
            while self._running:
                self._running.pop(0).result()
            try:
                for files in (*self._tables.values(), self._rejected):
                    files.close()
            except OSError as error:
                raise explain(error, self._directory) from error
        finally:
            self.close()
        pa.default_memory_pool().release_unused()
        return SpooledSweep(
            root=self._root,
            files={name: files.files for name, files in self._tables.items()},
            table_rows={name: files.rows for name, files in self._tables.items()},
            rejected=self._rejected.rows,
            rejected_files=[path for path, _ in self._rejected.files],
            remarks=dict(self._remarks),
        )

    def close(self) -> None:
        """Stop; also the way to give a sweep up."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _submit_pending(self) -> None:
        batch, self._pending, self._pending_rows = self._pending, [], 0
        while len(self._running) >= BACKLOG:
            self._running.pop(0).result()
        self._running.append(self._pool.submit(self._write, batch))

    def _write(self, batch: Sequence[Page]) -> None:
        converted = self._converter.convert_pages(batch)
        root = converted.tables.get(self._root)
        if root is not None and root.num_rows > 1 and len(root[ROW_ID].unique()) < root.num_rows:
            # child rows name their record by its id only, so an id must not come twice in a batch
            records = [record for page in batch for record in page.records]
            middle = len(records) // 2
            self._write([Page(records[:middle])])
            self._write([Page(records[middle:])])
            return
        try:
            self._append(converted)
        except OSError as error:
            raise explain(error, self._directory) from error

    def _append(self, converted: NormalizedBatch) -> None:
        for name, table in converted.tables.items():
            if name not in self._tables:
                self._tables[name] = _TableFiles(self._directory, name)
            seq = pa.repeat(pa.scalar(self._seq, pa.int64()), table.num_rows)
            self._tables[name].append(table.append_column(SEQ, seq))
        self._seq += 1
        if converted.rejected:
            self._rejected.append(_rejected_table(converted.rejected))
        self._remarks.update(converted.remarks)


def rejected_id(key: str | None, raw: str, reason: str) -> str:
    """The same rejection has the same id, in every run; written like the ids that dlt makes."""
    digest = hashlib.shake_128("\x00".join((key or "", raw, reason)).encode("utf-8", "surrogatepass")).digest(15)
    return base64.b64encode(digest).decode("ascii").rstrip("=")


def _rejected_table(rejected: Sequence[RejectedRecord]) -> pa.Table:
    rows = [
        {"key": r.key, "raw": r.raw, "reason": r.reason, ROW_ID: rejected_id(r.key, r.raw, r.reason)} for r in rejected
    ]
    return pa.Table.from_pylist(rows, schema=REJECTED_SCHEMA)


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    return pq.ParquetWriter(path, schema, compression="snappy", use_dictionary=False, write_statistics=False)


def _fits(schema: pa.Schema, into: pa.Schema) -> bool:
    return all(
        (index := into.get_field_index(name)) >= 0 and into.field(index).type == kind
        for name, kind in zip(schema.names, schema.types, strict=True)
    )


def _aligned(table: pa.Table, schema: pa.Schema) -> pa.Table:
    names = set(table.column_names)
    arrays = [
        table[name] if name in names else pa.nulls(table.num_rows, kind)
        for name, kind in zip(schema.names, schema.types, strict=True)
    ]
    return pa.table(arrays, schema=schema)
