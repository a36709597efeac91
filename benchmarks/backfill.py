"""A backfill: workers that each take months from one queue, a run as a process of its own for each month."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import yaml

from benchmarks.measuring import Fixture, environment_of
from benchmarks.server import Clock, total_of
from benchmarks.warehouses import Place
from invoices_assets.sandbox.live import LiveBook
from invoices_assets.source.file import DEFAULT_SOURCE

MONTHS = [f"{2024 + (month + 11) // 12}-{(month + 11) % 12 + 1:02}-01" for month in range(12)]
"""The first twelve whole months of the fixture's history, from December 2024 on."""
BEGIN, END = datetime(2024, 12, 1, tzinfo=UTC), datetime(2025, 12, 1, tzinfo=UTC)
RUN = ["-m", "dagster", "asset", "materialize", "--select", "invoicing/invoices", "-m", "invoices_assets.definitions"]


@dataclass(frozen=True)
class Backfilled:
    """One backfill.

    Parameters:
        wall: seconds from the start of the first run to the end of the last one.
        rows: afterwards.
        right: whether rows and sum are those of the API, for these months.
    """

    wall: float
    rows: int
    right: bool


def expected_of(records: int) -> tuple[int, Decimal]:
    """Rows and sum of these months, in a fixture of so many records."""
    rows = LiveBook(records=records, clock=Clock()).rows(created_from=BEGIN, created_to=END)
    return len(rows), total_of(rows)


def source_by_month(folder: Path) -> Path:
    """The default source file with a window of dates, from the first of the months on."""
    content = yaml.safe_load(DEFAULT_SOURCE.read_text(encoding="utf-8"))
    endpoint = content["resources"][0]["endpoint"]
    change = {"type": "incremental", "cursor_path": "updated_at", "lag": 600}
    endpoint["params"] = {"updated_since": change}
    endpoint["incremental"] = {
        "cursor_path": "created_at",
        "start_param": "created_from",
        "end_param": "created_to",
        "initial_value": MONTHS[0],
    }
    path = folder / "source.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def backfill(workers: int, server: Fixture, place: Place, expected: tuple[int, Decimal]) -> Backfilled:
    """Loads all months.

    Raises:
        RuntimeError: a run failed.
    """
    months: queue.SimpleQueue[str] = queue.SimpleQueue()
    for month in MONTHS:
        months.put(month)
    failed: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = environment_of(server) | place.environment | {"INVOICES_SOURCE": str(source_by_month(folder))}
        threads = [
            threading.Thread(target=_work, args=(months, settings, folder / f"worker {number}", failed))
            for number in range(workers)
        ]
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wall = time.perf_counter() - began
    if failed:
        raise RuntimeError(f"a run failed:\n{failed[0][-3000:]}")
    with place.open() as connection:
        found = connection.execute("SELECT count(*), sum(total) FROM invoicing.invoices").fetchall()[0]
    return Backfilled(wall, found[0], (found[0], Decimal(str(found[1]))) == expected)


def _work(months: queue.SimpleQueue[str], settings: dict[str, str], folder: Path, failed: list[str]) -> None:
    """A worker: like a machine of its own, it shares no folder with the others."""
    folder.mkdir()
    settings = settings | {"INVOICES_WORK_DIR": str(folder / "work")}
    while not failed:
        try:
            month = months.get_nowait()
        except queue.Empty:
            return
        command = [sys.executable, *RUN, "--partition", month]
        done = subprocess.run(
            command, cwd=folder, env=os.environ | settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        if done.returncode:
            failed.append(done.stdout)
