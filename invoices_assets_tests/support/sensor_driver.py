"""Lets the sensor tick, and does what Dagster's daemon would do then."""

from __future__ import annotations

from typing import Any

import dagster as dg
from dagster import DagsterRunStatus

from invoices_assets import sensor
from invoices_assets.sensor import RUN_KEY_TAG
from invoices_assets_tests.support.project import Project
from invoices_assets_tests.vendor import Book, Vendor


class Clock:
    """The sensor's clock: it stands still between ticks."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class Watch:
    """A project whose sensor ticks when told to, and what Dagster's daemon would do then.

    Attributes:
        reason: why the last tick was skipped.
        requests: how many HTTP requests the last tick sent.
        runs_succeed: where False, runs that the sensor asks for fail before they load anything.
    """

    def __init__(self, project: Project, server: Vendor) -> None:
        self.project = project
        self.server = server
        self.clock = Clock()
        project.monkeypatch.setattr(sensor, "now", self.clock)
        self.cursor: str | None = None
        self.reason = ""
        self.requests = 0
        self.runs_succeed = True
        definitions = project.definitions()
        self.sensor = definitions.resolve_sensor_def("invoices_changed_sensor")
        self.job = definitions.resolve_job_def("refresh_invoices")
        self._keys: set[str] = set()

    @property
    def book(self) -> Book:
        assert isinstance(self.server.book, Book)
        return self.server.book

    def tick(self, after: float = 60.0) -> bool:
        """One evaluation, so many seconds after the last, and the run if it asks for one; whether it did.

        A run whose key was used before is not started, as in Dagster.
        """
        self.clock.now += after
        asked = len(self.server.requests)
        with dg.build_sensor_context(instance=self.project.instance, cursor=self.cursor) as context:
            data = self.sensor.evaluate_tick(context)
        self.cursor, self.reason = data.cursor, data.skip_message or ""
        self.requests = len(self.server.requests) - asked
        for request in data.run_requests or []:
            assert request.run_key not in self._keys
            self._keys.add(str(request.run_key))
            self.run(str(request.run_key))
        return bool(data.run_requests)

    def ticks(self, count: int) -> list[bool]:
        return [self.tick() for _ in range(count)]

    def run(self, key: str) -> None:
        tags = {RUN_KEY_TAG: key}
        if self.runs_succeed:
            assert self.job.execute_in_process(instance=self.project.instance, tags=tags).success
        else:
            self.add_run(DagsterRunStatus.FAILURE, tags=tags)

    def add_run(self, status: DagsterRunStatus, job: str = "refresh_invoices", **run: Any) -> dg.DagsterRun:
        """A run as Dagster's storage would hold it."""
        return self.project.instance.add_run(dg.DagsterRun(job_name=job, status=status, **run))
