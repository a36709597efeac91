"""Sweeps a resource that hangs on another one: `{resources.<parent>.<field>}` in its path or parameters."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from dlt.sources.rest_api.config_setup import build_parent_record, collect_resolved_values

from invoices_assets.errors import BadAnswer
from invoices_assets.extract.api import Api
from invoices_assets.extract.http.client import HttpClient
from invoices_assets.extract.page import Page
from invoices_assets.extract.sweep import Progress, Sink, SweepResult, sweep
from invoices_assets.source.resource import ResourceSpec


class _Collected:
    """A sink that keeps, of each parent record, what its dependents need."""

    def __init__(self, spec: ResourceSpec) -> None:
        self._spec = spec
        self.values: list[tuple[dict[str, Any], dict[str, Any]]] = []

    def start_over(self) -> None:
        self.values.clear()

    def add(self, page: Page) -> None:
        spec = self._spec
        for record in page.records:
            try:
                values = collect_resolved_values(record, list(spec.resolved_params), None, None)
                inherited = build_parent_record(record, str(spec.parent), list(spec.include_from_parent))
            except (ValueError, AttributeError) as error:
                raise BadAnswer(" ".join(str(error).split())) from None
            self.values.append((values, inherited))


class _Passed:
    """A sink that adds the inherited fields and hands on only whole passes."""

    def __init__(self, inherited: Mapping[str, Any]) -> None:
        self._inherited = inherited
        self.pages: list[Page] = []

    def start_over(self) -> None:
        self.pages.clear()

    def add(self, page: Page) -> None:
        if self._inherited:
            records = [{**record, **self._inherited} if isinstance(record, dict) else record for record in page.records]
            page = Page(records, page.total, page.size)
        self.pages.append(page)


def sweep_dependent(
    spec: ResourceSpec,
    parent: ResourceSpec,
    connection: Api,
    http: HttpClient,
    sink: Sink,
    *,
    start: Any = None,
    window: int = 8,
    limit: int | None = None,
    progress: Progress | None = None,
) -> SweepResult:
    """Sweeps the parent, and then the resource once for each parent record; complete if all of them are.

    Parameters and errors are those of `sweep`.
    """
    began = time.monotonic()
    parents = _Collected(spec)
    parent_http = connection.client(parent)
    try:
        parent_swept = sweep(parent, connection.endpoint(parent_http, parent), parents, window=window)
    finally:
        parent_http.close()
    endpoint = connection.endpoint(http, spec)
    sink.start_over()
    swept = SweepResult(passes=1, complete=parent_swept.complete)
    for values, inherited in parents.values:
        passed = _Passed(inherited)
        part = sweep(spec, endpoint, passed, start=start, window=window, progress=progress, parent_values=values)
        for page in passed.pages:
            sink.add(page)
        swept.rows += part.rows
        swept.distinct += part.distinct
        swept.pages += part.pages
        if limit is not None and swept.rows >= limit:
            swept.complete = False
            break
    swept.seconds = time.monotonic() - began
    return swept
