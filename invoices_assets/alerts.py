"""Alerts: what failed is posted to the webhook of a chat. Whatever becomes of a post, the run stays as it is."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
import requests

from invoices_assets.checks.load_history import evaluation_before
from invoices_assets.errors import ApiStatusError, ApiUnreachable, BadAnswer, ExtractError
from invoices_assets.extract.http.client import HttpClient
from invoices_assets.extract.http.limits import AnswerLimits
from invoices_assets.extract.http.origins import origin_of
from invoices_assets.extract.http.retry import RetryPolicy
from invoices_assets.failure import Failure
from invoices_assets.names import Names
from invoices_assets.redaction.redactor import Redactor
from invoices_assets.resources import ALERT_WEBHOOK, InvoicesApi

# together less than the minute that Dagster gives to a tick
POLICY = RetryPolicy(retries=2, factor=1.0, longest_wait=8.0)
LIMITS = AnswerLimits(connect=3.0, read=6.0, seconds=6.0, megabytes=1.0)
LONGEST_TEXT = 2500
"""Characters; a chat cuts off long ones, or refuses them."""

_OF_PAGES = "__ASSET_JOB"
"""Dagster's job of what is materialized without one: from an asset's page, by a backfill or a condition."""

_PLANNED = {
    dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED,
}
"""What Dagster writes of a run before it begins, for each asset and each check in it."""

_SPECIAL = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
"""Slack takes these for markup: with `<!channel>` an error of an API would call everybody."""

_Lines = Callable[[dg.RunStatusSensorContext], list[str]]


@dataclass(frozen=True)
class Alerts:
    """The alerts of one API.

    Parameters:
        names: of its parts.
        keys: of its assets.
        jobs: of it.
        api: holds the key, which no text may have.
    """

    names: Names
    keys: frozenset[dg.AssetKey]
    jobs: Sequence[Any]
    api: InvoicesApi = field(repr=False)

    def sensors(self) -> list[dg.SensorDefinition]:
        """A sensor for runs that fail, and one for checks that fail in runs that do not.

        They run from the start where the webhook is set when the code location is loaded.
        """
        common: dict[str, Any] = {
            # of other jobs Dagster would show one run a tick, and so those of these assets late
            "monitored_jobs": [*self.jobs, dg.define_asset_job(_OF_PAGES)],
            "default_status": dg.DefaultSensorStatus.RUNNING
            if ALERT_WEBHOOK in os.environ  # the address is a secret, which loading does not read
            else dg.DefaultSensorStatus.STOPPED,
        }

        @dg.run_failure_sensor(
            name=self.names.failed_runs_alert,
            description=f"Posts what failed and what to do to the webhook {ALERT_WEBHOOK}.",
            **common,
        )
        def failed_runs_alert(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
            return self._alert(context, "failed", lambda _: [*_failures(context), *self._failed_checks(context)])

        @dg.run_status_sensor(
            run_status=dg.DagsterRunStatus.SUCCESS,
            name=self.names.failed_checks_alert,
            description=f"Posts checks that begin to fail to the webhook {ALERT_WEBHOOK}.",
            **common,
        )
        def failed_checks_alert(context: dg.RunStatusSensorContext) -> dg.SkipReason | None:
            return self._alert(context, "has checks that fail", self._failed_checks)

        return [failed_runs_alert, failed_checks_alert]

    def _alert(self, context: dg.RunStatusSensorContext, what: str, lines_of: _Lines) -> dg.SkipReason | None:
        """Posts what a run has to tell.

        Parameters:
            what: became of the run, in words.
            lines_of: says what there is to tell; nothing where there is none.
        """
        run, address = context.dagster_run, os.environ.get(ALERT_WEBHOOK)
        if not address:
            return dg.SkipReason(f"{ALERT_WEBHOOK} is not set.")
        if not self._is_ours(context):
            return dg.SkipReason(f"Run {run.run_id} is none of `{self.names.dataset}`.")
        lines = lines_of(context)
        if not lines:
            return dg.SkipReason(f"Run {run.run_id} has nothing new to tell.")
        name = f"A run of `{self.names.dataset}`" if run.job_name == _OF_PAGES else f"`{run.job_name}`"
        try:
            post(address, "\n".join([f"{name} {what}.", *lines]), f"Run {run.run_id}", self.api.api_key.read())
        except ExtractError as error:
            context.log.warning(f"What run {run.run_id} has to tell was not posted to {ALERT_WEBHOOK}: {_why(error)}.")
            return dg.SkipReason(f"The webhook did not take it: {_why(error)}.")
        return None

    def _is_ours(self, context: dg.RunStatusSensorContext) -> bool:
        """Whether a run is of one of the jobs, or was to make or check one of the assets."""
        run = context.dagster_run
        if run.job_name in {job.name for job in self.jobs}:
            return True
        records = context.instance.get_records_for_run(run.run_id, of_type=_PLANNED).records
        events = [record.event_log_entry.dagster_event for record in records]
        planned: list[Any] = [event.event_specific_data for event in events if event is not None]
        return any(each.asset_key in self.keys for each in planned)

    def _failed_checks(self, context: dg.RunStatusSensorContext) -> list[str]:
        """The checks of these assets that a run saw fail, without those that had failed alike before."""
        records = context.instance.get_records_for_run(
            context.dagster_run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
        ).records
        events = [record.event_log_entry.dagster_event for record in records]
        found = [event.asset_check_evaluation_data for event in events if event is not None]
        failed = [each for each in found if each.asset_key in self.keys and not each.passed]
        run_id = context.dagster_run.run_id
        before = [evaluation_before(context.instance, each.asset_check_key, run_id) for each in failed]
        return [_told(each) for each, then in zip(failed, before, strict=True) if not _is_known(each, then)]


def post(address: str, text: str, end: str, key: str) -> None:
    """Posts a text, as Slack takes it, at most three times. No redirect to another host is followed.

    Parameters:
        address: of the webhook; a secret, for whoever knows it can post.
        text: it is cut to a length that a chat shows; `end` follows in any case.
        key: a secret that may not be in it.

    Raises:
        ExtractError: the webhook did not take it. What the error says is not for logs.
    """
    path = address.removeprefix(origin_of(address))
    pieces = [piece for piece in path.split("/") if len(piece) >= 8]
    redactor = Redactor([key, address, path, *pieces])
    text = redactor.text(text)
    text = text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"
    client = HttpClient(auth=None, redactor=redactor, policy=POLICY, limits=LIMITS, pool=1)
    try:
        with redactor.installed():
            request = requests.Request("POST", address, json={"text": f"{text}\n{end}".translate(_SPECIAL)})
            answer = client.send(request)
            # a page for people, such as a login, takes no post; Slack calls its `ok` text/html, too
            if answer.content.lstrip().startswith(b"<"):
                raise BadAnswer
    finally:
        client.close()


def _why(error: ExtractError) -> str:
    """Why a webhook did not take a post; not in the words of the error, which name its address."""
    if isinstance(error, ApiStatusError):
        return f"it answers {error.status}"
    return "it cannot be reached" if isinstance(error, ApiUnreachable) else "its address or its answer is not usable"


def _failures(context: dg.RunFailureSensorContext) -> list[str]:
    """What the failed steps of a run say, or the run itself where it has none."""
    errors = [event.step_failure_data.error for event in context.get_step_failure_events()]
    said = [_innermost(error) for error in errors if error is not None]
    return list(dict.fromkeys(said)) or [context.failure_event.message or "It says no reason."]


def _innermost(error: Any) -> str:
    while error.cause is not None:
        error = error.cause
    return str(error.message).strip().removeprefix(f"{Failure.__name__}: ")


def _told(check: dg.AssetCheckEvaluation) -> str:
    said = f": {check.description}" if check.description else ""
    return f"{check.severity.value} `{check.check_name}` of `{check.asset_key.to_user_string()}`{said}"


def _is_known(check: dg.AssetCheckEvaluation, before: dg.AssetCheckEvaluation | None) -> bool:
    """Whether the evaluation before had failed in the same words."""
    return before is not None and not before.passed and _told(before) == _told(check)
