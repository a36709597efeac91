"""One exchange over HTTP, with the whole body or none."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus, urlsplit, urlunsplit

import requests
from dlt.sources.helpers.rest_client.auth import APIKeyAuth
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from requests.structures import CaseInsensitiveDict
from requests.utils import check_header_validity, get_encoding_from_headers
from urllib3 import Retry, Timeout

from invoices_assets.extract.http.origins import origin_of, url_of


class CutBody(Exception):
    """A body that ended before its end; str() says how that was noticed."""


DEFAULT_HEADERS: Mapping[str, str] = {
    "User-Agent": "invoices-assets",
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
    "Connection": "keep-alive",
}
"""`Accept` names JSON alone: several APIs answer `*/*` with XML or HTML."""

_MOST_REMEMBERED = 64


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


@dataclass(frozen=True)
class _Route:
    """The connections to one host, and the proxies on the way."""

    pool: Any
    proxies: dict[str, str]


class Transport:
    """Sends prepared requests; may be used by several threads.

    It goes past `requests.Session`, which works out proxies, certificates and cookies anew for each request.

    Parameters:
        connections: kept open at most.
        timeout: seconds for connecting and for each read.
    """

    def __init__(self, connections: int, timeout: tuple[float, float]) -> None:
        self._environment = requests.Session()
        self._adapter = HTTPAdapter(pool_maxsize=connections)
        self._timeout = Timeout(connect=timeout[0], read=timeout[1])
        self._retries = Retry(total=False)
        self._routes: dict[str, _Route] = {}

    def send(self, ready: requests.PreparedRequest) -> tuple[requests.Response, int]:
        """The answer with its body, and how many bytes of it came over the wire. Redirects are not followed.

        Raises:
            CutBody: the body ended before its end.
            Exception: any of `network_errors.EXPECTED`.
        """
        url = ready.url or ""
        origin = origin_of(url)
        route = self._routes.get(origin) or self._route(ready, origin)
        raw = route.pool.urlopen(
            ready.method,
            self._adapter.request_url(ready, route.proxies) if route.proxies else ready.path_url,
            body=ready.body,
            headers=ready.headers,
            redirect=False,
            assert_same_host=False,
            preload_content=False,
            decode_content=False,
            retries=self._retries,
            timeout=self._timeout,
        )
        response = requests.Response()
        response.status_code = raw.status
        response.headers = CaseInsensitiveDict(raw.headers)
        response.encoding = get_encoding_from_headers(response.headers)
        response.reason = raw.reason
        response.url = url
        response.request = ready
        body, size = _read(raw, response.headers.get("Content-Encoding", ""), ready.method)
        response._content = body
        response._content_consumed = True
        return response, size

    def close(self) -> None:
        self._adapter.close()
        self._environment.close()

    def _route(self, ready: requests.PreparedRequest, origin: str) -> _Route:
        url = ready.url or ""
        settings = self._environment.merge_environment_settings(url, {}, True, None, None)
        verify, cert, proxies = settings["verify"], settings["cert"], settings["proxies"]
        pool = self._adapter.get_connection_with_tls_context(ready, verify, proxies=proxies, cert=cert)
        self._adapter.cert_verify(pool, url, verify, cert)
        route = self._routes[origin] = _Route(pool, proxies)
        return route


def _read(raw: Any, coding: str, method: str | None) -> tuple[bytes, int]:
    """The whole body, decoded, and how many bytes came over the wire."""
    coding = coding.strip().lower()
    ours = coding in ("", "identity", "gzip", "x-gzip", "deflate")
    body: bytes = raw.read(decode_content=not ours)
    if raw.length_remaining and method != "HEAD":
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
