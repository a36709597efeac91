"""Walks from page to page by what each answer says of the next one: a link or a cursor, read by dlt's paginator."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

import requests
from dlt.sources.helpers.rest_client.paginators import BasePaginator, BaseReferencePaginator

from invoices_assets.errors import ApiStatusError, BadAnswer, IncompleteSweep
from invoices_assets.extract.completeness import PassCount
from invoices_assets.extract.endpoint import Answer, Endpoint
from invoices_assets.extract.page import Page
from invoices_assets.source.paths import spelled


def walk_links(
    endpoint: Endpoint, paginator: BasePaginator, first: requests.Request, count: PassCount
) -> Iterator[Page]:
    """Yields the pages that have records, each found by the answer before it.

    Parameters and errors are those of `pagination.walk.walk`; the paginator is used up.
    """
    # requests allows its fields to be almost anything; here they are what `Endpoint.request` made
    request: Any = copy(first)
    origin = urlsplit(request.url)
    request.params = dict(request.params)
    paginator.init_request(request)
    asked: set[str] = set()
    while True:
        asked.add(_spelled(request))
        try:
            answer = endpoint.get_page(request)
        except ApiStatusError as error:
            if endpoint.is_ignored(error):
                break
            raise
        page = answer.page
        count.note_total(page)
        if page.outline:
            if count.is_repetition(page):
                raise count.repetition_error()
            count.add(page)
            yield page
        if answer.response.status_code == requests.codes.not_modified:
            break
        _read_reference(paginator, answer)
        if not paginator.has_next_page:
            break
        paginator.update_request(request)
        _stay_with(origin, request, endpoint.auth_parameter)
        if _spelled(request) in asked:
            raise IncompleteSweep(f"The API's next page, after {count.rows} records, is one that was read before.")
    count.prove(count.total)


def _read_reference(paginator: BasePaginator, answer: Answer) -> None:
    """Lets dlt's paginator read where the next page is; also where its place is a key with dots or `@`.

    dlt takes `@odata.nextLink` for a path of two keys, finds nothing, and would stop after the first page.

    Raises:
        BadAnswer: the answer does not say what the paginator must know.
    """
    try:
        paginator.update_state(answer.response, answer.page.outline)
    except (ValueError, TypeError, AttributeError):
        # dlt's own sentence repeats the whole answer
        raise BadAnswer("the answer does not tell where the next page is, or whether there is one") from None
    if isinstance(paginator, BaseReferencePaginator) and not paginator._next_reference:
        place = getattr(paginator, "next_url_path", None) or getattr(paginator, "cursor_path", None)
        body = answer.page.body
        found = body.get(spelled(place)) if place is not None and isinstance(body, dict) else None
        paginator._next_reference = found or None


def _spelled(request: Any) -> str:
    return repr((request.url, request.params, request.json))


def _stay_with(origin: SplitResult, request: Any, auth_parameter: str | None) -> None:
    """Keeps a next link on the host and scheme of the API: the key goes nowhere else.

    A link that carries the key itself loses it here, since every request gets it anyway.

    Raises:
        IncompleteSweep: the link leads to another host.
    """
    link = urlsplit(request.url)
    if link.hostname != origin.hostname:
        raise IncompleteSweep(f"The API's next link leads to another host, {link.hostname}; the key is not sent there.")
    query = link.query
    if auth_parameter is not None:
        pairs = parse_qsl(query, keep_blank_values=True)
        query = urlencode([(name, value) for name, value in pairs if name != auth_parameter])
    request.url = urlunsplit((origin.scheme, origin.netloc, link.path, query, ""))
