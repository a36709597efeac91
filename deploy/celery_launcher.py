"""Dagster's run launcher for Celery, with an eye on its workers; `run_launcher` in dagster.yaml names it."""

from __future__ import annotations

from dagster import DagsterRun
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

ANSWER_SECONDS = 10.0


class WatchfulCeleryRunLauncher(CeleryRunLauncher):
    """Takes a run for running only while a worker says so, and tells Dagster of a run that it is being terminated.

    Celery writes STARTED once, and nobody corrects it when the whole worker is gone: dagster-celery's own launcher
    calls such a run healthy until `max_runtime_seconds` (dagster pull request 33493 is open about it). And a run that
    it terminates takes the signal for an accident, so it fails, and is repeated.
    """

    def terminate(self, run_id: str) -> bool:
        run = self._instance.get_run_by_id(run_id)
        if run is not None and not run.is_finished:
            self._instance.report_run_canceling(run)
        return super().terminate(run_id)

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        health = super().check_run_worker_health(run)
        if health.status != WorkerStatus.RUNNING or self._is_at_work(run.tags[DAGSTER_CELERY_TASK_ID_TAG]):
            return health
        return CheckRunHealthResult(WorkerStatus.FAILED, "no Celery worker is at work on this run any more")

    def _is_at_work(self, task_id: str) -> bool:
        """Whether the worker that has begun the task still knows it; one that was started anew does not."""
        begun = self.celery.AsyncResult(task_id).info
        if not isinstance(begun, dict) or "hostname" not in begun:
            return True  # it ended meanwhile
        inspect = self.celery.control.inspect([begun["hostname"]], timeout=ANSWER_SECONDS)
        answers = inspect.query_task(task_id) or {}
        return any(task_id in tasks for tasks in answers.values())
