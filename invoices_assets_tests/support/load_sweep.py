"""Loads a spooled sweep the way a refresh does, through dlt, without an API."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import dlt
from dlt.extract.source import DltSource

from invoices_assets.load.destination.handover import Handover
from invoices_assets.load.destination.pipeline import complete_resource, hand_over, new_pipeline, plain_errors, run_anew
from invoices_assets.load.load import LoadResult
from invoices_assets.load.request import LoadRequest
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.spool import SpooledSweep
from invoices_assets.source.resource import ResourceSpec


def load_sweep(
    sweep: SpooledSweep,
    spec: ResourceSpec,
    settings: WarehouseSettings,
    request: LoadRequest,
    working_dir: Path,
    log: Callable[[str], None] = lambda _: None,
) -> LoadResult:
    """Bring the warehouse to the state of `sweep`, or leave it exactly as it was; to be called in the turn of the run.

    Raises:
        WarehouseError: nothing was written.
    """
    handover = Handover(sweep, spec, request, working_dir)
    resource = complete_resource(spec.name, lambda: hand_over(handover))
    with new_pipeline(settings, working_dir / "dlt", log) as pipeline, plain_errors(pipeline, settings):
        run_anew(pipeline, DltSource(dlt.Schema(settings.dataset), settings.dataset, [resource]))
    return handover.result
