"""Asks for single pages: builds the request, sends it, reads the answer, and asks again where that may help."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import requests
from dlt.sources.helpers.rest_client.utils import join_url
from dlt.sources.rest_api.config_setup import expand_placeholders

from invoices_assets.errors import (
    ApiStatusError,
    BadAnswer,
    ExtractError,
    IncompleteSweep,
    SourceError,
    UnreadableBody,
)
from invoices_assets.extract.http.client import HttpClient
from invoices_assets.extract.http.retry import Attempts
from invoices_assets.extract.page import Page, read_page
from invoices_assets.extract.partition import DateWindow
from invoices_assets.extract.projection import Projection
from invoices_assets.source.resource import ResourceSpec
from invoices_assets.source.sending import as_sent
from invoices_assets.source.values.paths import plain_keys

# Without `&`, `=` and `+`, for a path may go on into a query; with `%`, for a value may be escaped already.
_IN_PATH = "/%:@!$'()*,;"
Contradiction = Callable[[Page | ApiStatusError], str | None]
"""Says why a page, or a status that is final by itself, cannot be what it seems; None where it can.

For example `an empty page after 1,000 of 2,500 records`, or `404 Not Found after 1,000 of 2,500 records`.
"""


class PageRequest:
    """One page to be had, with one budget of attempts for whatever goes wrong with it.

    The budget lasts over all calls of `get`: a page fetched ahead is judged when it is used, and only what the
    fetching left of the budget is spent on asking for it again.

    Parameters:
        http: sends, retries and counts.
        request: with paging parameters, without the secret.
        read: reads a response; what it calls an `UnreadableBody` is asked again.
    """

    def __init__(self, http: HttpClient, request: requests.Request, read: Callable[[requests.Response], Page]) -> None:
        self._http = http
        self._request = request
        self._read = read
        self._spent = Attempts()
        self._read_from: requests.Response | None = None
        self._page: Page | None = None

    def get(self, contradiction: Contradiction | None = None) -> Page:
        """The page: the one at hand, or else the one that the next request brings.

        Parameters:
            contradiction: what it gives a reason against is asked again; None believes every page.

        Raises:
            IncompleteSweep: the last attempt was contradicted too; the message has the reason.
            RequestFailed: no usable answer came.
        """

        def usable(came: requests.Response | ApiStatusError) -> ExtractError | None:
            try:
                page = came if isinstance(came, ApiStatusError) else self._page_of(came)
            except UnreadableBody as error:
                return error
            reason = contradiction(page) if contradiction is not None else None
            return None if reason is None else IncompleteSweep(reason)

        self._http.send(self._request, usable, self._spent)
        assert self._page is not None
        return self._page

    def _page_of(self, response: requests.Response) -> Page:
        if self._page is None or self._read_from is not response:
            self._read_from, self._page = response, self._read(response)
        return self._page


class Endpoint:
    """Asks one resource for pages.

    Parameters:
        http: sends, retries and counts.
        spec: the resource.
        base_url: of the API, with scheme.
    """

    def __init__(self, http: HttpClient, spec: ResourceSpec, base_url: str) -> None:
        self._http = http
        self._spec = spec
        self._base_url = base_url
        self._projection = _projection_of(spec)

    def request(
        self, start: Any, parent_values: Mapping[str, Any] | None = None, dates: DateWindow | None = None
    ) -> requests.Request:
        """The request for the first page, without paging parameters and without the secret.

        Parameters:
            start: where the cursor starts, in the API's notation; None for its initial value.
            parent_values: values of `{resources.…}` placeholders, for a dependent resource.
            dates: the stretch of time to ask for; None for all of it.

        Raises:
            SourceError: a placeholder cannot be filled in, or the start is in no notation that is declared.
        """
        spec = self._spec
        values: dict[str, Any] = dict(parent_values or {})
        if spec.cursor is not None:
            start = as_sent(spec, spec.cursor.initial_value if start is None else start)
            values["incremental"] = SimpleNamespace(
                start_value=start, last_value=start, initial_value=spec.cursor.initial_value, end_value=None
            )
        try:
            return self._filled_in(values, start, dates)
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise SourceError(f"a placeholder of resource `{spec.name}` cannot be filled in: {error}.") from None

    def _filled_in(self, values: dict[str, Any], start: Any, dates: DateWindow | None) -> requests.Request:
        spec = self._spec
        params = expand_placeholders(deepcopy(dict(spec.params)), values)
        if spec.cursor is not None and spec.cursor.start_param and start is not None:
            params[spec.cursor.start_param] = start
        if dates is not None:
            params |= dates.parameters(spec)
        return requests.Request(
            method=spec.method,
            url=join_url(self._base_url, _path(spec.path, values)),
            headers={**spec.client_headers, **expand_placeholders(dict(spec.headers), values)},
            params=params,
            json=expand_placeholders(deepcopy(spec.json), values, preserve_value_type=True),
            data=expand_placeholders(deepcopy(spec.data), values),
        )

    def reading_all(self) -> Endpoint:
        """The same, where the whole answer is taken for one record, or for a list of them."""
        return Endpoint(self._http, replace(self._spec, data_selector="$", total_path=None), self._base_url)

    def page(self, request: requests.Request) -> PageRequest:
        """A page to be had; nothing is sent yet."""
        return PageRequest(self._http, request, self._read)

    def is_ignored(self, error: ApiStatusError) -> bool:
        """Whether the source's `response_actions` say that this status is no error."""
        return any(str(error.status) == str(action["status_code"]) for action in self._spec.ignored)

    def _read(self, response: requests.Response) -> Page:
        if response.status_code == requests.codes.not_modified:
            return Page([], shape="unmodified")
        if response.status_code == requests.codes.no_content:
            return Page([])
        try:
            return read_page(
                response.content,
                response.headers,
                data_selector=self._spec.data_selector,
                total_path=self._spec.total_path,
                totals=self._spec.has_totals,
                projection=self._projection,
            )
        except UnreadableBody:
            raise
        except BadAnswer as error:
            raise BadAnswer(f"{self._spec.method} {self._spec.path}: {error}.") from None


def _path(path: str, values: Mapping[str, Any]) -> str:
    """A path with its placeholders filled in.

    A value that is a part of the path does not end it: `INV#7` is sent as `INV%237` (RFC 3986, 3.3). It may be several
    segments, such as `owner/name`. One that is the whole path is an address, and sent as it is.
    """
    is_whole = re.fullmatch(r"/?{[^{}]*}", path) is not None
    escaped = {name: quote(value, safe=_IN_PATH) if type(value) is str else value for name, value in values.items()}
    filled: str = expand_placeholders(path, dict(values) if is_whole else escaped)
    return filled


def _projection_of(spec: ResourceSpec) -> Projection | None:
    """What a walk looks at in each answer; None where it must look at everything."""
    stamps = list(spec.fields_of(spec.cursor.path)) if spec.cursor is not None else []
    stamps += spec.fields_of(spec.window.path) if spec.window is not None else []
    places = plain_keys(spec.data_selector or "$")
    totals = plain_keys(spec.total_path) if spec.total_path is not None else []
    keys = (*spec.key_fields, *spec.marks.fields)
    if not places or not all(key.isidentifier() for key in (*keys, *stamps)):
        return None
    if () in places:
        totals = []  # a list has nothing beside it
    elif spec.total_path is not None and not totals:
        return None
    try:
        return Projection(keys, stamps, places, totals)
    except ValueError:
        return None
