"""Reads some pages by a draft in the way in which a run would read them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from invoices_assets.describe.draft.asking import TooManyRequests, keep_budget
from invoices_assets.describe.draft.paging.paging import Paging
from invoices_assets.errors import PASSING_STATUSES, ApiStatusError, ExtractError
from invoices_assets.extract.api import Api
from invoices_assets.extract.http.retry import RetryPolicy
from invoices_assets.extract.sweep import Kept, SweepRequest, SweepResult, sweep
from invoices_assets.source.file import Source
from invoices_assets.source.resource import ResourceSpec

RESOURCE = "invoices"
PAGES, _ENOUGH = 3, 300
"""How many pages are read, and how many records are enough to draft columns from."""
_ONCE_MORE = RetryPolicy(retries=1, factor=0.5, statuses=PASSING_STATUSES - {429})
"""An end that no total confirms is asked for again by the walks."""


@dataclass(frozen=True)
class Trial:
    """What some pages of a draft brought.

    Parameters:
        size: that a page was asked to have, or has.
        has_totals: False where what looks like a total counts something else.
        records: that came.
        swept: how the reading ended; None where it failed.
        fault: why it failed.
        requests: that were sent.
    """

    size: int
    has_totals: bool
    records: list[Any]
    swept: SweepResult | None
    fault: ExtractError | None
    requests: int


@dataclass(frozen=True)
class Ground:
    """The part of a draft that is settled before its pages are read.

    Parameters:
        api: where it is, and the key.
        client: as in the YAML.
        key: the field of the primary key.
        endpoint: as in the YAML, without what belongs to paging.
        params: of the endpoint.
    """

    api: Api
    client: Mapping[str, Any]
    key: str
    endpoint: Mapping[str, Any]
    params: Mapping[str, Any]

    def config(self, paginator: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
        """The content of a source file."""
        asked = {**self.params, **params}
        endpoint = {**self.endpoint, **({"params": asked} if asked else {}), "paginator": dict(paginator)}
        return {
            "client": dict(self.client),
            "resource_defaults": {"primary_key": self.key, "write_disposition": "merge"},
            "resources": [{"name": RESOURCE, "endpoint": endpoint}],
        }


def spec_of(config: Mapping[str, Any]) -> ResourceSpec:
    """The resource of a draft, checked as a source file is.

    Raises:
        SourceError: it cannot be used.
    """
    source = Source(Path("draft.yaml"), config)
    source.dlt_source("check")
    return source.resources[RESOURCE]


def read_some(ground: Ground, paging: Paging) -> Trial:
    """Reads up to three pages of the largest size that the API takes.

    Raises:
        RequestFailed: 429, or the API cannot be reached.
    """
    sent = 0
    for size in paging.sizes:
        trial = _with_totals(ground, paging, size)
        sent += trial.requests
        if trial.records or not isinstance(trial.fault, ApiStatusError):
            break
    return replace(trial, requests=sent)


def _with_totals(ground: Ground, paging: Paging, size: int) -> Trial:
    """Believes the total first; where it contradicts what came, reads once more without it.

    Only where something leads to a second page: else it is more likely that pages are missing than that it is no total.
    """
    trial = _read(ground, paging, size, has_totals=True)
    if trial.fault is None or isinstance(trial.fault, ApiStatusError) or paging.way is None:
        return trial
    without = _read(ground, paging, size, has_totals=False)
    return replace(trial if without.fault is not None else without, requests=trial.requests + without.requests)


def _read(ground: Ground, paging: Paging, size: int, *, has_totals: bool) -> Trial:
    paginator = paging.paginator(size, has_totals=has_totals)
    spec = spec_of(ground.config(paginator, paging.params(size))).with_auth(ground.api.secret)
    kept, swept, fault = Kept(), None, None
    keep_budget(ground.api)
    with closing(ground.api.client(spec, _ONCE_MORE)) as http:
        asked = SweepRequest(limit=None if paging.way is None else max(size + 1, min(PAGES * size, _ENOUGH)), passes=1)
        try:
            swept = sweep(spec, ground.api.endpoint(http, spec), kept, asked, window=1)
        except ExtractError as error:
            fault = error
            if isinstance(error, ApiStatusError) and error.status == 429:
                raise TooManyRequests(f"{error}; nothing more was asked, try again later") from None
        sent = http.stats.requests
    records = [record for page in kept.pages for record in page.records]
    given = max((len(page.outline) + page.skipped for page in kept.pages), default=0)
    is_capped = paging.size is not None and len(kept.pages) > 1 and given < size
    return Trial(given if is_capped else size, has_totals, records, swept, fault, sent)
