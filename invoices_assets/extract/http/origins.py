"""Where a request with a key in it may go."""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit, urlunsplit

import requests

_PORTS = {"http": 80, "https": 443}


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL as written, without user name and password."""
    scheme, found, rest = url.partition("://")
    return f"{scheme}://{re.split('[/?#]', rest)[0].rpartition('@')[2]}" if found else url


def address_of(url: str) -> str:
    """A URL for a sentence: without user name, password, query and fragment, where keys may be."""
    scheme, found, rest = re.split("[?#]", url)[0].partition("://")
    host, slash, path = (rest if found else scheme).partition("/")
    return f"{scheme + found if found else ''}{host.rpartition('@')[2]}{slash}{path}"


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
