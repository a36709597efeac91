"""The deployment of `deploy/` without containers: its services as processes, each in a folder of its own.

Their commands are those of `deploy/compose.yaml`, and their settings the files of `deploy/`, but for addresses.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import yaml

from invoices_assets_tests.conftest import PROJECT
from invoices_assets_tests.support.dagster_dev import LOCATIONS, Dev
from invoices_assets_tests.support.warehouses import free_port

DEPLOY = PROJECT / "deploy"
ADDRESS = "127.0.0.1"


def compose() -> dict[str, Any]:
    """What `deploy/compose.yaml` says."""
    return dict(yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8")))


@contextlib.contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """A new Redis server with its files in a folder; yields its address.

    The calling test is skipped where none is installed.
    """
    for package in ("dagster_celery", "dagster_postgres", "redis"):
        pytest.importorskip(package, reason=f"{package} is not installed: see constraints-scale.txt")
    if not shutil.which("redis-server"):
        pytest.skip("no Redis server is installed")
    import redis

    port, password = free_port(), "an-invented-password"
    options = ["--bind", ADDRESS, "--port", str(port), "--dir", str(folder), "--requirepass", password]
    process = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)
    try:
        address = f"redis://:{password}@{ADDRESS}:{port}/0"
        client = redis.Redis.from_url(address)
        until(lambda: _answers(client.ping, redis.ConnectionError))
        yield address
    finally:
        process.terminate()
        process.wait(30)


def storage_in(dsn: str, database: str) -> dict[str, str]:
    """The settings of Dagster's storage in a database of a server."""
    at = urlsplit(dsn)
    return {
        "DAGSTER_POSTGRES_HOST": str(at.hostname),
        "DAGSTER_POSTGRES_PORT": str(at.port),
        "DAGSTER_POSTGRES_DB": database,
        "DAGSTER_POSTGRES_USER": str(at.username),
        "DAGSTER_POSTGRES_PASSWORD": str(at.password),
    }


@dataclass
class Process:
    """A service, with all that it started, which are of its group."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def is_of(self, pid: int) -> bool:
        """Whether a process is one of them."""
        return os.getpgid(pid) == self.process.pid

    def kill(self) -> None:
        """SIGKILL to all of them at once, as when a machine loses its power."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)


@dataclass
class Machines:
    """The services of a deployment.

    Parameters:
        folder: where each service gets a folder, which is also its DAGSTER_HOME.
        dagster: the environment that all services have.
        project: what those that run the project's code have besides.
        changes: to the sections of `deploy/dagster.yaml`, such as shorter times.
        module: with the definitions, in place of the project's own.
    """

    folder: Path
    dagster: Mapping[str, str]
    project: Mapping[str, str]
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    module: str = "invoices_assets.definitions"
    running: dict[str, Process] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ports = {"4000": str(free_port()), "3000": str(free_port())}
        self.url = f"http://{ADDRESS}:{self.ports['3000']}"

    def start(self, service: str, name: str = "", *more: str) -> Process:
        """Starts a service of the compose file.

        Parameters:
            name: of one of several of the same service.
            more: arguments.
        """
        name = name or service
        described = compose()["services"][service]
        home = self._home(name)
        replaced = {
            "0.0.0.0": ADDRESS,
            "/opt/dagster/workspace.yaml": str(home / "workspace.yaml"),
            "invoices_assets.definitions": self.module,
            **self.ports,
        }
        program, *arguments = [replaced.get(word, word) for word in described["command"]]
        is_project = "INVOICES_API_KEY" in described["environment"]
        log = home / "output.txt"
        with log.open("ab") as output:
            process = subprocess.Popen(
                [Path(sys.executable).with_name(program), *arguments, *more],
                cwd=home,
                env=self._environment(home, is_project=is_project),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.running[name] = Process(name, process, log)
        return self.running[name]

    def kill(self) -> None:
        for each in self.running.values():
            each.kill()

    @property
    def said(self) -> str:
        """The ends of all logs."""
        return "\n".join(f"== {name}\n{each.log.read_text()[-3000:]}" for name, each in self.running.items())

    def _home(self, name: str) -> Path:
        home = self.folder / name
        if not home.exists():
            (home / "tmp").mkdir(parents=True)
            settings = yaml.safe_load((DEPLOY / "dagster.yaml").read_text(encoding="utf-8"))
            for section, values in self.changes.items():
                settings[section] |= values
            (home / "dagster.yaml").write_text(yaml.safe_dump(settings))
            workspace = (DEPLOY / "workspace.yaml").read_text(encoding="utf-8")
            (home / "workspace.yaml").write_text(
                workspace.replace("host: code", f"host: {ADDRESS}").replace("4000", self.ports["4000"])
            )
        return home

    def _environment(self, home: Path, *, is_project: bool) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
        return {
            **kept,
            "HOME": str(home),
            "TMPDIR": str(home / "tmp"),
            "DAGSTER_HOME": str(home),
            "DAGSTER_DISABLE_TELEMETRY": "yes",
            "RUNTIME__DLTHUB_TELEMETRY": "false",
            "PYTHONPATH": os.pathsep.join([str(PROJECT), str(DEPLOY)]),
            **self.dagster,
            **(self.project if is_project else {}),
        }


@contextlib.contextmanager
def deployed(machines: Machines) -> Iterator[Dev]:
    """Starts code location, webserver and two workers, and ends all machines; yields the webserver."""
    try:
        machines.start("code")
        for number in ("1", "2"):
            machines.start("worker", f"worker-{number}", "-n", f"worker-{number}@%h")
        dev = Dev(machines.url, machines.start("webserver").log)
        until(lambda: _answers(lambda: requests.get(machines.url, timeout=5), requests.ConnectionError))
        until(lambda: _is_loaded(dev))
        yield dev
    except AssertionError as error:
        raise AssertionError(f"{error}\n{machines.said}") from error
    finally:
        machines.kill()


def _is_loaded(dev: Dev) -> bool:
    [entry] = dev.ask(LOCATIONS)["locationEntries"]
    found = entry["locationOrLoadError"]
    return bool(found) and found["__typename"] == "RepositoryLocation"


def until(is_so: Callable[[], Any], limit: float = 60.0, pause: float = 0.5) -> Any:
    """Asks until there is an answer, with a pause in seconds before each further time.

    Raises:
        AssertionError: there was none within `limit` seconds.
    """
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if answer := is_so():
            return answer
        time.sleep(pause)
    raise AssertionError(f"nothing after {limit:g} s")


def _answers(ask: Callable[[], Any], refused: type[Exception]) -> bool:
    with contextlib.suppress(refused):
        ask()
        return True
    return False
