"""dlt's three steps, extract, normalize and load, for Parquet files that are ready.

The pipeline lives in the run's working folder and nowhere else: no telemetry, no trace file, nothing in the
home folder. State and schema come from the destination and go back to it with the rows.
"""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import dlt
import pyarrow.parquet as pq
from dlt.common.destination import Destination
from dlt.common.schema import Schema
from dlt.common.schema.utils import dlt_id_column, dlt_load_id_column, new_table
from dlt.common.storages.load_package import ParsedLoadJobFileName, load_package_state
from dlt.destinations.impl.duckdb.factory import DuckDbTypeMapper
from dlt.extract.hints import make_hints
from dlt.extract.resource import DltResource
from dlt.extract.source import DltSource
from dlt.pipeline.pipeline import Pipeline

from invoices_assets.load.diff.history import STATE as HISTORY_STATE
from invoices_assets.load.diff.history import VALID_FROM, VALID_TO, merge_key
from invoices_assets.load.saved_state import merged_state
from invoices_assets.load.tables import DELETED_AT, LIST_INDEX, LOAD_ID, PARENT_ID, ROOT_ID, ROW_ID, LoadPlan, TablePlan
from invoices_assets.load.types import DECIMAL
from invoices_assets.source.columns import Column
from invoices_assets.source.naming import rejected_table
from invoices_assets.source.resource import ResourceSpec

os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")


# the rows of the delta are distinct by construction; the two keys are never both set, for dlt would OR them
MERGE: Any = {"disposition": "merge", "strategy": "delete-insert", "deduplicated": True}
KEY_COLUMNS: dict[str, dict[str, Any]] = {
    ROW_ID: dict(dlt_id_column()),
    LOAD_ID: dict(dlt_load_id_column()),
    ROOT_ID: {"name": ROOT_ID, "data_type": "text", "nullable": False, "root_key": True},
    PARENT_ID: {"name": PARENT_ID, "data_type": "text", "nullable": False, "parent_key": True},
    LIST_INDEX: {"name": LIST_INDEX, "data_type": "bigint", "nullable": False},
}


_UNDECLARED = Column(name="")


@contextlib.contextmanager
def quiet_dlt() -> Iterator[None]:
    """dlt logs each failure with its stack on stderr and raises it as well; the second is enough."""
    logger = logging.getLogger("dlt")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextlib.contextmanager
def new_pipeline(dataset: str, destination: Destination[Any, Any], directory: Path) -> Iterator[Pipeline]:
    """A pipeline in `directory`, with the state and the schema that the destination has."""
    with quiet_dlt(), _without_percent(directory) as place:
        pipeline = dlt.pipeline(dataset, pipelines_dir=str(place), destination=destination, dataset_name=dataset)
        # tracing would write what it sees into files; signals are the caller's business
        pipeline.config.enable_runtime_trace = False
        pipeline.config.runtime.intercept_signals = False
        try:
            pipeline.sync_destination()
            yield pipeline
        finally:
            if pipeline.is_active:
                pipeline.deactivate()


@contextlib.contextmanager
def _without_percent(directory: Path) -> Iterator[Path]:
    """The folder, or another one where it has a `%` in its name, which dlt would take for the mark of a template."""
    if "%" not in str(directory):
        yield directory
        return
    with tempfile.TemporaryDirectory(prefix="invoices_assets_") as folder:
        yield Path(folder)


@dataclass
class Package:
    """What one load hands to dlt: the changed rows and the new state.

    Parameters:
        dataset: also the name of dlt's source.
        spec: the resource.
        plan: its tables.
        state: merged into dlt's state of the resource; None leaves it alone.
        write: makes the Parquet files for a load id: table -> its files.
    """

    dataset: str
    spec: ResourceSpec
    plan: LoadPlan
    state: Mapping[str, Any] | None
    write: Callable[[str], dict[str, list[Path]]]
    _files: dict[str, list[Path]] = field(default_factory=dict)

    def run(self, pipeline: Pipeline) -> str:
        """Load it, one job after the other; any failure raises.

        dlt's normalize step would write each Parquet file anew, for none has just the columns of its table in
        their order. So it is shown a file of each table that has no rows, and the rows are added to what comes out.

        Returns:
            dlt's load id.
        """
        load_id = pipeline.extract(self._source(), max_parallel_items=1, workers=1).loads_ids[0]
        pipeline.normalize(workers=1)
        for table, paths in self._files.items():
            for path in paths:
                _add_job(pipeline, load_id, table, path)
        pipeline.load(workers=1, raise_on_failed_jobs=True).raise_on_failed_jobs()
        return load_id

    def _source(self) -> DltSource:
        """What dlt extracts: the state, and a look at each table."""
        plan, spec = self.plan, self.spec
        rejected = rejected_table(plan.root.name)
        resources = [
            DltResource.from_data(self._main, spec.name, hints=_main_hints(plan, spec)),
            DltResource.from_data(lambda: self._shown(rejected), rejected, hints=_rejected_hints(rejected)),
        ]
        schema = Schema(self.dataset)
        if plan.history is not None:
            name = plan.history.name
            # dlt's hints of a row version have no type, for dlt takes it from data that it reads itself
            row_id: Any = dict(KEY_COLUMNS[ROW_ID], unique=False, row_key=False)
            schema.update_table(new_table(name, columns=[row_id]))
            hints = _history_hints(plan.history, spec)
            resources.append(DltResource.from_data(lambda: self._shown(name), name, hints=hints))
        return DltSource(schema, self.dataset, resources)

    def _main(self) -> Iterator[Any]:
        plan, name = self.plan, self.spec.name
        if self.state:
            state = dlt.current.resource_state(name)
            state.update(merged_state(state, self.state))
        load_id = cast(Any, load_package_state())["load_id"]
        self._files |= self.write(load_id)
        if plan.history is not None and plan.history.name in self._files:
            dlt.current.resource_state(name)[HISTORY_STATE] = {"load_id": load_id}
        yield from self._shown(plan.root.name)

    def _shown(self, table: str) -> Iterator[Any]:
        if table in self._files:
            # dlt merges only tables that its normalize step has seen a file of
            first = self._files[table][0]
            path = first.with_suffix(".empty.parquet")
            pq.write_table(pq.read_schema(first).empty_table(), path)
            yield dlt.mark.with_file_import(str(path), "parquet", 0)


def _add_job(pipeline: Pipeline, load_id: str, table: str, path: Path) -> None:
    """Add a file to a normalized load package."""
    kind: Any = path.suffix[1:]
    job = ParsedLoadJobFileName(table, ParsedLoadJobFileName.new_file_id(), 0, kind)
    named = path.rename(path.with_name(job.file_name()))
    pipeline._get_load_storage().normalized_packages.import_job(load_id, str(named))


def _parent(table: str, names: set[str]) -> str:
    while "__" in table:
        table = table.rpartition("__")[0]
        if table in names:
            return table
    raise ValueError(f"{table} has no parent table")


def _columns(table: TablePlan, declared: Mapping[str, Column], key: Sequence[str] = ()) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for name, kind in table.columns.items():
        if name in KEY_COLUMNS:
            columns[name] = dict(KEY_COLUMNS[name])
            continue
        hint = declared.get(name, _UNDECLARED)
        # a column that is added to rows already there starts as null
        nullable = table.existing.get(name, True) if table.exists else hint.nullable and name not in key
        columns[name] = {**_hints_of(kind), "name": name, "nullable": nullable}
        if hint.description:
            columns[name]["description"] = hint.description
    return columns


# what dlt's own map of DuckDB's types leaves out
PRECISIONS = {"TINYINT": 8, "SMALLINT": 16, "INTEGER": 32, "HUGEINT": 128}
PRECISIONS |= {"TIMESTAMP_S": 0, "TIMESTAMP_MS": 3, "TIMESTAMP_NS": 9}


def _hints_of(kind: str) -> dict[str, Any]:
    """dlt's hints for a DuckDB type; text for a type that dlt has no name for."""
    if match := DECIMAL.fullmatch(kind):
        return {"data_type": "decimal", "precision": int(match[1]), "scale": int(match[2])}
    hints: dict[str, Any] = {"data_type": DuckDbTypeMapper.dbt_to_sct.get(kind, "text")}
    if kind in PRECISIONS:
        hints["precision"] = PRECISIONS[kind]
    if kind.startswith("TIMESTAMP") and not kind.endswith("ZONE"):
        hints["timezone"] = False
    return hints


def _main_hints(plan: LoadPlan, resource: ResourceSpec) -> Any:
    nested: Any = {}
    for table in plan.children:
        path = table.name[len(plan.root.name) + 2 :]
        beginning = f"{path}__"
        hints = {k[len(beginning) :]: hint for k, hint in resource.columns.items() if k.startswith(beginning)}
        nested[tuple(path.split("__"))] = {
            "parent_table_name": _parent(table.name, set(plan.tables)),
            "columns": _columns(table, hints),
            # dlt merges only tables that its normalize step has seen a file of
            "additional_table_hints": {"x-normalizer": {"seen-data": True}},
        }
    columns = _columns(plan.root, resource.columns, resource.primary_key)
    if DELETED_AT in columns:
        columns[DELETED_AT]["description"] = "when the record was found to be gone from the API"
    description: Any = {"description": resource.description} if resource.description else None
    return make_hints(
        plan.root.name,
        write_disposition=MERGE,
        columns=columns,
        primary_key=list(resource.primary_key),
        additional_table_hints=description,
        nested_hints=nested or None,
    )


def _history_hints(table: TablePlan, resource: ResourceSpec) -> Any:
    columns = _columns(table, resource.columns)
    columns[VALID_FROM]["description"] = "when this version of the record was first loaded"
    columns[VALID_TO]["description"] = "when another version took its place; null for the present one"
    scd2: Any = {
        "disposition": "merge",
        "strategy": "scd2",
        "validity_column_names": [VALID_FROM, VALID_TO],
    }
    return make_hints(table.name, write_disposition=scd2, columns=columns, merge_key=merge_key(resource))


def _rejected_hints(name: str) -> Any:
    texts = {
        "key": "the record's key, as far as it has one",
        "raw": "the record as JSON",
        "reason": "why it cannot be stored as declared",
    }
    columns: dict[str, Any] = {
        **{name: {"name": name, "data_type": "text", "description": text} for name, text in texts.items()},
        "rejected_at": {"name": "rejected_at", "data_type": "timestamp"},
        LOAD_ID: dict(KEY_COLUMNS[LOAD_ID]),
        ROW_ID: dict(KEY_COLUMNS[ROW_ID]),
    }
    return make_hints(name, write_disposition=MERGE, columns=columns, primary_key=[ROW_ID])
