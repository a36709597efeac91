"""The two asset jobs and their schedules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dagster as dg

from invoices_assets.assets import MODE_TAG
from invoices_assets.checks import NOTHING_MISSED
from invoices_assets.resources import RECONCILE

REFRESH = "refresh_invoices"


def build_jobs(assets: Sequence[dg.AssetsDefinition]) -> list[Any]:
    """`refresh_invoices` (what changed) and `reconcile_invoices` (everything, marks deletions)."""
    keys = [key for each in assets for key in each.keys]
    selection = dg.AssetSelection.assets(*keys)
    # a refresh cannot tell what refreshes miss; what the last complete sweep found stays in sight
    missed = dg.AssetSelection.checks(*(dg.AssetCheckKey(key, NOTHING_MISSED) for key in keys))
    return [
        dg.define_asset_job(
            REFRESH,
            selection - missed,
            description="Loads what changed since the last complete refresh.",
        ),
        dg.define_asset_job(
            RECONCILE,
            selection,
            description="Reads everything again; finds late changes, and marks what the API no longer has.",
            # not as config: what somebody enters in the launchpad takes its place as a whole
            tags={MODE_TAG: "reconcile"},
        ),
    ]


def build_schedules(jobs: list[Any]) -> list[dg.ScheduleDefinition]:
    """Hourly refresh and weekly reconciliation; stopped until somebody starts them."""
    refresh, reconcile = jobs
    return [
        dg.ScheduleDefinition(name=f"{REFRESH}_schedule", job=refresh, cron_schedule="0 * * * *"),
        dg.ScheduleDefinition(name=f"{RECONCILE}_schedule", job=reconcile, cron_schedule="0 3 * * 0"),
    ]
