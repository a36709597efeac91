"""Runs one contender as a process and says what it took and whether its rows are right."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks.warehouses import Place, file_in

OURS = "this project"
JOB = ["-m", "dagster", "job", "execute", "-m", "invoices_assets.definitions", "-j", "refresh_invoices"]
OUR_WORK = re.compile(r"[\d,]+ pages?, ([\d.]+) s$", re.MULTILINE)
"""The end of the sentence that a run logs: the seconds from the first request to the commit."""


@dataclass
class Fixture:
    """A running fixture server."""

    process: subprocess.Popen[str]
    url: str = ""
    key: str = ""
    rows: int = 0
    total: Decimal = Decimal(0)

    def let_time_pass(self) -> None:
        """About 50 invoices change, and 120 are new."""
        self._say("later")
        self.introduce()

    def introduce(self) -> None:
        """Reads what the server says of itself."""
        told = self._hear()
        self.url, self.key, self.rows = told["url"], told["key"], told["rows"]
        self.total = Decimal(told["total"])

    def asked(self) -> tuple[float, int]:
        """Seconds from the first request to the last one since the last call, and how many were refused."""
        self._say("asked")
        told = self._hear()
        return told["seconds"], told["refused"]

    def _say(self, word: str) -> None:
        assert self.process.stdin is not None
        print(word, file=self.process.stdin, flush=True)

    def _hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        told: dict[str, Any] = json.loads(self.process.stdout.readline())
        return told


@dataclass
class Measured:
    """One run of one contender.

    Parameters:
        wall: seconds of the whole process.
        work: seconds from the first request to the last commit.
        asking: seconds from the first request to the last one, as the server saw them.
        cpu: seconds of the whole process, on all cores.
        memory: peak, in bytes.
        rows: afterwards.
        right: whether rows and sum are those of the API.
        refused: requests that were answered 429.
    """

    wall: float
    work: float
    asking: float
    cpu: float
    memory: int
    rows: int
    right: bool
    refused: int


@contextmanager
def fixture(records: int, *, latency: float = 0.0, rate: float | None = None) -> Iterator[Fixture]:
    """Starts the fixture server in a process of its own and ends it."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.server",
        "--records",
        str(records),
        "--latency",
        str(latency),
    ]
    if rate:
        command += ["--rate", str(rate)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:  # it ends with its input
        server = Fixture(process)
        server.introduce()
        yield server


def environment_of(server: Fixture) -> dict[str, str]:
    """The settings of a run of this project, but for the warehouse."""
    return {
        "INVOICES_API_BASE_URL": server.url,
        "INVOICES_API_KEY": server.key,
        "DAGSTER_DISABLE_TELEMETRY": "yes",
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "PYTHONPATH": os.getcwd(),
    }


def measure(contender: str, server: Fixture, folder: Path, place: Place | None = None, **api: Any) -> Measured:
    """Runs a contender on a warehouse in a folder; a second run in the same folder is a second load.

    Parameters:
        place: another warehouse, for this project.
        api: fields of this project's resource `InvoicesApi` for the run.
    """
    path = folder / "warehouse.duckdb"
    place = place or file_in(folder)
    arguments = ["-m", "benchmarks.contenders", contender, "--url", server.url, "--key", server.key]
    command = JOB if contender == OURS else [*arguments, "--path", str(path)]
    if api:
        config = folder / "config.yaml"
        config.write_text(json.dumps({"resources": {"api": {"config": api}}}))
        command = [*command, "--config", str(config)]
    environment = os.environ | environment_of(server) | place.environment
    log = folder / "output.txt"
    with log.open("w") as output:
        began = time.perf_counter()
        process = subprocess.Popen([sys.executable, *command], stdout=output, stderr=output, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
    text = log.read_text()
    if status:
        raise RuntimeError(f"{contender} failed:\n{text[-3000:]}")
    work = OUR_WORK.search(text) if contender == OURS else re.search(r"^work ([\d.]+)$", text, re.MULTILINE)
    assert work is not None, text[-3000:]
    asking, refused = server.asked()
    rows, right = _compare(place, server)
    cpu, memory = usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024
    return Measured(wall, float(work[1]), asking, cpu, memory, rows, right, refused)


def _compare(place: Place, server: Fixture) -> tuple[int, bool]:
    with place.open() as connection:
        columns = [row[0] for row in connection.execute("DESCRIBE invoicing.invoices").fetchall()]
        row = connection.execute("SELECT count(*), sum(total) FROM invoicing.invoices").fetchone()
    assert row is not None
    exact = row[0] == server.rows and Decimal(str(row[1])) == server.total
    return row[0], exact and not any("__v_" in name for name in columns)
