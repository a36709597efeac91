"""Lets an auth that fetches tokens (OAuth 2) do so under the client's policy."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import requests
from requests.auth import AuthBase


class TokenAuth(AuthBase):
    """Applies an auth whose token has to be asked for; one thread asks, the others wait.

    Parameters:
        auth: dlt's; instead of a session of requests it asks this one.
        send: sends a request without auth, with retries, sentences and redaction.
    """

    def __init__(self, auth: Any, send: Callable[[requests.Request], requests.Response]) -> None:
        auth.session = self
        self._auth, self._send, self._lock = auth, send, threading.Lock()

    def post(self, url: str, **request: Any) -> requests.Response:
        """What the auth calls of its session."""
        return self._send(requests.Request("POST", url, **request))

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        with self._lock:
            signed: requests.PreparedRequest = self._auth(request)
        return signed


def fetches_tokens(auth: AuthBase | None) -> bool:
    """Whether it asks a server of its own for tokens, as dlt's OAuth classes do with a session."""
    return isinstance(getattr(auth, "session", None), requests.Session)
