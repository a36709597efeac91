"""What the first pages of a resource show: asked for once, looked at by every question."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from invoices_assets.errors import ExtractError
from invoices_assets.extract.endpoint import Endpoint
from invoices_assets.extract.http.retry import RetryPolicy
from invoices_assets.extract.page import Page
from invoices_assets.extract.pagination.walk import first_page
from invoices_assets.extract.partition import DateWindow
from invoices_assets.extract.sweep import Kept, SweepRequest, SweepResult, sweep
from invoices_assets.source.record_key import keys_of
from invoices_assets.source.resource import ResourceSpec

POLICY = RetryPolicy(retries=1, factor=1.0)
"""A person waits for the answer, and what fails twice is worth telling."""


@dataclass(frozen=True)
class Asking:
    """Asks one resource.

    Parameters:
        spec: the resource; one that hangs on another is that of a single parent record.
        endpoint: asks for its pages.
        parent_values: of the `{resources.…}` placeholders, for that parent record.
    """

    spec: ResourceSpec
    endpoint: Endpoint
    parent_values: Mapping[str, Any] | None = None

    def first_page(self, start: Any = None, dates: DateWindow | None = None) -> Page:
        """The first page of what is there since a start, or within a window.

        Raises:
            ExtractError: it cannot be had.
        """
        request = self.endpoint.request(start, self.parent_values, dates)
        return first_page(self.endpoint, self.spec.paginator, request)


@dataclass(frozen=True)
class Evidence:
    """What was seen.

    Parameters:
        asking: of what it is.
        first, again: the first page, and the answer to the same question right after it.
        pages: of one pass, up to three pages.
        swept: what that pass proved; None where it failed.
        fault: why it failed.
        seconds: that the first answer took.
    """

    asking: Asking
    first: Page
    again: Page
    pages: list[Page]
    swept: SweepResult | None
    fault: ExtractError | None
    seconds: float

    @property
    def spec(self) -> ResourceSpec:
        """The resource."""
        return self.asking.spec

    @cached_property
    def records(self) -> list[Any]:
        """Each record that was seen, once, in the order of the pages."""
        records = [record for page in self.pages or [self.first] for record in page.records]
        named = dict(zip(map(repr, self.keys(records)), records, strict=True))
        return list(named.values()) if len(named) > 1 else records

    def keys(self, records: list[Any]) -> list[Any]:
        """The primary key of each record; None where it has none."""
        return keys_of(self.spec)(records)


def gather(asking: Asking) -> Evidence:
    """Asks for the first page twice, and for some pages in a row.

    Raises:
        ExtractError: not even the first page can be had.
    """
    began = time.monotonic()
    first = asking.first_page()
    seconds = time.monotonic() - began
    again = asking.first_page()
    kept, swept, fault = Kept(), None, None
    try:
        # one pass over everything that stops soon; where it fails, a run would fail, too
        some = SweepRequest(limit=2 * len(first.outline) + 1, parent_values=asking.parent_values, passes=1)
        swept = sweep(asking.spec, asking.endpoint, kept, some, window=1)
    except ExtractError as error:
        fault = error
    return Evidence(asking, first, again, kept.pages, swept, fault, seconds)
