"""The two asset jobs, the upkeep of the warehouse, and their schedules."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import dagster as dg
from pydantic import Field

from invoices_assets.assets import MODE_TAG
from invoices_assets.checks import NOTHING_MISSED
from invoices_assets.errors import RefreshError
from invoices_assets.load.maintenance import maintain
from invoices_assets.names import Names
from invoices_assets.redaction.redactor import Redactor
from invoices_assets.resources import Warehouse


class MaintenanceConfig(dg.Config):
    """What an upkeep leaves in place."""

    keep_snapshots_days: float = Field(
        default=30, ge=0, description="How long the former states of a lake stay readable (time travel)."
    )


def build_jobs(assets: Sequence[dg.AssetsDefinition], names: Names) -> list[Any]:
    """`refresh_invoices` (what changed), `reconcile_invoices` (everything, marks deletions), `maintain_warehouse`."""
    keys = [key for each in assets for key in each.keys]
    selection = dg.AssetSelection.assets(*keys)
    # a refresh cannot tell what refreshes miss; what the last complete sweep found stays in sight
    missed = dg.AssetSelection.checks(*(dg.AssetCheckKey(key, NOTHING_MISSED) for key in keys))
    return [
        dg.define_asset_job(
            names.refresh,
            selection - missed,
            description="Loads what changed since the last complete refresh.",
        ),
        dg.define_asset_job(
            names.reconcile,
            selection,
            description="Reads everything again; finds late changes, and marks what the API no longer has.",
            # not as config: what somebody enters in the launchpad takes its place as a whole
            tags={MODE_TAG: "reconcile"},
        ),
        _maintenance(names),
    ]


def build_schedules(jobs: list[Any], names: Names) -> list[dg.ScheduleDefinition]:
    """Hourly refresh, weekly reconciliation and weekly upkeep after it; stopped until somebody starts them."""
    times = {names.refresh: "0 * * * *", names.reconcile: "0 3 * * 0", names.maintain: "0 6 * * 0"}
    return [dg.ScheduleDefinition(name=f"{job.name}_schedule", job=job, cron_schedule=times[job.name]) for job in jobs]


def _maintenance(names: Names) -> dg.JobDefinition:
    @dg.op(pool=names.pool, required_resource_keys={names.warehouse})
    def upkeep(context: dg.OpExecutionContext, config: MaintenanceConfig) -> None:
        warehouse: Warehouse = getattr(context.resources, names.warehouse)
        redactor = Redactor()
        keep = timedelta(days=config.keep_snapshots_days)
        try:
            with (
                redactor.installed(),
                redactor.guard(),
                warehouse.run(names.dataset, redactor) as (settings, working_dir),
            ):
                done = maintain(settings, keep, working_dir, context.log.warning)
        except RefreshError as error:
            raise dg.Failure(str(error), allow_retries=error.may_be_retried) from None
        context.add_output_metadata(done)

    @dg.job(
        name=names.maintain,
        description="Merges small files of a lake and drops its former states; checkpoints a DuckDB file, vacuums "
        "PostgreSQL. The rows stay as they are.",
    )
    def maintain_warehouse() -> None:
        upkeep()

    return maintain_warehouse
