"""Where a request with a key in it may go. urllib3 reads every URL here, for it is urllib3 that sends them."""

from __future__ import annotations

import re
from contextlib import suppress
from urllib.parse import urljoin

import requests
from urllib3.exceptions import LocationValueError
from urllib3.util import Url, parse_url

from invoices_assets.errors import RequestFailed

_PORTS = {"http": 80, "https": 443}
_WRITTEN = re.compile(r"([^:/?#\\]+://)?([^/?#\\]*)([^?#]*)")
_NEVER_IN_LINKS = re.compile(r"[\\\x00-\x1f\x7f-\x9f]|^[^?#]*\s")
"""Parsers disagree on which host stands before them. A space in a query is harmless, and some APIs write it."""


def parsed(url: str) -> Url:
    """A URL as it will be sent.

    Raises:
        RequestFailed: it cannot be asked over HTTP.
    """
    try:
        found = parse_url(url)
        if found.host and found.scheme in _PORTS and found.port != 0:
            return found
    except LocationValueError:
        found = None
    if url.lower().startswith(("http://", "https://")):
        raise RequestFailed(f"the address `{address_of(url)}` is not a valid URL")
    raise RequestFailed(f"the address `{address_of(url)}` must begin with http:// or https://")


def is_address(url: str) -> bool:
    """Whether requests can be sent there."""
    with suppress(RequestFailed):
        return bool(parsed(url))
    return False


def is_base(address: str) -> bool:
    """Whether paths can be written behind an address, and all of it is sent.

    requests sends no user name of a URL where it has an auth of its own, and a path behind `?` is part of the query.

    Raises:
        RequestFailed: it is no address.
    """
    found = parsed(address)
    return (found.auth, found.query, found.fragment) == (None, None, None)


def linked(base: str, link: str) -> str:
    """The URL that a link or a redirect of an answer leads to.

    Parameters:
        base: what was asked.
        link: what the answer says, for example `/v1/invoices?page=2`.

    Raises:
        RequestFailed: it could be read as leading to several hosts, or names a user.
    """
    url = urljoin(base, link) if not _NEVER_IN_LINKS.search(link) else ""
    if not url or parsed(url).auth is not None:
        raise RequestFailed("the API gives a link with a user name, a backslash or blanks in it; it is not followed")
    return url


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL as written, without user name and password."""
    scheme, host, _ = _parts(url)
    return scheme + host if scheme else url


def address_of(url: str) -> str:
    """A URL for a sentence: without user name, password, query and fragment, where keys may be."""
    return "".join(_parts(url))


def _parts(url: str) -> tuple[str, str, str]:
    """Scheme, host and path of any text, also of one that is no URL."""
    found = _WRITTEN.match(url)
    assert found is not None
    return found[1] or "", found[2].rpartition("@")[2], found[3]


def url_of(request: requests.Request) -> str:
    """The address as text, which `requests` allows to be bytes."""
    url = request.url or ""
    return url if isinstance(url, str) else url.decode()


def location_of(response: requests.Response) -> str:
    """What a redirect says; http.client reads headers as Latin-1, but servers write UTF-8."""
    location = response.headers["Location"]
    try:
        return location.encode("latin-1").decode()
    except ValueError:
        return location


def redirected(request: requests.Request, target: str, status: int) -> requests.Request:
    """The request to send after a redirect.

    Only 303 turns a POST into a GET: after 301 and 302 a search would otherwise lose its condition and answer
    with something else.
    """
    if status == 303:
        return requests.Request("GET", target, headers=request.headers)
    return requests.Request(request.method, target, headers=request.headers, data=request.data, json=request.json)


def may_have_key(url: str, target: str) -> bool:
    """Whether a key meant for one URL may be sent to another: same host and port, or its upgrade to TLS.

    Raises:
        RequestFailed: one of them is no address.
    """
    old, new = _place(url), _place(target)
    return old == new or (old[0] == new[0] and (old[1], new[1]) == ("http", "https"))


def secured(url: str, target: str) -> str | None:
    """The target by TLS, where an API reached by TLS links to itself without, as it may behind a proxy; else None.

    Raises:
        RequestFailed: one of them is no address.
    """
    old, new = _place(url), _place(target)
    if old[0] == new[0] and (old[1], new[1]) == ("https", "http") and new[2] in (80, old[2]):
        here = parsed(url)
        return parsed(target)._replace(scheme="https", host=here.host, port=here.port).url
    return None


def difference(url: str, target: str) -> str:
    """Where a target is that may not have the key, for a sentence.

    Raises:
        RequestFailed: one of them is no address.
    """
    old, new = _place(url), _place(target)
    place = origin_of(target)
    if old[0] != new[0]:
        return f"another host, {place}"
    return f"another port of the host, {place}" if old[1] == new[1] else f"an address without TLS, {place}"


def _place(url: str) -> tuple[str, str, int]:
    """Host, scheme and port."""
    found = parsed(url)
    return str(found.host), str(found.scheme), found.port or _PORTS[str(found.scheme)]
