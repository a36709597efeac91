"""A proven sweep on its way through dlt's extract, normalize and load, and what becomes of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock

import pyarrow as pa
import pyarrow.parquet as pq

from invoices_assets.errors import LoadFailed
from invoices_assets.load.load import LoadResult
from invoices_assets.load.request import LoadRequest
from invoices_assets.load.spool import REJECTED_SCHEMA, SpooledSweep
from invoices_assets.source.naming import rejected_table
from invoices_assets.source.resource import ResourceSpec


@dataclass
class Handover:
    """What a load has to know beside the rows, which are files of dlt's load package.

    Parameters:
        sweep: proven complete, for what it asked.
        spec: the resource.
        request: what the sweep covers, and what the load is to do with it.
        directory: of the sweep.
        result: filled by the load.
    """

    sweep: SpooledSweep
    spec: ResourceSpec
    request: LoadRequest
    directory: Path
    result: LoadResult = field(default_factory=LoadResult)
    _came: Counter[str] = field(default_factory=Counter)
    _lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self.result.rejected = self.sweep.rejected
        self.result.remarks += [f"{sentence} ({rows} rows)" for sentence, rows in sorted(self.sweep.remarks.items())]

    @cached_property
    def files(self) -> dict[str, tuple[Path, pa.Schema, int]]:
        """The files that dlt is to carry, each with its schema and number of rows, by the name that dlt knows it by.

        That is the table for its first file. A further one has other columns, or other types of them, which dlt would
        write into one file with the others, or fail to.
        """
        tables = {table: [path for path, _ in files] for table, files in self.sweep.files.items()}
        if self.sweep.rejected_files or not tables:
            tables[self._rejected] = self.sweep.rejected_files or [self._no_rejections()]
        found: dict[str, tuple[Path, pa.Schema, int]] = {}
        for table, paths in tables.items():
            for number, path in enumerate(paths):
                name = f"{table}__file_{number}" if number else table
                while number and name in tables:
                    name += "_"
                found[name] = path, pq.read_schema(path), pq.read_metadata(path).num_rows
        return found

    def _no_rejections(self) -> Path:
        # a load of nothing is a load too, and dlt makes a package only of files; it counts the table as one with rows
        path = self.directory / f"{self._rejected}.none.parquet"
        pq.write_table(REJECTED_SCHEMA.empty_table(), path)
        return path

    def count(self, name: str, file: str) -> None:
        """Take note of a file that has come out of dlt's steps; may be called by several threads at once."""
        if name in self.files:
            rows = pq.read_metadata(file).num_rows
            with self._lock:
                self._came[name] += rows

    def arrived(self) -> SpooledSweep:
        """The sweep, when all of it has come through dlt's steps.

        Its rows are read from the files that were proven: dlt may write a file anew, by settings of its own.

        Raises:
            LoadFailed: not just the rows that were proven.
        """
        proven = {name: rows for name, (_, _, rows) in self.files.items()}
        if proven != {name: self._came[name] for name in proven}:
            raise LoadFailed(f"dlt has handed on {dict(self._came)} rows, but {proven} were proven; nothing was loaded")
        return self.sweep

    @property
    def _rejected(self) -> str:
        return rejected_table(self.sweep.root)
