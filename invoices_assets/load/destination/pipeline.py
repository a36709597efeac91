"""dlt's pipeline of a load, and the way of a proven sweep into it."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dlt
from dlt.common.storages.load_package import load_package_state
from dlt.extract.hints import make_hints
from dlt.extract.resource import DltResource
from dlt.extract.source import DltSource
from dlt.pipeline.exceptions import PipelineStepFailed
from dlt.pipeline.pipeline import Pipeline

from invoices_assets.errors import LoadFailed, RefreshError, WarehouseUnusable
from invoices_assets.load.destination.atomic import AtomicDestination
from invoices_assets.load.destination.handover import Handover
from invoices_assets.load.destination.schema import dlt_type
from invoices_assets.load.error_messages import innermost
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.types import duckdb_type
from invoices_assets.load.warehouses.catalogs import catalog_of
from invoices_assets.source.dlt_settings import own_settings

os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")


@dataclass(frozen=True)
class _StagedTable:
    """Tells dlt which table a file is of."""

    name: str
    columns: dict[str, Any]


def complete_resource(name: str, sweep: Callable[[], Iterator[Any]]) -> DltResource:
    """A dlt resource of files: see `hand_over`.

    Parameters:
        sweep: yields what `hand_over` does.
    """
    hints = make_hints(
        table_name=lambda table: table.name, columns=lambda table: table.columns, write_disposition="merge"
    )
    return DltResource.from_data(sweep, name, hints=hints)


def destination_of(pipeline: Any) -> AtomicDestination:
    """The destination of a pipeline.

    Raises:
        WarehouseUnusable: it would not load a sweep as one.
    """
    destination = pipeline.destination
    if not isinstance(destination, AtomicDestination):
        raise WarehouseUnusable(
            "`complete_rest_source` needs a destination that loads in one transaction, such as `atomic_duckdb(path)`"
        )
    return destination


def hand_over(handover: Handover) -> Iterator[Any]:
    """Give a proven sweep, as Parquet files, to the load package that dlt is extracting."""
    destination = destination_of(dlt.current.pipeline())
    destination.expected[load_package_state()["load_id"]].append(handover)
    for name, (path, schema, rows) in handover.files.items():
        columns = {
            field.name: {"name": field.name, "nullable": True, **dlt_type(duckdb_type(field.type))} for field in schema
        }
        yield dlt.mark.with_file_import(str(path), "parquet", rows, hints=_StagedTable(name, columns))


def run_anew(pipeline: Pipeline, source: DltSource) -> None:
    """Run a source as if nothing had been run before: what a failed load has left is not the warehouse's state."""
    pipeline.drop()
    pipeline.run(source)


@contextlib.contextmanager
def plain_errors(pipeline: Pipeline, settings: WarehouseSettings) -> Iterator[None]:
    """Raises what dlt has wrapped; what its steps after the extraction say, in one sentence."""
    try:
        yield
    except PipelineStepFailed as error:
        cause = innermost(error)
        if destination_of(pipeline).has_committed and isinstance(cause, Exception):
            said = " ".join(str(cause).split())[:300]
            raise LoadFailed(f"the rows were loaded and are committed, but after that: {said}") from None
        is_plain = error.step == "extract" or isinstance(cause, RefreshError) or not isinstance(cause, Exception)
        raise (cause if is_plain else catalog_of(settings).explain(cause)) from None


@contextlib.contextmanager
def new_pipeline(
    settings: WarehouseSettings, directory: Path, log: Callable[[str], None] = lambda _: None
) -> Iterator[Pipeline]:
    """A pipeline that lives in `directory` and nowhere else: no telemetry, no trace, nothing in the home folder."""
    dataset = settings.dataset
    with own_settings(), quiet_dlt(), _without_percent(directory) as place:
        destination = AtomicDestination(settings, log)
        pipeline = dlt.pipeline(dataset, pipelines_dir=str(place), destination=destination, dataset_name=dataset)
        # tracing would write what it sees into files; signals are the caller's business
        pipeline.config.enable_runtime_trace = False
        pipeline.config.runtime.intercept_signals = False
        try:
            yield pipeline
        finally:
            if pipeline.is_active:
                pipeline.deactivate()


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
def _without_percent(directory: Path) -> Iterator[Path]:
    """The folder, or another one where it has a `%` in its name, which dlt would take for the mark of a template."""
    if "%" not in str(directory):
        yield directory
        return
    with tempfile.TemporaryDirectory(prefix="invoices_assets_") as folder:
        yield Path(folder)
