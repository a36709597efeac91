"""Reads what to fetch: a YAML file in dlt's REST API source format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from dlt.common.exceptions import DictValidationException
from dlt.sources.helpers.rest_client.paginators import (
    BasePaginator,
    OffsetPaginator,
    PageNumberPaginator,
    RangePaginator,
)
from dlt.sources.rest_api import rest_api_source
from dlt.sources.rest_api.config_setup import (
    build_resource_dependency_graph,
    create_auth,
    create_paginator,
)
from dlt.sources.rest_api.typing import ResolvedParam

from invoices_assets.extract.credentials import with_credentials
from invoices_assets.extract.errors import SourceError
from invoices_assets.extract.incremental import CursorSpec, WindowSpec, read_cursor, read_window
from invoices_assets.extract.page import checked_path

DEFAULT_SOURCE = Path(__file__).parent.parent / "source.yaml"
"""The description of the default contract, used unless INVOICES_SOURCE names another file."""


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
    window: WindowSpec | None = None
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


@dataclass(frozen=True)
class Source:
    """A readable source file.

    Parameters:
        path: where it was read from.
        config: its content: `client`, `resource_defaults`, `resources`; without base URL and secret.
    """

    path: Path
    config: Mapping[str, Any] = field(repr=False)

    def dlt_source(self, name: str) -> Any:
        """dlt's own source of this configuration, with placeholders for what a run alone knows.

        It gives Dagster the shape of the assets; it is never read from.

        Raises:
            SourceError: dlt does not accept the configuration; its complaint is in the message.
        """
        try:
            config: Any = with_credentials(self.config, "http://unset.invalid", "unset")
            return rest_api_source(config, name=name)
        except Exception as error:
            raise self._refusal(error) from None

    @cached_property
    def resource_names(self) -> list[str]:
        """Names in the order of the file."""
        return [_name_of(resource) for resource in self.config["resources"]]

    @cached_property
    def main_resource(self) -> str:
        """`invoices`, or the first one in a file without it."""
        return "invoices" if "invoices" in self.resource_names else self.resource_names[0]

    @cached_property
    def windows(self) -> dict[str, WindowSpec]:
        """The date windows of the resources that have one, by name.

        Raises:
            SourceError: as `resources`.
        """
        specs = self.resources("http://unset.invalid", "unset")
        return {name: spec.window for name, spec in specs.items() if spec.window is not None}

    def resources(self, base_url: str, secret: str) -> dict[str, ResourceSpec]:
        """The resources, ready to be asked for, by name.

        Raises:
            SourceError: something that cannot be loaded completely or exactly.
        """
        try:
            config = with_credentials(self.config, base_url, secret)
            defaults: Any = config.get("resource_defaults") or {}
            graph: Any = build_resource_dependency_graph(defaults, config["resources"])
            _, endpoints, resolved = graph
            specs = {
                name: _resource_spec(name, config["client"], resource, resolved[name] or [])
                for name, resource in endpoints.items()
            }
            _refuse_shared_tables(specs)
            return specs
        except SourceError as error:
            raise self._refusal(error) from None
        except (ValueError, TypeError, KeyError, DictValidationException) as error:
            raise self._refusal(error) from None

    def check_columns(self, check: Callable[[Mapping[str, Any]], object]) -> None:
        """Lets the loader, which alone knows what hints it follows, look at the columns of each resource.

        Raises:
            SourceError: `check` raised a ValueError; its sentence is in the message.
        """
        for name, spec in self.resources("http://unset.invalid", "unset").items():
            try:
                check(spec.columns)
            except ValueError as error:
                raise self._refusal(SourceError(f"resource `{name}`: {error}")) from None

    def _refusal(self, error: Exception) -> SourceError:
        return SourceError(f"The source file {self.path.name} cannot be used: {_complaint(error)}")


def read_source(path: Path) -> Source:
    """Reads and checks a source file; sends nothing and needs no secret.

    Raises:
        SourceError: the file is missing, is not YAML, or is refused by dlt.
    """
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SourceError(f"The source file {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise SourceError(f"The source file {path} is not UTF-8 text.") from None
    except yaml.YAMLError as error:
        raise SourceError(f"The source file {path} is not valid YAML: {_yaml_complaint(error)}") from None
    if (
        not isinstance(config, dict)
        or not isinstance(config.get("resources"), list)
        or not config["resources"]
    ):
        raise SourceError(f"The source file {path} needs a list `resources` with at least one resource.")
    source = Source(path, config)
    source.dlt_source("check")
    source.resources("http://unset.invalid", "unset")
    return source


def _name_of(resource: Any) -> str:
    return resource if isinstance(resource, str) else str(resource.get("name"))


def _resource_spec(
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
        raise SourceError(
            f"resource `{name}` has `processing_steps`, which are Python functions; use `columns`."
        )
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


def _refuse_shared_tables(specs: Mapping[str, ResourceSpec]) -> None:
    for name, spec in specs.items():
        if spec.history and f"{name}_history" in specs:
            raise SourceError(
                f"resource `{name}_history` has the name of the table that `{name}` keeps its history in."
            )


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
            raise SourceError(
                f"resource `{name}`: of `response_actions`, only `status_code` with `ignore` works."
            )
    return actions


def _complaint(error: Exception) -> str:
    """dlt's complaint about the innermost field, where it names several."""
    if isinstance(error, DictValidationException):
        while error.nested_exceptions:
            error = max(error.nested_exceptions, key=lambda nested: len(str(nested.path)))
    return " ".join(str(error).split())


def _yaml_complaint(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "unreadable"
    return f"{problem} (line {mark.line + 1}, column {mark.column + 1})." if mark else f"{problem}."
