"""Puts the secret into whichever field the configured auth type keeps it in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from invoices_assets.errors import SourceError

_SECRET_FIELD = {
    "api_key": "api_key",
    "bearer": "token",
    "http_basic": "password",
    "oauth2_client_credentials": "client_secret",
}


def with_credentials(config: Mapping[str, Any], base_url: str, secret: str) -> dict[str, Any]:
    """Returns a copy of the REST API configuration that can send requests.

    Parameters:
        config: the YAML as a dict; it holds neither base URL nor secret.
        base_url: for example `https://api.vendor.example`.
        secret: the API key. For `http_basic` it is the password beside a `username` in the YAML, the user
            name beside a `password` there, and otherwise `user:password` or a user name alone (RFC 7617).

    Raises:
        SourceError: the auth is of an unknown type, or already holds a secret.
    """
    ready = deepcopy(dict(config))
    ready["client"] = {**(ready.get("client") or {}), "base_url": base_url}
    for owner in _owners_of_auth(ready):
        owner["auth"] = _complete(owner["auth"], secret)
    return ready


def _owners_of_auth(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    resources = config.get("resources") or []
    defaults = config.get("resource_defaults") or {}
    endpoints = [item.get("endpoint") for item in (defaults, *resources) if isinstance(item, dict)]
    for owner in (config["client"], *endpoints):
        if isinstance(owner, dict) and owner.get("auth") is not None:
            yield owner


def _complete(auth: Any, secret: str) -> dict[str, Any]:
    auth = {"type": auth} if isinstance(auth, str) else dict(auth)
    kind = auth.setdefault("type", "bearer")
    if kind not in _SECRET_FIELD:
        raise SourceError(f"auth type `{kind}` is unknown; dlt knows {', '.join(sorted(_SECRET_FIELD))}.")
    if kind == "api_key" and auth.get("location") == "cookie":
        raise SourceError("auth location `cookie` is not supported by dlt; use `header` or `query`.")
    if kind == "http_basic":
        return _complete_basic(auth, secret)
    field = _SECRET_FIELD[kind]
    if field in auth:
        raise SourceError(f"the secret belongs into INVOICES_API_KEY, not into `auth.{field}` of the YAML.")
    return {**auth, field: secret}


def _complete_basic(auth: dict[str, Any], secret: str) -> dict[str, Any]:
    if "username" in auth and "password" in auth:
        raise SourceError("the secret belongs into INVOICES_API_KEY: leave `username` or `password` out.")
    if "username" in auth:
        return {**auth, "password": secret}
    if "password" in auth:
        return {**auth, "username": secret}
    username, _, password = secret.partition(":")
    return {**auth, "username": username, "password": password}
