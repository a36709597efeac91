"""Runs `dagster dev` as a person would, and speaks to it as its own UI does."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import requests

from invoices_assets_tests.conftest import PROJECT

T = TypeVar("T")

REPOSITORY = {"repositoryLocationName": "invoices_assets.definitions", "repositoryName": "__repository__"}


@dataclass
class Dev:
    """A running `dagster dev`.

    Parameters:
        url: of the webserver.
        log: everything that its processes wrote.
    """

    url: str
    log: Path

    def ask(self, query: str, **variables: Any) -> Any:
        """The answer to a GraphQL query with one field, which must not be an error."""
        sent = {"query": query, "variables": variables}
        answer = requests.post(f"{self.url}/graphql", json=sent, timeout=60).json()
        assert "errors" not in answer, answer
        [value] = answer["data"].values()
        return value

    def launch(self, job: str) -> str:
        """Starts a run as the UI's launchpad does; returns its id."""
        params = {"selector": REPOSITORY | {"jobName": job}, "mode": "default", "runConfigData": {}}
        started = self.ask(LAUNCH, params=params)
        assert started["__typename"] == "LaunchRunSuccess", started
        return str(started["run"]["id"])

    def finished(self, run_id: str) -> str:
        """Waits for the end of a run; returns its status."""
        ends = ("SUCCESS", "FAILURE", "CANCELED")
        return self.wait(lambda: status if (status := self.ask(STATUS, id=run_id)["status"]) in ends else None)

    def sensor(self) -> Any:
        """The state of the sensor, with its ticks, the last one first."""
        return self.ask(SENSOR, selector=REPOSITORY | {"sensorName": "invoices_changed_sensor"})["sensorState"]

    def start_sensor(self) -> None:
        started = self.ask(START_SENSOR, selector=REPOSITORY | {"sensorName": "invoices_changed_sensor"})
        assert started["__typename"] == "Sensor", started

    def wait(self, until: Callable[[], T | None], limit: float = 120.0) -> T:
        """Asks until there is an answer.

        Raises:
            AssertionError: there was none within `limit` seconds; it holds the end of the log.
        """
        end = time.monotonic() + limit
        while time.monotonic() < end:
            value = until()
            if value:
                return value
            time.sleep(0.25)
        raise AssertionError(f"nothing after {limit:g} s; the end of the log:\n{self.log.read_text()[-5000:]}")


LAUNCH = """mutation LaunchPipelineExecution($params: ExecutionParams!) {
  launchPipelineExecution(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { id } }
    ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}"""

STATUS = """query RunStatus($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"""

SENSOR = """query SensorState($selector: SensorSelector!) {
  sensorOrError(sensorSelector: $selector) {
    ... on Sensor { sensorState { status ticks(limit: 20) { status skipReason runIds error { message } } } }
  }
}"""

START_SENSOR = """mutation StartSensor($selector: SensorSelector!) {
  startSensor(sensorSelector: $selector) { __typename ... on PythonError { message } }
}"""

LOCATIONS = """query Locations {
  workspaceOrError {
    ... on Workspace { locationEntries { name locationOrLoadError { __typename ... on PythonError { message } } } }
  }
}"""


@contextmanager
def dagster_dev(folder: Path, **environment: str) -> Iterator[Dev]:
    """Runs `dagster dev` on the project's workspace in a folder, and ends all its processes.

    Parameters:
        folder: an empty one, where its processes run and Dagster keeps its history.
        environment: further variables.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = folder / "dagster_home"
    home.mkdir()
    command = [sys.executable, "-m", "dagster", "dev", "-w", str(PROJECT / "workspace.yaml")]
    with (folder / "dagster_dev.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "-h", "127.0.0.1", "-p", str(port)],
            cwd=folder,
            env=_environment(home) | environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            dev = Dev(f"http://127.0.0.1:{port}", Path(log.name))
            dev.wait(lambda: _is_ready(dev, process))
            yield dev
        finally:
            _end(process)


def _environment(home: Path) -> Mapping[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("INVOICES_", "DAGSTER_"))}
    paths = [str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return kept | {
        "PYTHONPATH": os.pathsep.join(paths),
        "DAGSTER_HOME": str(home),
        "DAGSTER_DISABLE_TELEMETRY": "yes",
    }


def _is_ready(dev: Dev, process: subprocess.Popen[bytes]) -> bool:
    """Whether the UI answers and has loaded the code location.

    Raises:
        AssertionError: it ended, or the code location cannot be loaded.
    """
    assert process.poll() is None, dev.log.read_text()[-5000:]
    with suppress(requests.ConnectionError):
        entries = dev.ask(LOCATIONS)["locationEntries"]
        loaded = [entry["locationOrLoadError"] for entry in entries]
        assert not [each for each in loaded if each and each["__typename"] == "PythonError"], loaded
        return bool(loaded) and all(loaded)
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """Asks the whole process group to end, as Ctrl-C does, and makes it."""
    for number, patience in ((signal.SIGINT, 20.0), (signal.SIGKILL, 10.0)):
        end = time.monotonic() + patience
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
            while time.monotonic() < end:
                process.poll()
                os.killpg(process.pid, 0)
                time.sleep(0.1)
