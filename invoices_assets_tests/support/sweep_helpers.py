"""Helps tests to sweep a sandbox without waiting: only the clock of the retries is fake."""

from __future__ import annotations

from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from invoices_assets.extract.endpoint import Endpoint
from invoices_assets.extract.http.client import HttpClient
from invoices_assets.extract.page import Page
from invoices_assets.extract.sweep import SweepRequest, SweepResult, sweep
from invoices_assets.redaction.redactor import Redactor
from invoices_assets.source.file import DEFAULT_SOURCE, Source, read_source
from invoices_assets.source.resource import ResourceSpec
from invoices_assets_tests.support.fake_clock import FakeClock
from invoices_assets_tests.vendor import SANDBOX_KEY, Vendor


class Records:
    """A sink that keeps the records of the pass that counted."""

    def __init__(self) -> None:
        self.records: list[Any] = []

    def start_over(self) -> None:
        self.records = []

    def add(self, page: Page) -> None:
        self.records += page.records

    @property
    def ids(self) -> list[Any]:
        return [record["id"] for record in self.records]


def config(**changes: Any) -> dict[str, Any]:
    """The default source as a dict, with keys of the endpoint of `invoices` replaced; None removes one."""
    content = deepcopy(_default_config())
    endpoint = content["resources"][0]["endpoint"]
    endpoint.update(changes)
    for key in [key for key, value in endpoint.items() if value is None]:
        del endpoint[key]
    return content


@lru_cache(maxsize=1)
def _default_config() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(DEFAULT_SOURCE.read_text(encoding="utf-8"))
    return content


def source_file(folder: Path, content: dict[str, Any]) -> Source:
    """Writes a source file and reads it as the project does."""
    path = folder / "source.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return read_source(path)


def spec_of(content: dict[str, Any], key: str = SANDBOX_KEY) -> ResourceSpec:
    """The resource `invoices` of a configuration, ready to be asked for."""
    return Source(DEFAULT_SOURCE, content).resources["invoices"].with_auth(key)


def swept_from(
    server: Vendor,
    content: dict[str, Any] | None = None,
    *,
    key: str | None = None,
    window: int = 8,
    start: Any = None,
    limit: int | None = None,
) -> tuple[SweepResult, Records]:
    """Sweeps the vendor, with its own key unless told another; waits before retries take no time."""
    key = server.key if key is None else key
    return swept(server.url, content or config(), key=key, window=window, start=start, limit=limit)


def swept(
    url: str,
    content: dict[str, Any],
    *,
    key: str = SANDBOX_KEY,
    window: int = 1,
    **asked: Any,
) -> tuple[SweepResult, Records]:
    """Sweeps `invoices` of whatever answers at an address; waits before retries take no time.

    Parameters:
        asked: what of the resource is asked for, see `SweepRequest`.
    """
    spec = spec_of(content, key)
    http = HttpClient(auth=spec.auth, redactor=Redactor([key]), pool=window, clock=FakeClock())
    try:
        records = Records()
        return sweep(spec, Endpoint(http, spec, url), records, SweepRequest(**asked), window=window), records
    finally:
        http.close()
