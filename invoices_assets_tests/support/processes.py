"""Dagster's own command line, in processes that a test can kill, limit and listen to."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing.context import ForkServerContext
from multiprocessing.forkserver import ensure_running
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from invoices_assets_tests.conftest import PROJECT
from invoices_assets_tests.vendor import SANDBOX_KEY

# All that a run imports, but not the definitions, which look at the environment when they are imported.
_PRELOADED = [
    "dagster._cli",
    "dagster._core.executor.in_process",
    "dagster._core.storage.local_compute_log_manager",
    "dagster._core.storage.root",
    "dagster._core.storage.sqlite_storage",
    "invoices_assets.component",
    "invoices_assets.load.destination.pipeline",
    "invoices_assets.load.destination.session",
    "invoices_assets_tests.support.processes",
]

EVERYTHING = {"ops": {"invoicing_resources": {"config": {"mode": "full"}}}}
"""The config of a run that reads all invoices, whatever the cursor."""


@dataclass
class Deployment:
    """The project as somebody has deployed it: settings, a DAGSTER_HOME and a home of its own in one folder.

    Parameters:
        folder: where it is run, and where all of its files go.
        url: base URL of the API.
        source: the content of the source file; None for the default one.
    """

    folder: Path
    url: str
    key: str = SANDBOX_KEY
    source: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        for name in ("home", "tmp"):
            (self.folder / name).mkdir(exist_ok=True)
        shutil.copytree(_dagster_home(), self.folder / "dagster_home")
        if self.source is not None:
            text = yaml.safe_dump(self.source, allow_unicode=True)
            (self.folder / "source.yaml").write_text(text, encoding="utf-8")

    @property
    def warehouse(self) -> Path:
        return self.folder / "data" / "invoices.duckdb"

    @property
    def environment(self) -> dict[str, str]:
        """What a process of this deployment has, and nothing else."""
        of_machine = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
        source = {} if self.source is None else {"INVOICES_SOURCE": str(self.folder / "source.yaml")}
        return {
            **of_machine,
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            "DAGSTER_HOME": str(self.folder / "dagster_home"),
            "DAGSTER_DISABLE_TELEMETRY": "yes",
            "PYTHONPATH": str(PROJECT),
            "INVOICES_API_BASE_URL": self.url,
            "INVOICES_API_KEY": self.key,
            **source,
        }

    def start(self, sabotage: Callable[[], None] | None = None, config: dict[str, Any] | None = None) -> Run:
        """Starts `dagster job execute` for `refresh_invoices`.

        Parameters:
            sabotage: a function of a module, called in the process before the command.
            config: of the run.
        """
        number = len(list(self.folder.glob("output.*")))
        output = self.folder / f"output.{number}.txt"
        output.touch()
        command = ["dagster", "job", "execute", "-m", "invoices_assets.definitions", "-j", "refresh_invoices"]
        if config:
            path = self.folder / f"run_config.{number}.yaml"
            path.write_text(yaml.safe_dump(config))
            command += ["-c", str(path)]
        process = _context().Process(
            target=_execute,
            args=(command, self.environment, str(self.folder), str(output), sabotage),
            daemon=True,
        )
        process.start()
        return Run(process, output)

    def run(self, sabotage: Callable[[], None] | None = None, config: dict[str, Any] | None = None) -> Run:
        """The same, and waits for its end."""
        return self.start(sabotage, config).ended()


@dataclass
class Run:
    """One run of the command; `output` has stdout and stderr."""

    process: BaseProcess
    output: Path

    def ended(self) -> Run:
        self.process.join(120)
        assert self.process.exitcode is not None, f"still under way: {self.said}"
        return self

    def kill(self) -> None:
        """SIGKILL, and waits for the end."""
        self.process.kill()
        self.process.join(30)

    @property
    def status(self) -> int | None:
        """The exit status; negative for a signal."""
        return self.process.exitcode

    @property
    def said(self) -> str:
        return self.output.read_text(encoding="utf-8", errors="replace")


@lru_cache(maxsize=1)
def _dagster_home() -> Path:
    """A DAGSTER_HOME that was used before: Dagster makes its databases in the first run, and only one may."""
    home = Path(tempfile.mkdtemp(prefix="invoices-tests-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(home))
        with dg.DagsterInstance.get() as instance:
            instance.get_runs()
            instance.all_asset_keys()
    return home


@lru_cache(maxsize=1)
def _context() -> ForkServerContext:
    """A server that has all modules imported, so that a run takes one second instead of five."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(PROJECT))
        ensure_running()
    return context


def _execute(
    command: list[str],
    environment: dict[str, str],
    folder: str,
    output: str,
    sabotage: Callable[[], None] | None,
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    file = os.open(output, os.O_WRONLY | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.argv = command
    sys.stdout = os.fdopen(1, "w", buffering=1, encoding="utf-8")
    sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace")
    if sabotage is not None:
        sabotage()
    from dagster._cli import main

    main()
