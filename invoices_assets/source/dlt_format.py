"""A source file's configuration as dlt takes it: without this project's own keys, and with a place for the secret.

In `columns` dlt leaves `x-` hints alone; elsewhere it refuses what it does not know. So what it is not to see is
taken out here, and nowhere else; a key that is not known here either stays, and dlt refuses it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from invoices_assets.source.auth import read_auth, with_secret

UNSET = "unset"
"""Stands for the secret where dlt wants one before there is any."""
LINK = "x-link"
"""In a `header_cursor`: the header holds an address, which is followed."""


def as_dlt_takes(config: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of the whole configuration that dlt accepts, though nothing can be sent with it.

    Raises:
        SourceError: as `read_auth`.
    """
    ready = deepcopy(dict(config))
    ready["client"] = {**(ready.get("client") or {}), "base_url": "http://unset.invalid"}
    for owner in _owners_of("auth", ready):
        owner["auth"] = with_secret(read_auth(owner["auth"]) or {}, UNSET)
    for owner in _owners_of("paginator", ready):
        owner["paginator"] = paginator_of_dlt(owner["paginator"])
    return ready


def paginator_of_dlt(paginator: Any) -> Any:
    """The configuration of a paginator as dlt takes it: only those that count have a `total_path` there."""
    if not isinstance(paginator, Mapping):
        return paginator
    own = {LINK} if paginator.get("type") in ("offset", "page_number") else {LINK, "total_path"}
    return {key: value for key, value in paginator.items() if key not in own}


def _owners_of(key: str, config: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The client and each endpoint that say something of `auth` or `paginator`."""
    resources = config.get("resources") or []
    defaults = config.get("resource_defaults") or {}
    endpoints = [item.get("endpoint") for item in (defaults, *resources) if isinstance(item, dict)]
    for owner in (config["client"], *endpoints):
        if isinstance(owner, dict) and owner.get(key) is not None:
            yield owner
