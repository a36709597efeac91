"""Jobs, schedules and the sensor."""

from __future__ import annotations

import json
import time
from typing import Any

import dagster as dg
from dagster import DagsterRunStatus

from invoices_assets.extract.glance import glance
from invoices_assets.extract.source import Source
from invoices_assets.resources import InvoicesApi

REFRESH = "refresh_invoices"
RECONCILE = "reconcile_invoices"
FIRST_BACK_OFF_SECONDS = 60.0
LONGEST_BACK_OFF_SECONDS = 3600.0

_UNDER_WAY = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]


def build_jobs(assets: dg.AssetsDefinition) -> list[Any]:
    """`refresh_invoices` (what changed) and `reconcile_invoices` (everything, marks deletions)."""
    selection = dg.AssetSelection.assets(*assets.keys)
    reconcile = {"ops": {assets.op.name: {"config": {"mode": "reconcile"}}}}
    return [
        dg.define_asset_job(
            REFRESH,
            selection,
            description="Loads what changed since the last complete refresh.",
            executor_def=dg.in_process_executor,
        ),
        dg.define_asset_job(
            RECONCILE,
            selection,
            description="Reads everything again; finds late changes, and marks what the API no longer has.",
            config=reconcile,
            executor_def=dg.in_process_executor,
        ),
    ]


def build_schedules(jobs: list[Any]) -> list[dg.ScheduleDefinition]:
    """Hourly refresh and weekly reconciliation; stopped until somebody starts them."""
    refresh, reconcile = jobs
    return [
        dg.ScheduleDefinition(name=f"{REFRESH}_schedule", job=refresh, cron_schedule="0 * * * *"),
        dg.ScheduleDefinition(name=f"{RECONCILE}_schedule", job=reconcile, cron_schedule="0 3 * * 0"),
    ]


def build_sensor(source: Source, dataset: str, job: Any) -> dg.SensorDefinition:
    """`invoices_changed_sensor`: one request per tick, and a run only when something changed."""
    watched = "invoices" if "invoices" in source.resource_names else source.resource_names[0]
    asset_key = dg.AssetKey([dataset, watched])

    @dg.sensor(
        name="invoices_changed_sensor",
        job=job,
        minimum_interval_seconds=60,
        description="Asks the API once per tick whether something changed since the last loaded stamp.",
    )
    def invoices_changed_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        memory = Memory.read(context.cursor)
        if memory.not_before > time.time():
            return dg.SkipReason(f"Backing off for another {memory.not_before - time.time():.0f} s.")
        if _run_under_way(context.instance):
            return dg.SkipReason("A run is under way.")
        loaded, stamp = _last_load(context.instance, asset_key)
        try:
            api = InvoicesApi.from_environment().process_config_and_initialize()
            with api.connect() as connection:
                seen = glance(connection, connection.resources(source)[watched], stamp)
        except Exception as error:
            memory.back_off()
            return _skipped(memory, f"The API could not be asked: {_sentence(error)}")
        if not memory.is_news(seen.fingerprint, seen.newer, loaded):
            return _skipped(memory.settled(seen.fingerprint, loaded), "Nothing changed since the last load.")
        request = dg.RunRequest(run_key=memory.request(seen.fingerprint, loaded))
        return dg.SensorResult(run_requests=[request], cursor=memory.written())

    return invoices_changed_sensor


class Memory:
    """What the sensor remembers between ticks, kept in its Dagster cursor.

    Parameters:
        seen: fingerprint of the answer that is known to be loaded.
        loaded: the materialization that `seen` belongs to.
        asked: fingerprint for which a run was requested last.
        asked_at_load: the last materialization at that time; still the last one means that the run failed.
        failures: failed ticks, or failed runs for one answer, in a row.
        not_before: seconds since the epoch; until then ticks are skipped.
    """

    def __init__(
        self,
        seen: str | None = None,
        loaded: str | None = None,
        asked: str | None = None,
        asked_at_load: str | None = None,
        failures: int = 0,
        not_before: float = 0.0,
    ) -> None:
        self.seen = seen
        self.loaded = loaded
        self.asked = asked
        self.asked_at_load = asked_at_load
        self.failures = failures
        self.not_before = not_before

    @classmethod
    def read(cls, cursor: str | None) -> Memory:
        """From a Dagster cursor; one that is not of this sensor is forgotten."""
        try:
            return cls(**json.loads(cursor or "{}"))
        except (ValueError, TypeError):
            return cls()

    def written(self) -> str:
        """As a Dagster cursor."""
        return json.dumps(vars(self), sort_keys=True)

    def is_news(self, fingerprint: str, newer: bool, loaded: str | None) -> bool:
        """Whether the answer shows what no successful run has loaded."""
        if loaded is None:
            return True
        if self.asked == fingerprint and self.asked_at_load != loaded:
            return False
        return newer or (self.loaded == loaded and self.seen is not None and self.seen != fingerprint)

    def settled(self, fingerprint: str, loaded: str | None) -> Memory:
        """After an answer without news."""
        return Memory(seen=fingerprint, loaded=loaded, asked=self.asked, asked_at_load=self.asked_at_load)

    def request(self, fingerprint: str, loaded: str | None) -> str:
        """Notes that a run is requested, and returns its run key; a failed one is requested again later."""
        if self.asked == fingerprint and self.asked_at_load == loaded:
            self.back_off()
        else:
            self.failures, self.not_before = 0, 0.0
        self.asked, self.asked_at_load = fingerprint, loaded
        return f"{fingerprint}:{loaded}:{self.failures}"

    def back_off(self) -> None:
        """After a failure: the next tick that asks is later each time, up to an hour."""
        wait = min(FIRST_BACK_OFF_SECONDS * 2**self.failures, LONGEST_BACK_OFF_SECONDS)
        self.failures += 1
        self.not_before = time.time() + wait


def _skipped(memory: Memory, reason: str) -> dg.SensorResult:
    return dg.SensorResult(skip_reason=reason, cursor=memory.written())


def _run_under_way(instance: dg.DagsterInstance) -> bool:
    records = instance.get_run_records(dg.RunsFilter(statuses=_UNDER_WAY))
    return any(record.dagster_run.job_name in (REFRESH, RECONCILE) for record in records)


def _last_load(instance: dg.DagsterInstance, key: dg.AssetKey) -> tuple[str | None, Any]:
    """The last materialization, and the cursor that it reached."""
    event = instance.get_latest_materialization_event(key)
    if event is None or event.asset_materialization is None:
        return None, None
    metadata = event.asset_materialization.metadata
    stamp = metadata["cursor_after"].value if "cursor_after" in metadata else None
    return f"{event.run_id}:{event.timestamp}", None if stamp == "none" else stamp


def _sentence(error: Exception) -> str:
    """The last line of an error; Dagster's own begin with a frame around the cause."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in lines if "environment variable" in line), lines[0] if lines else repr(error))
