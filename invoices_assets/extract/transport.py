"""One exchange over HTTP: a request that is ready to be sent, and an answer whose body is all there."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus, urljoin, urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from requests.cookies import RequestsCookieJar
from requests.structures import CaseInsensitiveDict

from invoices_assets.extract.failures import CutBody, origin_of

DEFAULT_HEADERS: Mapping[str, str] = {
    "User-Agent": "invoices-assets",
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
    "Connection": "keep-alive",
}
"""`Accept` names JSON alone: several APIs answer `*/*` with XML or HTML."""

_PORTS = {"http": 80, "https": 443}
_NO_BODY = (204, 304)


def prepared(
    request: requests.Request, headers: Mapping[str, Any], auth: AuthBase | None
) -> requests.PreparedRequest:
    """The request as it will be sent, with the key in it.

    Unlike `requests.Session` it reads no `.netrc`, which would replace the key, and sends no cookies of
    earlier answers, which would make answers depend on each other.

    Parameters:
        headers: for every request; the request's own take precedence.
    """
    ready = requests.PreparedRequest()
    ready.prepare_method(request.method)
    ready.prepare_url(url_of(request), request.params)
    own = CaseInsensitiveDict(headers)
    own.update(request.headers or {})
    ready.prepare_headers({name: value for name, value in own.items() if value is not None})
    ready._cookies = RequestsCookieJar()
    ready.prepare_body(request.data, request.files, request.json)
    if auth is not None:
        _authorize(ready, auth)
    return ready


def _authorize(ready: requests.PreparedRequest, auth: AuthBase) -> None:
    """Applies the auth; a parameter it puts into the query replaces one of the same name.

    The links that many APIs give to their next page repeat the query, key included, and a key sent twice is
    refused by some.
    """
    plain = ready.url or ""
    ready.prepare_auth(auth)
    if ready.url == plain:
        return
    parts = urlsplit(plain)
    pairs = parts.query.split("&") if parts.query else []
    added = urlsplit(ready.url or "").query.split("&")[len(pairs) :]
    names = {_name(pair) for pair in added}
    others = [pair for pair in pairs if _name(pair) not in names]
    if len(others) < len(pairs):
        ready.prepare_url(urlunsplit(parts._replace(query="&".join(others))), None)
        ready.prepare_auth(auth)


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
        parts = urlsplit(target)
        return urlunsplit(parts._replace(scheme="https", netloc=urlsplit(url).netloc))
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


def read_body(response: requests.Response) -> tuple[bytes, int]:
    """The whole body, decoded, and how many bytes came over the wire.

    Raises:
        CutBody: it ended before its end, by its length or by its compression.
    """
    raw = response.raw
    coding = response.headers.get("Content-Encoding", "").strip().lower()
    ours = coding in ("", "identity", "gzip", "x-gzip", "deflate")
    body: bytes = raw.read(decode_content=not ours)
    if raw.length_remaining and response.request.method != "HEAD":
        raise CutBody(f"the answer was cut short, {raw.length_remaining:,} bytes before its end")
    return (_decoded(body, coding) if ours and body else body), len(body)


def _decoded(body: bytes, coding: str) -> bytes:
    try:
        if coding in ("gzip", "x-gzip"):
            # urllib3 accepts a stream that stops in the middle; this one also checks its length and checksum.
            return gzip.decompress(body)
        if coding == "deflate":
            # Half of the servers leave out the zlib header (RFC 9110, section 8.4.1.2).
            return zlib.decompress(body, zlib.MAX_WBITS if body[0] & 0x0F == 8 else -zlib.MAX_WBITS)
    except (OSError, EOFError, zlib.error):
        raise CutBody("the compressed answer is broken or cut short") from None
    return body


def set_body(response: requests.Response, body: bytes) -> None:
    response._content = body
    response._content_consumed = True


class Transport:
    """Sends prepared requests; may be used by several threads.

    Parameters:
        connections: kept open, per host.
        timeout: seconds for connecting and for each read.
    """

    def __init__(self, connections: int, timeout: tuple[float, float]) -> None:
        self._environment = requests.Session()
        self._adapter = HTTPAdapter(pool_connections=4, pool_maxsize=connections)
        self._timeout = timeout
        self._settings: dict[str, dict[str, Any]] = {}

    def send(self, ready: requests.PreparedRequest) -> requests.Response:
        """The answer, its body not read yet; redirects are not followed."""
        url = ready.url or ""
        origin = origin_of(url)
        settings = self._settings.get(origin)
        if settings is None:
            merged = self._environment.merge_environment_settings(url, {}, True, None, None)
            settings = {name: merged[name] for name in ("proxies", "verify", "cert")}
            self._settings[origin] = settings
        return self._adapter.send(ready, stream=True, timeout=self._timeout, **settings)

    def close(self) -> None:
        self._adapter.close()
        self._environment.close()
