"""One small request that tells whether an API shows something new."""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from invoices_assets.errors import SourceError
from invoices_assets.extract.api import Api
from invoices_assets.extract.http.limits import AnswerLimits
from invoices_assets.extract.http.retry import RetryPolicy
from invoices_assets.extract.page import Page
from invoices_assets.extract.pagination.walk import first_page
from invoices_assets.extract.watermark import Watermark, stamp_reader_of
from invoices_assets.source.record_key import keys_of
from invoices_assets.source.resource import ResourceSpec
from invoices_assets.source.timestamps import TimestampFormat, is_later

EVERYTHING = "everything"
"""The question where an API cannot be asked for changes only, or where no cursor is known yet."""

LIMITS = AnswerLimits(connect=5, read=20, seconds=30)
"""Dagster gives the tick of a sensor 60 s."""


@dataclass(frozen=True)
class ProbeResult:
    """What one answer shows.

    Parameters:
        question: what was asked; answers to the same question can be compared.
        answer: fingerprint of the ids, stamps and total that came.
        newer: whether a refresh would move the cursor, because of a later stamp that is not in the future.
    """

    question: str
    answer: str
    newer: bool


def probe(api: Api, spec: ResourceSpec, cursor: Any) -> ProbeResult:
    """Asks once, without retries, for the first page of what changed since the cursor.

    Without a filter by change it is the first page of everything; its records and total still tell.

    Parameters:
        cursor: the last stamp that was loaded, in the API's notation; None for everything.

    Raises:
        SourceError: one request cannot tell.
        RequestFailed: no usable answer.
    """
    if spec.parent is not None:
        raise SourceError(f"`{spec.name}` is asked for once for each of `{spec.parent}`; one request cannot tell.")
    start = cursor if spec.cursor is not None and spec.cursor.filters else None
    with closing(replace(api, window=1, limits=LIMITS).client(spec, RetryPolicy(retries=0))) as http:
        endpoint = api.endpoint(http, spec)
        page = first_page(endpoint, spec.paginator, endpoint.request(start))
    stamp = stamp_reader_of(spec, spec.cursor.path) if spec.cursor is not None else lambda _: None
    stamps = list(map(stamp, page.outline))
    keys = keys_of(spec)(page.outline)
    shown = repr((page.total, sorted(map(repr, zip(keys, stamps, strict=True)))))
    return ProbeResult(
        question=EVERYTHING if start is None else f"since {start}",
        answer=hashlib.sha256(shown.encode("utf-8", "surrogatepass")).hexdigest()[:16],
        newer=_would_move(spec, cursor, page),
    )


def _would_move(spec: ResourceSpec, cursor: Any, page: Page) -> bool:
    timestamp_format, reader = TimestampFormat(spec), Watermark(spec)
    reader.read(page.outline)
    return is_later(timestamp_format.moment(reader.last_value), timestamp_format.moment(cursor))
