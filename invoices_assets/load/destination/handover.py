"""A proven sweep on its way through dlt's extract, normalize and load, and what becomes of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from dlt.common.storages import FileStorage

from invoices_assets.errors import LoadFailed
from invoices_assets.load.load import LoadResult
from invoices_assets.load.request import LoadRequest
from invoices_assets.load.spool import REJECTED_SCHEMA, SpooledSweep
from invoices_assets.source.naming import rejected_table
from invoices_assets.source.resource import ResourceSpec


@dataclass
class Handover:
    """What a load has to know beside the rows, which travel as files of dlt's load package.

    Parameters:
        sweep: proven complete, for what it asked.
        spec: the resource.
        request: what the sweep covers, and what the load is to do with it.
        directory: of the run.
        result: filled by the load.
    """

    sweep: SpooledSweep
    spec: ResourceSpec
    request: LoadRequest
    directory: Path
    result: LoadResult = field(default_factory=LoadResult)
    _kept: dict[str, list[Path]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self.result.rejected = self.sweep.rejected
        self.result.remarks += [f"{sentence} ({rows} rows)" for sentence, rows in sorted(self.sweep.remarks.items())]

    def files(self) -> Iterator[tuple[str, Path, int]]:
        """The table, the path and the number of rows of each file that dlt is to carry."""
        for table, files in self.sweep.files.items():
            for path, _ in files:
                yield table, path, pq.read_metadata(path).num_rows
        for path in self.sweep.rejected_files or [self._no_rejections()]:
            yield self._rejected, path, pq.read_metadata(path).num_rows

    def _no_rejections(self) -> Path:
        # a load of nothing is a load too, and dlt makes a package only of files
        path = self.directory / f"{self._rejected}.none.parquet"
        pq.write_table(REJECTED_SCHEMA.empty_table(), path)
        return path

    def arrow_types(self, table: str) -> dict[str, pa.DataType]:
        """The columns of a table, each with the type that it came with first."""
        if table == self._rejected:
            return dict(zip(REJECTED_SCHEMA.names, REJECTED_SCHEMA.types, strict=True))
        types: dict[str, pa.DataType] = {}
        for _, schema in self.sweep.files[table]:
            types = dict(zip(schema.names, schema.types, strict=True)) | types
        return types

    @property
    def tables(self) -> set[str]:
        """Those whose rows it has."""
        return {*self.sweep.files, self._rejected}

    def keep(self, table: str, file: str) -> None:
        """Take a file over from dlt, which is about to move it; may be called by several threads at once."""
        # dlt gives each file a name of its own
        path = self.directory / f"arrived.{Path(file).name}"
        FileStorage.link_hard_with_fallback(file, str(path))
        self._kept[table].append(path)

    def kept(self, table: str) -> list[Path]:
        """The files of one table."""
        return self._kept[table]

    def arrived(self) -> SpooledSweep:
        """The sweep as it has come out of dlt's steps.

        Raises:
            LoadFailed: not just the rows that were proven.
        """
        proven = {**self.sweep.table_rows, self._rejected: self.sweep.rejected}
        came = {table: sum(pq.read_metadata(path).num_rows for path in self.kept(table)) for table in proven}
        if came != proven:
            raise LoadFailed(f"dlt has handed on {came} rows, but {proven} were proven; nothing was loaded")
        files: Any = {table: [(path, pq.read_schema(path)) for path in self.kept(table)] for table in self.sweep.files}
        rejected = self.kept(self._rejected) if self.sweep.rejected else []
        return replace(self.sweep, files=files, rejected_files=rejected)

    @property
    def _rejected(self) -> str:
        return rejected_table(self.sweep.root)
