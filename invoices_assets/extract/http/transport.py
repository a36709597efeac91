"""One exchange over HTTP: the key is put in last, and the whole body comes back or none."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from ssl import SSLContext
from typing import Any, cast
from urllib.parse import unquote_plus, urlencode

import certifi
import requests
from dlt.sources.helpers.rest_client.auth import APIKeyAuth
from requests.auth import AuthBase
from requests.structures import CaseInsensitiveDict
from requests.utils import get_auth_from_url, get_environ_proxies, prepend_scheme_if_needed, select_proxy
from urllib3 import HTTPConnectionPool, HTTPResponse, PoolManager, ProxyManager, Retry, Timeout
from urllib3.util import Url, create_urllib3_context, make_headers

from invoices_assets.errors import RequestFailed, SourceError
from invoices_assets.extract.http.limits import AnswerLimits, AnswerTooLarge, watched
from invoices_assets.extract.http.origins import origin_of, parsed, url_of

DEFAULT_HEADERS: Mapping[str, str] = {
    "User-Agent": "invoices-assets",
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
}
"""`Accept` names JSON alone: several APIs answer `*/*` with XML or HTML."""

_CA_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_NO_RETRIES = Retry(total=False)
_PIECE = 1 << 20
_MOST_REMEMBERED = 64


@dataclass(frozen=True)
class _Route:
    """Where a URL is asked: the connections to its host, and what stands in the request line, without the key."""

    pool: HTTPConnectionPool
    target: str


class Transport:
    """Sends requests; may be used by several threads.

    Unlike `requests.Session` it reads no `.netrc`, which would replace the key, sends no cookies of earlier
    answers, which would make answers depend on each other, and works out proxies and certificates once.

    Parameters:
        auth: puts the key into headers or the query; None where the API needs none.
        limits: of each answer.
        connections: kept open at most.
        learn: told of each new header with the key before it is sent: it may hold a token just obtained, user and
            key in base64, or a prefix.
    """

    def __init__(
        self, auth: AuthBase | None, limits: AnswerLimits, connections: int, learn: Callable[[str], None]
    ) -> None:
        in_query = isinstance(auth, APIKeyAuth) and auth.location in ("query", "param")
        self._key = {auth.name: auth.api_key} if in_query and isinstance(auth, APIKeyAuth) else {}
        self._key_query = _encoded(self._key)
        self._auth = None if in_query else auth
        self._limits = limits
        self._timeout = Timeout(connect=limits.connect, read=limits.read)
        self._connections = connections
        self._learn = learn
        self._authorization = ""
        self._routes: dict[str, _Route] = {}
        self._address = lru_cache(_MOST_REMEMBERED)(self._place)

    def send(self, request: requests.Request) -> tuple[requests.Response, int]:
        """The answer with its body, and how many bytes of it came over the wire. Redirects are not followed.

        Raises:
            SourceError: the bundle of certificates cannot be read.
            RequestFailed: the URL or a header cannot be sent.
            Exception: any of `network_errors.EXPECTED`.
        """
        address = self._address(url_of(request))
        query = "&".join(filter(None, (_encoded(request.params), self._key_query)))
        ready = self._signed(request)
        raw: Any = address.pool.urlopen(
            str(ready.method),
            f"{address.target}{'&' if '?' in address.target else '?'}{query}" if query else address.target,
            body=cast(Any, ready.body),
            headers=_checked(ready.headers),
            redirect=False,
            assert_same_host=False,
            preload_content=False,
            retries=_NO_RETRIES,
            timeout=self._timeout,
        )
        body = self._body(raw)
        return _as_requests(raw, body), raw.tell()

    def close(self) -> None:
        """Closes the connections."""
        for route in self._routes.values():
            route.pool.close()

    def _body(self, raw: HTTPResponse) -> bytes:
        """The whole body, unpacked; what it says of its length, and what it unpacks to, is limited too."""
        body = bytearray()
        expected = raw.length_remaining or 0
        if expected <= self._limits.bytes:
            if not raw.chunked and "Content-Encoding" not in raw.headers:
                return raw.read()
            while (piece := raw.read(_PIECE)) and len(body) <= self._limits.bytes:
                body += piece
        if max(expected, len(body)) > self._limits.bytes:
            raw.close()
            raise AnswerTooLarge
        return bytes(body)

    def _signed(self, request: requests.Request) -> requests.PreparedRequest:
        """Method, headers and body, with the key where it is one of the headers, as dlt's auths expect them."""
        ready = requests.PreparedRequest()
        ready.method = (request.method or "GET").upper()
        ready.url = url_of(request)
        ready.headers = CaseInsensitiveDict(DEFAULT_HEADERS)
        ready.headers.update(request.headers or {})
        if request.data or request.json is not None:
            ready.prepare_body(request.data, None, request.json)
        if self._auth is not None:
            ready = self._auth(ready)
        name = self._auth.name if isinstance(self._auth, APIKeyAuth) else "Authorization"
        authorization = ready.headers.get(name)
        if authorization and authorization != self._authorization:
            self._authorization = str(authorization)
            self._learn(self._authorization)
        return ready

    def _place(self, url: str) -> _Route:
        place = self._without_key(parsed(url))
        origin = origin_of(place.url)
        route = self._routes.get(origin) or self._routes.setdefault(origin, self._route(place, origin))
        return _Route(route.pool, route.target + place.request_uri)

    def _route(self, place: Url, origin: str) -> _Route:
        """The way to a host; a proxy on it is asked for whole URLs where TLS does not hide them (RFC 9112, 3.2.2)."""
        proxy = select_proxy(origin, get_environ_proxies(origin))
        tls = _tls() if place.scheme == "https" or (proxy or "").startswith("https") else None
        manager = _manager(proxy, tls, self._connections)
        pool = manager.connection_from_host(place.host, place.port, place.scheme)
        # a class that is made at run time is none to a type checker
        pool.ConnectionCls = watched(type(pool).ConnectionCls, self._limits)  # type: ignore[arg-type]
        return _Route(pool, origin if isinstance(manager, ProxyManager) and pool.scheme == "http" else "")

    def _without_key(self, url: Url) -> Url:
        """The URL without a parameter that the key will be put into.

        The links that many APIs give to their next page repeat the query, and some refuse a key sent twice.
        """
        pairs = [pair for pair in (url.query or "").split("&") if unquote_plus(pair.partition("=")[0]) not in self._key]
        return url._replace(auth=None, fragment=None, query="&".join(pairs) or None)


def _manager(proxy: str | None, tls: SSLContext | None, most: int) -> PoolManager:
    if proxy is None:
        return PoolManager(maxsize=most, ssl_context=tls)
    if proxy.startswith("socks"):
        from urllib3.contrib.socks import SOCKSProxyManager

        return SOCKSProxyManager(proxy, maxsize=most, ssl_context=tls)
    proxy = prepend_scheme_if_needed(proxy, "http")
    user = ":".join(get_auth_from_url(proxy))
    headers = make_headers(proxy_basic_auth=user) if user != ":" else None
    return ProxyManager(proxy, maxsize=most, proxy_headers=headers, proxy_ssl_context=tls, ssl_context=tls)


def _tls() -> SSLContext:
    name = next((name for name in _CA_BUNDLES if os.environ.get(name)), None)
    bundle = os.environ[name] if name else str(certifi.where())
    context = create_urllib3_context()
    try:
        context.load_verify_locations(**{"capath" if os.path.isdir(bundle) else "cafile": bundle})
    except OSError:
        raise SourceError(f"the certificates that {name} names cannot be read: {bundle}.") from None
    return context


def _encoded(params: Any) -> str:
    """Parameters as a query; those that are None are left out.

    A space is `%20`, which every server reads (RFC 3986, 2.1); some take a `+` for what it is elsewhere in a URL.
    """
    if not params or isinstance(params, str):
        return params or ""
    named = ((name, value if isinstance(value, (list, tuple)) else [value]) for name, value in params.items())
    pairs = [(name, value) for name, values in named for value in values if value is not None]
    return urlencode(pairs).replace("+", "%20")


def _checked(headers: Mapping[str, Any]) -> dict[str, str]:
    checked = {name: str(value) for name, value in headers.items() if value is not None}
    if not all(map(_HEADER_VALUE.fullmatch, checked.values())):
        raise RequestFailed("the key or another header holds a character that no HTTP header can hold")
    return checked


def _as_requests(raw: HTTPResponse, body: bytes) -> requests.Response:
    """The answer as dlt's auths and paginators expect it."""
    response = requests.Response()
    response.status_code = raw.status
    response.headers = CaseInsensitiveDict(raw.headers)
    response._content = body
    response._content_consumed = True
    return response
