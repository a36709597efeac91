"""One small request that tells whether an API shows something new."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from invoices_assets.extract.connection import Connection
from invoices_assets.extract.cursor import CursorReader, is_later, stamp_of
from invoices_assets.extract.errors import ApiStatusError, SourceError
from invoices_assets.extract.http import HttpClient
from invoices_assets.extract.notation import Notation
from invoices_assets.extract.page import Page
from invoices_assets.extract.paging import first_page
from invoices_assets.extract.retry import RetryPolicy
from invoices_assets.extract.source import ResourceSpec
from invoices_assets.extract.tally import identities_of

EVERYTHING = "everything"
"""The question where an API cannot be asked for changes only, or where no cursor is known yet."""

TIMEOUT = (5.0, 20.0)
"""Seconds for connecting and for each read: Dagster gives the tick of a sensor 60 s."""


@dataclass(frozen=True)
class Glance:
    """What one answer shows.

    Parameters:
        question: what was asked; answers to the same question can be compared.
        answer: fingerprint of the ids, stamps and total that came.
        newer: whether a refresh would move the cursor, because of a later stamp that is not in the future.
    """

    question: str
    answer: str
    newer: bool


def glance(connection: Connection, spec: ResourceSpec, cursor: Any) -> Glance:
    """Asks once, without retries, for the first page of what changed since the cursor.

    Without a filter by change it is the first page of everything; its records and total still tell.

    Parameters:
        cursor: the last stamp that was loaded, in the API's notation; None for everything.

    Raises:
        SourceError: one request cannot tell.
        RequestFailed: no usable answer.
    """
    if spec.parent is not None:
        raise SourceError(
            f"`{spec.name}` is asked for once for each of `{spec.parent}`; one request cannot tell."
        )
    start = None
    if spec.cursor is not None and spec.cursor.filters:
        start = spec.cursor.initial_value if cursor is None else cursor
    page = _first_page(connection, spec, start)
    path = spec.cursor.path if spec.cursor is not None else None
    stamps = [None if path is None else stamp_of(record, path) for record in page.outline]
    names = identities_of(spec.key_fields)(page.outline)
    shown = repr((page.total, sorted(map(repr, zip(names, stamps, strict=True)))))
    return Glance(
        question=EVERYTHING if start is None or cursor is None else f"since {start}",
        answer=hashlib.sha256(shown.encode("utf-8", "surrogatepass")).hexdigest()[:16],
        newer=_would_move(spec, cursor, page),
    )


def _first_page(connection: Connection, spec: ResourceSpec, start: Any) -> Page:
    http = HttpClient(
        auth=spec.auth, redactor=connection.redactor, policy=RetryPolicy(retries=0), timeout=TIMEOUT, pool=1
    )
    try:
        asker = connection.asker(http, spec)
        try:
            return first_page(asker, spec.paginator, asker.request(Notation(spec).as_text(start)))
        except ApiStatusError as error:
            if asker.is_ignored(error):
                return Page([])
            raise
    finally:
        http.close()


def _would_move(spec: ResourceSpec, cursor: Any, page: Page) -> bool:
    notation, reader = Notation(spec), CursorReader(spec)
    reader.read(page.outline)
    return is_later(notation.moment(reader.last_value), notation.moment(cursor))
