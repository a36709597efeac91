"""`invoices_changed_sensor`, and what it remembers between ticks."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from decimal import Decimal, InvalidOperation
from time import time
from typing import Any

import dagster as dg
from dagster import DagsterRunStatus
from pydantic import TypeAdapter, ValidationError

from invoices_assets.errors import ExtractError
from invoices_assets.extract.probe import EVERYTHING, ProbeResult, probe
from invoices_assets.names import Names
from invoices_assets.resources import InvoicesApi
from invoices_assets.source.file import Source
from invoices_assets.source.resource import ResourceSpec
from invoices_assets.source.timestamps import TimestampFormat

SENSOR_INTERVAL_SECONDS = 60
FIRST_BACK_OFF_SECONDS = 60.0
LONGEST_BACK_OFF_SECONDS = 3600.0
RUN_KEY_TAG = "dagster/run_key"
now: Callable[[], float] = time
"""Seconds since the epoch."""

_UNDER_WAY = [DagsterRunStatus[name] for name in ("QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING")]


def build_sensor(source: Source, names: Names, job: Any, api_resource: InvoicesApi) -> dg.SensorDefinition:
    """`invoices_changed_sensor`: one request per tick, and a run only when something changed.

    Parameters:
        job: that refreshes.
        api_resource: what is asked; its address is no `EnvVar`, which Dagster resolves for runs only.
    """
    watched = source.main_resource
    key = dg.AssetKey([names.dataset, watched])

    @dg.sensor(
        name=names.sensor,
        job=job,
        minimum_interval_seconds=SENSOR_INTERVAL_SECONDS,
        description=f"Asks the API once per tick whether `{watched}` changed since they were last loaded.",
    )
    def invoices_changed_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        memory = Memory.read(context.cursor)
        if run_id := _run_under_way(context.instance, key, names):
            return dg.SkipReason(f"Run {run_id} is under way.")
        if memory.run_key is not None and not _succeeded(context.instance, memory.run_key):
            return _skipped(memory.run_failed(), "The run that was asked for has failed; asking again later.")
        if memory.not_before > now():
            return dg.SkipReason(f"Backing off for another {memory.not_before - now():.0f} s.")
        loaded, cursor = _last_load(context.instance, key)
        try:
            with api_resource.connect(names.dataset) as api:
                spec = api.resources(source)[watched]
                seen = probe(api, spec, _as_it_came(spec, cursor))
        except Exception as error:
            return _skipped(memory.tick_failed(), f"The API could not be asked: {_sentence(error)}")
        if not memory.is_news(seen, loaded):
            return _skipped(memory.nothing_new(seen), "Nothing changed since the last load.")
        memory = memory.asking_for_run(seen, loaded)
        return dg.SensorResult(run_requests=[dg.RunRequest(memory.run_key)], cursor=memory.written())

    return invoices_changed_sensor


@dataclass(frozen=True)
class Memory:
    """What the sensor remembers between ticks, kept in its Dagster cursor.

    An answer of the API is news until a run that was asked for it has succeeded. An answer without a stamp
    later than the cursor is news only if the same question was answered otherwise before; where an API cannot
    be asked for changes only, that is so from the start.

    Parameters:
        question, answer: of the last tick; see `ProbeResult`.
        run_key: of the run that was asked for this answer; None if it was no news.
        failures: ticks and runs that failed in a row.
        not_before: seconds since the epoch; until then ticks are skipped.
    """

    question: str | None = None
    answer: str | None = None
    run_key: str | None = None
    failures: int = 0
    not_before: float = 0.0

    @classmethod
    def read(cls, cursor: str | None) -> Memory:
        """From a Dagster cursor; one that is not of this sensor is forgotten."""
        try:
            return TypeAdapter(cls).validate_json(cursor or "{}")
        except ValidationError:
            return cls()

    def written(self) -> str:
        """As a Dagster cursor."""
        return json.dumps(asdict(self))

    def is_news(self, seen: ProbeResult, loaded: str | None) -> bool:
        """Whether the answer shows what no successful run is known to have loaded.

        Parameters:
            loaded: the last load; None if there was none.
        """
        if (seen.question, seen.answer) == (self.question, self.answer):
            return self.run_key is None and (seen.newer or loaded is None)
        return seen.newer or loaded is None or seen.question in (self.question, EVERYTHING)

    def nothing_new(self, seen: ProbeResult) -> Memory:
        """After an answer without news."""
        same = (seen.question, seen.answer) == (self.question, self.answer)
        return Memory(seen.question, seen.answer, self.run_key if same else None)

    def asking_for_run(self, seen: ProbeResult, loaded: str | None) -> Memory:
        """After news; the key is another one after each load and after each failure."""
        # a run that is still remembered here has succeeded, which ends a row of failures
        failures = self.failures if self.run_key is None else 0
        return Memory(seen.question, seen.answer, f"{loaded}:{seen.answer}:{failures}", failures)

    def run_failed(self) -> Memory:
        """After the run that was asked for has failed: its answer is news again."""
        return replace(self.tick_failed(), answer=None, run_key=None)

    def tick_failed(self) -> Memory:
        """After an API that could not be asked; each failure in a row doubles the wait, up to an hour."""
        doublings = min(self.failures, 64)  # a power of two beyond 1024 is no float
        wait = min(FIRST_BACK_OFF_SECONDS * 2.0**doublings, LONGEST_BACK_OFF_SECONDS)
        return replace(self, failures=self.failures + 1, not_before=now() + wait)


def _skipped(memory: Memory, reason: str) -> dg.SensorResult:
    return dg.SensorResult(skip_reason=reason, cursor=memory.written())


def _run_under_way(instance: dg.DagsterInstance, key: dg.AssetKey, names: Names) -> str | None:
    """A run of either job that is queued or under way, or one that somebody started from the asset's page."""
    for run in instance.get_runs(dg.RunsFilter(statuses=_UNDER_WAY)):
        if run.job_name in (names.refresh, names.reconcile) or key in (run.asset_selection or ()):
            return run.run_id
    return None


def _succeeded(instance: dg.DagsterInstance, run_key: str) -> bool:
    runs = instance.get_runs(dg.RunsFilter(tags={RUN_KEY_TAG: run_key}))
    return any(run.status is DagsterRunStatus.SUCCESS for run in runs)


def _last_load(instance: dg.DagsterInstance, key: dg.AssetKey) -> tuple[str | None, Any]:
    """The run of the last load, and the cursor that it reached; None where there is none."""
    event = instance.get_latest_materialization_event(key)
    if event is None or event.asset_materialization is None:
        return None, None
    cursor = event.asset_materialization.metadata.get("cursor_after")
    value: Any = None if cursor is None else cursor.value
    # what older versions of this project wrote where there was none
    return event.run_id, None if value == "none" else value


def _as_it_came(spec: ResourceSpec, cursor: Any) -> Any:
    """A cursor as the API gave it: a number with a fraction is kept as text, for a float could not hold it."""
    if not isinstance(cursor, str) or TimestampFormat(spec).moment(cursor) is not None:
        return cursor
    try:
        return Decimal(cursor)
    except InvalidOperation:
        return cursor


def _sentence(error: Exception) -> str:
    sentence = " ".join(str(error).split())
    return sentence if isinstance(error, ExtractError) else f"{type(error).__name__}: {sentence}"
