"""One resource of the source file: what to ask, where its records are, how its columns are declared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dlt.sources.helpers.rest_client.paginators import (
    BasePaginator,
    OffsetPaginator,
    PageNumberPaginator,
    RangePaginator,
)
from dlt.sources.rest_api.config_setup import (
    create_auth,
    create_paginator,
)
from dlt.sources.rest_api.typing import ResolvedParam

from invoices_assets.errors import SourceError
from invoices_assets.source.incremental import CursorSpec, DateWindowSpec, read_cursor, read_window
from invoices_assets.source.paths import checked_path


@dataclass(frozen=True)
class ResourceSpec:
    """One resource of the source: what to ask, where its records are, how its columns are declared."""

    name: str
    primary_key: tuple[str, ...]
    columns: Mapping[str, Mapping[str, Any]]
    method: str
    path: str
    params: Mapping[str, Any]
    client_headers: Mapping[str, Any]
    headers: Mapping[str, Any]
    json: Any
    data: Any
    data_selector: str | None
    paginator: BasePaginator
    auth: Any
    cursor: CursorSpec | None
    window: DateWindowSpec | None = None
    ignored: tuple[Mapping[str, Any], ...] = ()
    parent: str | None = None
    resolved_params: tuple[ResolvedParam, ...] = ()
    include_from_parent: tuple[str, ...] = ()
    history: bool = False
    description: str | None = None

    @property
    def key_fields(self) -> list[str]:
        """The API's own names of the primary key; `x-from` tells where they are others than ours."""
        return [str(self.columns.get(name, {}).get("x-from", name)) for name in self.primary_key]


def resource_spec(
    name: str, client: Mapping[str, Any], resource: Mapping[str, Any], resolved: list[ResolvedParam]
) -> ResourceSpec:
    endpoint = resource["endpoint"]
    return ResourceSpec(
        name=name,
        primary_key=_primary_key(name, resource),
        columns=_columns(resource.get("columns")),
        method=endpoint.get("method") or "GET",
        path=endpoint["path"],
        params={key: value for key, value in (endpoint.get("params") or {}).items() if not _is_bound(value)},
        client_headers=client.get("headers") or {},
        headers=endpoint.get("headers") or {},
        json=endpoint.get("json"),
        data=endpoint.get("data"),
        data_selector=checked_path(endpoint.get("data_selector")),
        paginator=_paginator(name, client, endpoint),
        auth=create_auth(endpoint.get("auth", client.get("auth"))),
        cursor=read_cursor(name, endpoint),
        window=read_window(name, endpoint, depends=bool(resolved)),
        ignored=_ignored(name, endpoint),
        parent=resolved[0].resolve_config["resource"] if resolved else None,
        resolved_params=tuple(resolved),
        include_from_parent=tuple(resource.get("include_from_parent") or ()),
        history=_history(name, resource),
        description=resource.get("description"),
    )


def _primary_key(name: str, resource: Mapping[str, Any]) -> tuple[str, ...]:
    if resource.get("processing_steps"):
        raise SourceError(f"resource `{name}` has `processing_steps`, which are Python functions; use `columns`.")
    disposition = resource.get("write_disposition", "append")
    if isinstance(disposition, dict):
        disposition = disposition.get("disposition")
    key = resource.get("primary_key")
    key = (key,) if isinstance(key, str) else tuple(key or ())
    if disposition != "merge" or not key:
        raise SourceError(
            f"resource `{name}` needs `write_disposition: merge` and a `primary_key`; "
            "without them a repeated record cannot be told from a new one."
        )
    return key


def _history(name: str, resource: Mapping[str, Any]) -> bool:
    """Whether every version is kept, which dlt calls the merge strategy `scd2`."""
    disposition = resource.get("write_disposition")
    if not isinstance(disposition, dict):
        return False
    strategy = disposition.get("strategy", "delete-insert")
    more = disposition.keys() - {"disposition", "strategy"}
    if more or strategy not in ("delete-insert", "upsert", "scd2"):
        raise SourceError(
            f"resource `{name}`: of `write_disposition`, only `disposition: merge` and the strategy "
            "`delete-insert`, `upsert` or `scd2` (keeps every version) work."
        )
    return strategy == "scd2"


def _columns(columns: Any) -> dict[str, Mapping[str, Any]]:
    if isinstance(columns, list):
        return {column["name"]: column for column in columns}
    return dict(columns or {})


def _paginator(name: str, client: Mapping[str, Any], endpoint: Mapping[str, Any]) -> BasePaginator:
    paginator = create_paginator(endpoint.get("paginator") or client.get("paginator"))
    if paginator is None:
        raise SourceError(
            f"resource `{name}` names no paginator, and a guessed one could lose pages: "
            "use offset, page_number, cursor, header_link, json_link or single_page."
        )
    if isinstance(paginator, RangePaginator) and type(paginator) not in (
        OffsetPaginator,
        PageNumberPaginator,
    ):
        raise SourceError(f"resource `{name}` has a paginator that is not known: {type(paginator).__name__}.")
    return paginator


def _is_bound(param: Any) -> bool:
    return isinstance(param, dict) and param.get("type") in ("incremental", "resolve")


def _ignored(name: str, endpoint: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    actions = tuple(endpoint.get("response_actions") or ())
    for action in actions:
        if action.get("action") != "ignore" or "status_code" not in action or "content" in action:
            raise SourceError(f"resource `{name}`: of `response_actions`, only `status_code` with `ignore` works.")
    return actions
