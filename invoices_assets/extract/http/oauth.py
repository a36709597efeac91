"""Lets an auth that fetches tokens (OAuth 2) do so under the client's policy."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import requests
from requests.auth import AuthBase


class _TokenSession(requests.Session):
    """A session whose requests go through a client with its own retries, sentences and redaction."""

    def __init__(self, send: Callable[[requests.Request], requests.Response]) -> None:
        super().__init__()
        self._send = send

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
        known = {name: kwargs.get(name) for name in ("headers", "data", "json", "params")}
        return self._send(requests.Request(method, url, **known))


class TokenAuth(AuthBase):
    """Applies an auth whose token has to be asked for; one thread asks, the others wait.

    Parameters:
        auth: dlt's, with a `session` that it fetches tokens through.
        send: sends a request without auth.
    """

    def __init__(self, auth: Any, send: Callable[[requests.Request], requests.Response]) -> None:
        auth.session = _TokenSession(send)
        self._auth = auth
        self._lock = threading.Lock()

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        with self._lock:
            signed: requests.PreparedRequest = self._auth(request)
        return signed


def fetches_tokens(auth: AuthBase | None) -> bool:
    return isinstance(getattr(auth, "session", None), requests.Session)
