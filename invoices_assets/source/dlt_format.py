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

FORMAT = "x-format"
"""In an `incremental`: the notation of the value that is sent."""


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
    for owner in _owners_of("incremental", ready):
        owner["incremental"] = incremental_of_dlt(owner["incremental"])
    for owner in _owners_of("params", ready):
        if isinstance(owner["params"], dict):
            owner["params"] = {key: incremental_of_dlt(value) for key, value in owner["params"].items()}
    return ready


def paginator_of_dlt(paginator: Any) -> Any:
    """The configuration of a paginator as dlt takes it: only those that count have a `total_path` there."""
    if not isinstance(paginator, Mapping):
        return paginator
    own = {LINK} if paginator.get("type") in ("offset", "page_number") else {LINK, "total_path"}
    return {key: value for key, value in paginator.items() if key not in own}


def is_incremental(param: Any) -> bool:
    """Whether a parameter of an endpoint is the start of its filter by change."""
    return isinstance(param, Mapping) and param.get("type") == "incremental"


def incremental_of_dlt(declared: Any) -> Any:
    """The configuration of an `incremental`, or of a parameter, as dlt takes it."""
    is_one = isinstance(declared, Mapping) and ("cursor_path" in declared or is_incremental(declared))
    return {key: value for key, value in declared.items() if key != FORMAT} if is_one else declared


def _owners_of(key: str, config: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The client and each endpoint that have such a key."""
    resources = config.get("resources") or []
    defaults = config.get("resource_defaults") or {}
    endpoints = [item.get("endpoint") for item in (defaults, *resources) if isinstance(item, dict)]
    for owner in (config["client"], *endpoints):
        if isinstance(owner, dict) and owner.get(key) is not None:
            yield owner
