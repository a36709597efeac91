"""One exchange over HTTP, with the whole body or none."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers
from urllib3 import Retry, Timeout

from invoices_assets.extract.failures import CutBody, origin_of


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
            Exception: any of `failures.EXPECTED`.
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
