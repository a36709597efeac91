"""The declared auth, and the secret in whichever field its type keeps it in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from invoices_assets.errors import SourceError

UNSET = "unset"
"""Stands for the secret where dlt wants one before there is any."""

_SECRET_FIELD = {
    "api_key": "api_key",
    "bearer": "token",
    "http_basic": "password",
    "oauth2_client_credentials": "client_secret",
}


def read_auth(auth: Any) -> dict[str, Any] | None:
    """The auth of a client or an endpoint, with its type; None where there is none.

    Parameters:
        auth: as in the YAML, `bearer` or `{type: api_key, name: X-Api-Key, location: header}`.

    Raises:
        SourceError: the auth is of an unknown type, or already holds a secret.
    """
    if auth is None:
        return None
    auth = {"type": auth} if isinstance(auth, str) else {"type": "bearer", **auth}
    kind = auth["type"]
    if kind not in _SECRET_FIELD:
        raise SourceError(f"auth type `{kind}` is unknown; dlt knows {', '.join(sorted(_SECRET_FIELD))}.")
    if kind == "api_key" and auth.get("location") == "cookie":
        raise SourceError("auth location `cookie` is not supported by dlt; use `header` or `query`.")
    field = _SECRET_FIELD[kind]
    if kind != "http_basic" and field in auth:
        raise SourceError(f"the secret belongs into the settings, not into `auth.{field}` of the YAML.")
    if kind == "http_basic" and "username" in auth and "password" in auth:
        raise SourceError("the secret belongs into the settings: leave `username` or `password` out of the YAML.")
    return auth


def with_secret(auth: Mapping[str, Any], secret: str) -> dict[str, Any]:
    """What `read_auth` gave, ready for a request.

    Parameters:
        secret: the API key. For `http_basic` it is the password beside a `username` in the YAML, the user
            name beside a `password` there, and otherwise `user:password` or a user name alone (RFC 7617).
    """
    if auth["type"] != "http_basic" or "username" in auth:
        return {**auth, _SECRET_FIELD[auth["type"]]: secret}
    if "password" in auth:
        return {**auth, "username": secret}
    username, _, password = secret.partition(":")
    return {**auth, "username": username, "password": password}


def with_placeholders(config: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of the REST API configuration that dlt accepts, though nothing can be sent with it.

    Raises:
        SourceError: as `read_auth`.
    """
    ready = deepcopy(dict(config))
    ready["client"] = {**(ready.get("client") or {}), "base_url": "http://unset.invalid"}
    for owner in owners_of("auth", ready):
        owner["auth"] = with_secret(read_auth(owner["auth"]) or {}, UNSET)
    return ready


def owners_of(key: str, config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The client and each endpoint that say something of `auth` or `paginator`."""
    resources = config.get("resources") or []
    defaults = config.get("resource_defaults") or {}
    endpoints = [item.get("endpoint") for item in (defaults, *resources) if isinstance(item, dict)]
    for owner in (config["client"], *endpoints):
        if isinstance(owner, dict) and owner.get(key) is not None:
            yield owner
