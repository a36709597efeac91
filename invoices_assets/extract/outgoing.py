"""Makes requests ready to be sent, and decides where a request with a key in it may go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus, urljoin, urlsplit, urlunsplit

import requests
from dlt.sources.helpers.rest_client.auth import APIKeyAuth
from requests.auth import AuthBase
from requests.structures import CaseInsensitiveDict
from requests.utils import check_header_validity

from invoices_assets.extract.failures import origin_of

DEFAULT_HEADERS: Mapping[str, str] = {
    "User-Agent": "invoices-assets",
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
    "Connection": "keep-alive",
}
"""`Accept` names JSON alone: several APIs answer `*/*` with XML or HTML."""

_MOST_REMEMBERED = 64
_PORTS = {"http": 80, "https": 443}


class Preparer:
    """Makes requests ready to be sent.

    Unlike `requests.Session` it reads no `.netrc`, which would replace the key, and sends no cookies of
    earlier answers, which would make answers depend on each other.

    Parameters:
        headers: for every request; the request's own take precedence.
        auth: puts the key in; None where the API needs none.
    """

    def __init__(self, headers: Mapping[str, Any], auth: AuthBase | None) -> None:
        self._headers = CaseInsensitiveDict({**DEFAULT_HEADERS, **headers})
        in_query = isinstance(auth, APIKeyAuth) and auth.location in ("query", "param")
        self._key = {auth.name: auth.api_key} if in_query and isinstance(auth, APIKeyAuth) else {}
        self._key_query = _encoded(self._key)
        self._auth = None if in_query else auth
        self._addresses: dict[str, str] = {}

    def prepared(self, request: requests.Request) -> requests.PreparedRequest:
        """The request as it will be sent, with the key in it.

        Raises:
            requests.RequestException: the URL or a header cannot be sent.
        """
        ready = requests.PreparedRequest()
        ready.prepare_method(request.method)
        own = self._headers.copy()
        own.update(request.headers or {})
        ready.prepare_headers({name: value for name, value in own.items() if value is not None})
        self._address(ready, url_of(request), request.params)
        if request.data or request.json is not None or request.files:
            ready.prepare_body(request.data, request.files, request.json)
        else:
            ready.prepare_content_length(None)
        if self._auth is not None:
            ready.prepare_auth(self._auth)
            for header in ready.headers.items():
                check_header_validity(header)
        return ready

    def _address(self, ready: requests.PreparedRequest, url: str, params: Any) -> None:
        """Sets the URL as `PreparedRequest.prepare_url` would, which takes most of the time of preparing."""
        if not url.lower().startswith(("http://", "https://")):
            raise requests.exceptions.MissingSchema
        if not (params or self._key) or isinstance(params, (str, bytes)):
            ready.prepare_url(url, params)
            return
        address = self._addresses.get(url)
        if address is None:
            ready.prepare_url(url, None)
            address = self._without_key(ready.url or "")
            if len(self._addresses) < _MOST_REMEMBERED:
                self._addresses[url] = address
        query = "&".join(filter(None, (_encoded(params), self._key_query)))
        if query and "#" not in address:
            ready.url = f"{address}{'&' if '?' in address else '?'}{query}"
        else:
            ready.prepare_url(address, query)

    def _without_key(self, url: str) -> str:
        """The URL without a parameter that the key will be put into.

        The links that many APIs give to their next page repeat the query, and some refuse a key sent twice.
        """
        parts = urlsplit(url)
        pairs = [pair for pair in parts.query.split("&") if _name(pair) not in self._key]
        return urlunsplit(parts._replace(query="&".join(pairs))) if self._key and parts.query else url


def _encoded(params: Any) -> str:
    return str(requests.PreparedRequest._encode_params(params)) if params else ""


def _name(pair: str) -> str:
    return unquote_plus(pair.partition("=")[0])


def url_of(request: requests.Request) -> str:
    url = request.url or ""
    return url if isinstance(url, str) else url.decode()


def target_of(response: requests.Response) -> str:
    """Where a redirect leads to."""
    location = response.headers["Location"]
    try:
        # http.client reads headers as Latin-1, but servers write UTF-8.
        location = location.encode("latin-1").decode()
        return urljoin(response.url, location)
    except ValueError:
        return location


def redirected(request: requests.Request, target: str, status: int) -> requests.Request:
    """The request to send after a redirect.

    Only 303 turns a POST into a GET: after 301 and 302 a search would otherwise lose its condition and answer
    with something else.
    """
    if status == 303:
        return requests.Request("GET", target, headers=request.headers)
    return requests.Request(
        request.method,
        target,
        headers=request.headers,
        data=request.data,
        json=request.json,
        files=request.files,
    )


def may_have_key(url: str, target: str) -> bool:
    """Whether a key meant for one URL may be sent to another: same host and port, or its upgrade to TLS."""
    old, new = _place(url), _place(target)
    return old == new or (old[0] == new[0] and (old[1], new[1]) == ("http", "https"))


def secured(url: str, target: str) -> str | None:
    """The target by TLS, where an API reached by TLS links to itself without, as it may behind a proxy."""
    old, new = _place(url), _place(target)
    if old[0] == new[0] and (old[1], new[1]) == ("https", "http") and new[2] in (80, old[2]):
        return urlunsplit(urlsplit(target)._replace(scheme="https", netloc=urlsplit(url).netloc))
    return None


def difference(url: str, target: str) -> str:
    """Where a target is that may not have the key, for a sentence."""
    old, new = _place(url), _place(target)
    place = origin_of(target)
    if old[0] != new[0]:
        return f"another host, {place}"
    return f"another port of the host, {place}" if old[1] == new[1] else f"an address without TLS, {place}"


def _place(url: str) -> tuple[str, str, int]:
    """Host, scheme and port."""
    try:
        parts = urlsplit(url)
        return (parts.hostname or "").lower(), parts.scheme, parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        return "", url, 0
