"""One small request that tells whether an API shows something new."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from invoices_assets.extract.connection import Connection
from invoices_assets.extract.cursor import Notation, comparable, stamp_of
from invoices_assets.extract.paging import first_page
from invoices_assets.extract.retry import RetryPolicy
from invoices_assets.extract.source import ResourceSpec
from invoices_assets.extract.tally import identity_of


@dataclass(frozen=True)
class Glance:
    """What one answer shows.

    Parameters:
        newer: whether a record in it carries a later stamp than the cursor.
        fingerprint: of the ids, stamps and total in it; another one means that something changed.
    """

    newer: bool
    fingerprint: str


def glance(connection: Connection, spec: ResourceSpec, cursor: Any) -> Glance:
    """Asks once, without retries, for the first page of what changed since the cursor.

    Without a filter by change it is the first page of everything; its records and total still tell.

    Parameters:
        cursor: the last stamp that was loaded, in the API's notation; None for everything.

    Raises:
        RequestFailed: no usable answer.
    """
    filters = spec.cursor is not None and spec.cursor.filters
    start = cursor if filters and cursor is not None else (spec.cursor.initial_value if spec.cursor else None)
    notation = Notation(spec)
    http = connection.client(spec, RetryPolicy(retries=0))
    try:
        asker = connection.asker(http, spec)
        page = first_page(asker, spec.paginator, asker.request(notation.as_text(start)))
    finally:
        http.close()
    identity = identity_of(spec.primary_key, spec.columns)
    path = spec.cursor.path if spec.cursor is not None else None
    stamps = [None if path is None else stamp_of(record, path) for record in page.records]
    reached = notation.moment(cursor)
    moments = [notation.moment(stamp) for stamp in stamps]
    newer = any(
        moment is not None and reached is not None and comparable(moment, reached) and moment > reached  # type: ignore[operator]
        for moment in moments
    )
    shown = repr((page.total, sorted(map(repr, zip(map(identity, page.records), stamps, strict=True)))))
    return Glance(newer, hashlib.sha256(shown.encode("utf-8", "surrogatepass")).hexdigest()[:16])
