"""One refresh of one resource: sweep, prove, compare, load. It knows nothing of Dagster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from dlt.extract.source import DltSource
from dlt.pipeline.pipeline import Pipeline

from invoices_assets.errors import DeletionRefused, NotContinuous, SweepOutdated
from invoices_assets.load.destination.pipeline import destination_of, new_pipeline, plain_errors, run_anew
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.warehouses.catalogs import catalog_of
from invoices_assets.refresh.plan import RefreshRequest, absence
from invoices_assets.refresh.result import RefreshResult
from invoices_assets.refresh.source import Sweeping, source_of
from invoices_assets.source.resource import ResourceSpec

MOST_SWEEPS = 5
"""Of one refresh, where other runs load the same records meanwhile."""


def refresh(
    sweeping: Sweeping,
    settings: WarehouseSettings,
    working_dir: Path,
    run: Callable[[Pipeline, DltSource], Any] = run_anew,
) -> RefreshResult:
    """Brings one resource up to date; at any time, also beside others.

    Parameters:
        sweeping: the resource, the way to its API, and what is asked of it.
        settings: where the rows go.
        working_dir: of the run, beside those of other runs.
        run: runs a source through a dlt pipeline that has nothing left of a run before.

    Raises:
        ExtractError: the API's answers do not prove to be complete.
        WarehouseError: the rows cannot be loaded; nothing of them was kept.
    """
    spec, tell = sweeping.spec, sweeping.tell
    with (
        catalog_of(settings).sweep_turn(_name_of(spec, sweeping.request), working_dir.parent, tell),
        new_pipeline(settings, working_dir / "dlt", tell) as pipeline,
    ):
        results = destination_of(pipeline).results
        for attempts_left in reversed(range(MOST_SWEEPS)):
            try:
                with plain_errors(pipeline, settings):
                    run(pipeline, source_of(settings.dataset, {spec.name: sweeping}))
                result: RefreshResult = results[spec.name]
                return result
            except NotContinuous as found:
                sweeping = replace(sweeping, missing=found.known, stats=results[spec.name].stats)
            except DeletionRefused as error:
                if sweeping.missing is None:
                    raise
                raise DeletionRefused(
                    f"{absence(sweeping.missing)}, so this may be another API or another account, and a sweep of "
                    f"everything does not know the rows either: {error}"
                ) from None
            except SweepOutdated as error:
                if not attempts_left:
                    raise
                tell(f"{error}; the API is asked once more")
                sweeping = replace(sweeping, stats=results[spec.name].stats if spec.name in results else sweeping.stats)
        raise AssertionError("the last attempt returns or raises")


def _name_of(spec: ResourceSpec, request: RefreshRequest) -> str:
    return f"{spec.name}.{request.dates.start:%Y-%m-%d}" if request.dates else spec.name
