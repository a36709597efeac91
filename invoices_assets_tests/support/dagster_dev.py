"""Runs `dagster dev` as a person would, and speaks to it as its own UI does."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import requests

from invoices_assets_tests.conftest import PROJECT

T = TypeVar("T")

REPOSITORY = {"repositoryLocationName": "invoices_assets.definitions", "repositoryName": "__repository__"}
QUICK_REPOSITORY = REPOSITORY | {"repositoryLocationName": "quick"}

QUICK = """
from invoices_assets import sensor

sensor.SENSOR_INTERVAL_SECONDS = 5

from invoices_assets.definitions import defs
"""
WITHOUT_WELCOME = "nux: {enabled: false}\n"
"""Of Dagster's settings: no dialog for news lies over the first page."""

QUICK_WORKSPACE = """
load_from:
  - python_file: {relative_path: quick.py, location_name: quick}
"""


@dataclass
class Dev:
    """A running `dagster dev`.

    Parameters:
        url: of the webserver.
        log: everything that its processes wrote.
        repository: whose jobs are launched, as GraphQL names it.
    """

    url: str
    log: Path
    repository: Mapping[str, str] = field(default_factory=lambda: REPOSITORY)

    def ask(self, query: str, **variables: Any) -> Any:
        """The answer to a GraphQL query with one field, which must not be an error."""
        sent: dict[str, Any] = {"query": query, "variables": variables}
        answer = requests.post(f"{self.url}/graphql", json=sent, timeout=60).json()
        assert "errors" not in answer, answer
        [value] = answer["data"].values()
        return value

    def asked_to_launch(self, job: str, config: dict[str, Any]) -> Any:
        """What Dagster answers to the UI's launchpad."""
        params = {"selector": {**self.repository, "jobName": job}, "mode": "default", "runConfigData": config}
        return self.ask(LAUNCH, params=params)

    def launch(self, job: str) -> str:
        """Starts a run as the UI's launchpad does; returns its id."""
        started = self.asked_to_launch(job, {})
        assert started["__typename"] == "LaunchRunSuccess", started
        return str(started["run"]["id"])

    def finished(self, run_id: str) -> str:
        """Waits for the end of a run; returns its status."""
        ends = ("SUCCESS", "FAILURE", "CANCELED")
        return self.wait(lambda: status if (status := self.ask(STATUS, id=run_id)["status"]) in ends else None)

    def start_sensor(self) -> None:
        """Switches the sensor on, as the UI does; the one that ticks every 5 s."""
        started = self.ask(START_SENSOR, selector=QUICK_REPOSITORY | {"sensorName": "invoices_changed_sensor"})
        assert started["__typename"] == "Sensor", started

    def ticks(self) -> list[dict[str, Any]]:
        """The finished ticks of that sensor, the last one first."""
        sensor = self.ask(SENSOR, selector=QUICK_REPOSITORY | {"sensorName": "invoices_changed_sensor"})
        return [tick for tick in sensor["sensorState"]["ticks"] if tick["status"] != "STARTED"]

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
    ... on Sensor { sensorState { ticks(limit: 50) { status skipReason runIds error { message } } } }
  }
}"""

START_SENSOR = """mutation StartSensor($selector: SensorSelector!) {
  startSensor(sensorSelector: $selector) { __typename ... on PythonError { message } }
}"""

LOCATIONS = """query Locations {
  workspaceOrError {
    ... on Workspace { locationEntries { locationOrLoadError { __typename ... on PythonError { message } } } }
  }
}"""


@contextmanager
def dagster_dev(folder: Path, **environment: str) -> Iterator[Dev]:
    """Runs `dagster dev` on the project's workspace in a folder, and ends all its processes.

    The same definitions are there once more as the code location `quick`, whose sensor may tick every 5 s.

    Parameters:
        folder: an empty one, where its processes run and Dagster keeps its history.
        environment: further variables.
    """
    (folder / "quick.py").write_text(QUICK)
    (folder / "quick.yaml").write_text(QUICK_WORKSPACE)
    workspaces = ["-w", str(PROJECT / "workspace.yaml"), "-w", str(folder / "quick.yaml")]
    with _running([sys.executable, "-m", "dagster", "dev", *workspaces], folder, environment) as dev:
        yield dev


@contextmanager
def sandbox_dev(folder: Path) -> Iterator[Dev]:
    """Runs `dagster dev` as the README says, without settings, in an empty folder, and ends all its processes."""
    with _running([sys.executable, "-m", "dagster", "dev", "-w", str(PROJECT / "workspace.yaml")], folder, {}) as dev:
        yield dev


@contextmanager
def dg_dev(project: Path, location: str, **environment: str) -> Iterator[Dev]:
    """Runs `dg dev` in a project that was made with `create-dagster`, and ends all its processes.

    Parameters:
        project: its folder; Dagster keeps its history there.
        location: the name of its code location.
    """
    command = [str(Path(sys.executable).with_name("dg")), "dev"]
    with _running(command, project, environment) as dev:
        yield replace(dev, repository={"repositoryLocationName": location, "repositoryName": "__repository__"})


@contextmanager
def _running(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Iterator[Dev]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = folder / "dagster_home"
    home.mkdir()
    (home / "dagster.yaml").write_text(WITHOUT_WELCOME)
    with (folder / "dagster_dev.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            cwd=folder,
            env={**_environment(home), **environment},
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


def _environment(home: Path) -> dict[str, str]:
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
    """Ends the process and all that it started, which are of its group, and waits until none is left."""
    with suppress(ProcessLookupError):
        for _ in range(200):  # in a container without init, dead processes stay in the group for ever
            os.killpg(process.pid, signal.SIGKILL)
            process.poll()
            time.sleep(0.05)
