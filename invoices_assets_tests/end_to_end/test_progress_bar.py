"""The progress bar: on the terminal of who starts a run, and nowhere else."""

from __future__ import annotations

import os
import pty
import re
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.scoped_resources_builder import ScopedResourcesBuilder
from dagster._core.remote_origin import InProcessCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from invoices_assets.assets.dlt_resource import InvoicesDlt
from invoices_assets.assets.progress_bar import progress_bar
from invoices_assets.refresh.progress import SWEPT
from invoices_assets_tests.support.processes import Deployment
from invoices_assets_tests.vendor import Book, faults, serve

BAR = re.compile(rb"\rinvoices: +\d+%\|.* \d+/1000 \[.* rows/s\]")


@dataclass
class Terminal:
    """A terminal of 100 columns, and what is written on it."""

    name: str
    _slave: int
    _reader: threading.Thread
    _written: bytearray = field(default_factory=bytearray)

    def written(self) -> bytes:
        """All that was; the terminal is closed."""
        os.close(self._slave)
        self._reader.join(30)
        return bytes(self._written)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 100))
    written = bytearray()

    def read() -> None:
        try:
            while piece := os.read(master, 1 << 16):
                written.extend(piece)
        except OSError:
            pass  # so Linux tells that nobody has it open any more

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    yield Terminal(os.ttyname(slave), slave, reader, written)
    os.close(master)


@contextmanager
def stderr_on(terminal: Terminal) -> Iterator[None]:
    with open(terminal.name, "w") as stream, redirect_stderr(stream):
        yield


def use_terminal(name: str) -> None:
    """In the process of a run: what it writes to stderr goes to a terminal."""
    os.dup2(os.open(name, os.O_WRONLY | os.O_NOCTTY), 2)


def test_the_command_draws_a_bar_on_a_terminal_and_in_no_file(tmp_path: Path, terminal: Terminal) -> None:
    with serve(Book.of(1000), faults.Faults(faults.latency(0.6))) as server:
        run = Deployment(tmp_path, server.url).run(partial(use_terminal, terminal.name))
    drawn = terminal.written()
    assert run.status == 0, drawn
    assert BAR.search(drawn), drawn
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.suffix == ".err" for path in files)  # where Dagster keeps what the step writes to stderr
    assert [path for path in files if b"%|" in path.read_bytes()] == []


def test_a_bar_goes_back_where_records_are_read_anew_and_away_at_the_end(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("invoices_assets.assets.progress_bar.DELAY_SECONDS", 0.0)
    with stderr_on(terminal), progress_bar() as bar:
        assert bar is not None
        with bar("Extract"):
            bar.update("Resources", 0, 1)
            for rows in (100, 200, -300, 100):
                bar.update("invoices", rows, 400, label=SWEPT)
                assert bar._bar is not None
                bar._bar.refresh()
    lines = [line.strip() for line in terminal.written().decode().split("\r") if line.strip()]
    assert [re.findall(r"\d+/400", line)[0] for line in lines][-4:] == ["100/400", "300/400", "0/400", "100/400"]
    assert all(line.startswith("invoices: ") for line in lines)


@pytest.mark.parametrize("is_remote", [True, False], ids=["by a daemon", "on the command line"])
def test_only_a_run_that_was_started_on_the_terminal_draws_there(terminal: Terminal, is_remote: bool) -> None:
    location = InProcessCodeLocationOrigin(LoadableTargetOrigin(module_name="invoices_assets.definitions"))
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(location, "__repository__"), "refresh_invoices")
    run = dg.DagsterRun(job_name="refresh_invoices", remote_job_origin=origin if is_remote else None)
    context = dg.InitResourceContext({}, ScopedResourcesBuilder.build_empty(), None, {}, dagster_run=run)
    with stderr_on(terminal), InvoicesDlt().yield_for_execution(context) as dlt:
        assert (dlt._bar is None) is is_remote


def test_where_stderr_is_no_terminal_there_is_no_bar() -> None:
    with progress_bar() as bar:
        assert bar is None
