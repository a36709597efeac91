"""The two asset jobs, the upkeep of the warehouse, and their schedules."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import dagster as dg
from pydantic import Field

from invoices_assets.assets.run_config import MODE_TAG, RefreshConfig
from invoices_assets.assets.warehouse_step import in_warehouse
from invoices_assets.checks.evaluation import rare_checks
from invoices_assets.failure import WithoutFrames
from invoices_assets.load.warehouses.connection import maintain
from invoices_assets.names import Names
from invoices_assets.resources import Warehouse
from invoices_assets.source.file import Source


class MaintenanceConfig(dg.Config):
    """What an upkeep leaves in place."""

    keep_snapshots_days: float = Field(
        default=30, ge=0, le=36_500, description="How long the former states of a lake stay readable (time travel)."
    )


def build_jobs(
    source: Source, assets: Sequence[dg.AssetsDefinition], names: Names, followed_by: Sequence[dg.AssetKey] = ()
) -> list[Any]:
    """`refresh_invoices` (what changed), `reconcile_invoices` (everything, marks deletions), `maintain_warehouse`.

    Parameters:
        source: what one API is asked for.
        assets: of that API.
        followed_by: assets that are made anew after each load.
    """
    keys = [key for each in assets for key in each.keys]
    selection = dg.AssetSelection.assets(*keys, *followed_by)
    shown = RefreshConfig(mode="reconcile")
    return [
        dg.define_asset_job(
            names.refresh,
            selection - rare_checks(source, names),
            description="Loads what changed since the last complete refresh.",
            executor_def=dg.in_process_executor,
        ),
        dg.define_asset_job(
            names.reconcile,
            selection,
            description="Reads everything again; finds late changes, and marks what the API no longer has.",
            # what the launchpad shows; what somebody enters there takes its place as a whole, hence the tag
            config={"ops": {names.main_step: {"config": shown.model_dump(exclude_none=True)}}},
            tags={MODE_TAG: "reconcile"},
            executor_def=dg.in_process_executor,
        ),
        _maintenance(names),
    ]


def build_schedules(jobs: list[Any], times: Sequence[str | None]) -> list[dg.ScheduleDefinition]:
    """The schedules of jobs, stopped until somebody starts them.

    Parameters:
        times: of each job, as cron writes it; None for no schedule.
    """
    return [
        dg.ScheduleDefinition(name=f"{job.name}_schedule", job=job, cron_schedule=time)
        for job, time in zip(jobs, times, strict=True)
        if time
    ]


def _maintenance(names: Names) -> dg.JobDefinition:
    @dg.op(name=names.upkeep_step, pool=names.pool, required_resource_keys={names.warehouse})
    def upkeep(context: dg.OpExecutionContext, config: MaintenanceConfig) -> None:
        warehouse: Warehouse = getattr(context.resources, names.warehouse)
        keep = timedelta(days=config.keep_snapshots_days)
        with WithoutFrames(), in_warehouse(context, warehouse, names.dataset) as (settings, working_dir):
            done = maintain(settings, keep, working_dir, context.log.warning)
        context.add_output_metadata(done)

    @dg.job(
        name=names.maintain,
        executor_def=dg.in_process_executor,
        description="Merges small files of a lake and drops its former states; checkpoints a DuckDB file, vacuums "
        "PostgreSQL. The rows stay as they are.",
    )
    def maintain_warehouse() -> None:
        upkeep()

    return maintain_warehouse
