"""Servers that nobody here wrote, as processes on loopback: localstripe, Datasette and Kinto."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from invoices_assets.describe.check import check_source
from invoices_assets.describe.finding import Verdict
from invoices_assets.extract.api import Api
from invoices_assets.redaction.redactor import Redactor
from invoices_assets.source.file import read_source
from invoices_assets_tests.conftest import EXTRA, PROJECT
from invoices_assets_tests.support.warehouses import free_port

EXAMPLES = PROJECT / "examples"


def example(name: str) -> dict[str, Any]:
    """The content of a source file in `examples/`."""
    return dict(yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text(encoding="utf-8")))


def contradicted(name: str, url: str, key: str = "none") -> list[str]:
    """What the check of an example finds wrong, asked of a running server."""
    source = read_source(EXAMPLES / f"{name}.yaml")
    findings = check_source(source, Api(url, key, Redactor([key])))
    assert any(each.verdict is Verdict.OK for each in findings)
    return [each.sentence for each in findings if each.verdict is Verdict.WRONG]


@contextlib.contextmanager
def running(package: str, command: Sequence[str], folder: Path, ready: str) -> Iterator[str]:
    """A server as a process of its own; yields its address.

    Parameters:
        package: of which it is; the calling test is skipped where it is not installed.
        command: arguments of Python; `{port}` in them stands for the port.
        folder: where it runs, with its log.
        ready: a path that is answered once it serves, also with an error of the client.
    """
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed: {EXTRA} `servers`")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *(word.replace("{port}", str(port)) for word in command)],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        _wait(url + ready, process, folder / "server.log")
        yield url
    finally:
        process.kill()
        process.wait()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(requests.ConnectionError):
            if requests.get(url, timeout=10).status_code < 500:
                return
        time.sleep(0.1)
    raise AssertionError(f"the server does not answer; the end of its log:\n{log.read_text()[-3000:]}")
