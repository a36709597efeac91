"""The declared auth, and the secret in whichever field its type keeps it in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from invoices_assets.errors import SourceError

PREFIX = "x-prefix"
"""Of an `api_key` in a header: what stands before the key, such as `Token ` with a space."""

_SECRET_FIELD = {
    "api_key": "api_key",
    "bearer": "token",
    "http_basic": "password",
    "oauth2_client_credentials": "client_secret",
}


def read_auth(auth: Any) -> dict[str, Any] | None:
    """The auth of a client or an endpoint, with its type; None where there is none.

    Parameters:
        auth: as in the YAML, `bearer` or `{type: api_key, name: X-Api-Key, location: header}`, also with
            `x-prefix: "Token "`.

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
    prefix = auth.get(PREFIX, "")
    if prefix and (kind != "api_key" or auth.get("location", "header") != "header"):
        raise SourceError(f"`{PREFIX}` stands before an `api_key` in a header; this auth, `{kind}`, has no such place.")
    if not isinstance(prefix, str):
        raise SourceError(f"`{PREFIX}` of the auth must be a text such as `'Token '`, not {prefix!r}.")
    field = _SECRET_FIELD[kind]
    if kind != "http_basic" and field in auth:
        raise SourceError(f"the secret belongs into the settings, not into `auth.{field}` of the YAML.")
    if kind == "http_basic" and "username" in auth and "password" in auth:
        raise SourceError("the secret belongs into the settings: leave `username` or `password` out of the YAML.")
    return auth


def with_secret(auth: Mapping[str, Any], secret: str) -> dict[str, Any]:
    """What `read_auth` gave, as dlt takes it, ready for a request.

    Parameters:
        secret: the API key. For `http_basic` it is the password beside a `username` in the YAML, the user
            name beside a `password` there, and otherwise `user:password` or a user name alone (RFC 7617).
    """
    prefix = auth.get(PREFIX, "")
    auth = {key: value for key, value in auth.items() if key != PREFIX}
    if auth["type"] != "http_basic" or "username" in auth:
        return {**auth, _SECRET_FIELD[auth["type"]]: f"{prefix}{secret}"}
    if "password" in auth:
        return {**auth, "username": secret}
    username, _, password = secret.partition(":")
    return {**auth, "username": username, "password": password}
