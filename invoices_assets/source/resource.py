"""One resource of the source file: what to ask, where its records are, how its columns are declared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from dlt.sources.helpers.rest_client.paginators import BasePaginator
from dlt.sources.rest_api.config_setup import create_auth
from dlt.sources.rest_api.typing import ResolvedParam

from invoices_assets.errors import SourceError
from invoices_assets.source.auth import read_auth, with_secret
from invoices_assets.source.columns.column import Column
from invoices_assets.source.columns.declaration import parse_columns
from invoices_assets.source.columns.marks import NO_MARKS, Marks, read_marks
from invoices_assets.source.incremental import CursorSpec, DateWindowSpec, read_cursor, read_window
from invoices_assets.source.naming import NAMING, normalized
from invoices_assets.source.paginator import read_paginator
from invoices_assets.source.unfollowed import refuse_unfollowed
from invoices_assets.source.values.paths import checked_path


@dataclass(frozen=True)
class ResourceSpec:
    """One resource of the source: what to ask, where its records are, how its columns are declared.

    Parameters:
        name: as in the source file, and of its main table before that is normalized.
        primary_key: columns of the main table that identify a record, by their normalized names.
        key_fields: the API's own names of the same, in the same order; `x-from` or the declared spelling.
        columns: normalized name -> Column.
        auth_config: what the YAML says of the auth, without the secret; None where there is no auth.
        auth: dlt's auth object, which holds the secret; None until `with_auth` has put it in.
        total_path: where an answer has the API's total, as it is written; None where the source file names no place.
        has_totals: False after `total_path: null`: no total in a body or a header is one of what was asked for.
        parent: the resource that this one hangs on, through `{resources.<parent>.<field>}`.
        ignored: dlt's `response_actions`.
        history: every version of a main row is kept, which dlt calls the merge strategy `scd2`.
        marks: the columns that mark deletions and tell versions apart.
    """

    name: str
    primary_key: tuple[str, ...]
    key_fields: tuple[str, ...]
    columns: Mapping[str, Column]
    method: str
    path: str
    params: Mapping[str, Any]
    client_headers: Mapping[str, Any]
    headers: Mapping[str, Any]
    json: Any
    data: Any
    data_selector: str | None
    paginator: BasePaginator
    auth_config: Mapping[str, Any] | None
    cursor: CursorSpec | None
    window: DateWindowSpec | None = None
    total_path: str | None = None
    has_totals: bool = True
    ignored: tuple[Mapping[str, Any], ...] = ()
    parent: str | None = None
    resolved_params: tuple[ResolvedParam, ...] = ()
    include_from_parent: tuple[str, ...] = ()
    history: bool = False
    selected: bool = True
    marks: Marks = NO_MARKS
    description: str | None = None
    auth: Any = field(default=None, repr=False)

    def with_auth(self, secret: str) -> ResourceSpec:
        """The same resource, ready to be asked for.

        Parameters:
            secret: the API key; see `source.auth.with_secret` for what it is to `http_basic`.
        """
        if self.auth_config is None:
            return self
        return replace(self, auth=create_auth(cast(Any, with_secret(self.auth_config, secret))))

    def column_of(self, path: str) -> Column:
        """The column that a field of the records becomes in the table; one without hints where none is declared.

        Parameters:
            path: of the field in a record, such as `updated_at` or `meta.changed`.
        """
        for column in self.columns.values():
            if column.x_from and column.sources[0] == path:
                return column
        name = _name_in_table(path)
        return self.columns.get(name) or Column(name=name)

    def fields_of(self, path: str) -> tuple[str, ...]:
        """The fields of a record that a path means: itself, or what the column that it names is made of.

        `cursor_path: updated_at` with `updated_at: {x-from: [date_updated, date_created]}` means the first of the
        two that is not null; `cursor_path: date_updated` means that field alone.
        """
        column = self.column_of(path)
        if not column.x_from:
            return (path,)
        is_its_field = column.sources[0] == path
        is_its_name = column.name == _name_in_table(path)
        return column.sources if is_its_name and (column.is_derived or not is_its_field) else (path,)


def resource_spec(
    name: str, client: Mapping[str, Any], resource: Mapping[str, Any], resolved: list[ResolvedParam]
) -> ResourceSpec:
    """Reads one resource, as dlt merged it with the `resource_defaults`.

    Parameters:
        client: `client` of the source file.
        resolved: the parameters that come from a parent resource.

    Raises:
        SourceError: something that cannot be loaded completely or exactly.
    """
    endpoint = resource["endpoint"]
    paginator, total_path, has_totals = read_paginator(name, endpoint.get("paginator") or client.get("paginator"))
    key = _primary_key(name, resource)
    names = tuple(map(normalized, key))
    columns, marks = _columns(name, resource, names)
    refuse_unfollowed(name, resource, names)
    return ResourceSpec(
        name=name,
        primary_key=names,
        key_fields=tuple(_field_of(columns.get(column), written) for column, written in zip(names, key, strict=True)),
        columns=columns,
        method=endpoint.get("method") or "GET",
        path=endpoint["path"],
        params={key: value for key, value in (endpoint.get("params") or {}).items() if not _is_bound(value)},
        client_headers=client.get("headers") or {},
        headers=endpoint.get("headers") or {},
        json=endpoint.get("json"),
        data=endpoint.get("data"),
        data_selector=checked_path(endpoint.get("data_selector")),
        paginator=paginator,
        auth_config=read_auth(endpoint.get("auth", client.get("auth"))),
        cursor=read_cursor(name, endpoint),
        window=read_window(name, endpoint, depends=bool(resolved)),
        total_path=total_path,
        has_totals=has_totals,
        ignored=_ignored(name, endpoint),
        parent=resolved[0].resolve_config["resource"] if resolved else None,
        resolved_params=tuple(resolved),
        include_from_parent=tuple(resource.get("include_from_parent") or ()),
        history=_history(name, resource),
        selected=resource.get("selected") is not False,
        marks=marks,
        description=resource.get("description"),
    )


def _name_in_table(path: str) -> str:
    return NAMING.normalize_path(path.removeprefix("$.").replace(".", "__"))


def _columns(name: str, resource: Mapping[str, Any], primary_key: tuple[str, ...]) -> tuple[dict[str, Column], Marks]:
    try:
        columns = parse_columns(resource.get("columns"))
        for key in primary_key:
            if key in columns and columns[key].is_derived:
                raise ValueError(f"Column `{key}` is of the primary key, so its `x-from` must be one plain field.")
        return columns, read_marks(columns, primary_key)
    except ValueError as error:
        raise SourceError(f"resource `{name}`: {error}") from None


def _field_of(column: Column | None, written: str) -> str:
    return column.sources[0] if column is not None and column.x_from else written


def _primary_key(name: str, resource: Mapping[str, Any]) -> tuple[str, ...]:
    """The columns of the primary key, as they are written."""
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


def _is_bound(param: Any) -> bool:
    return isinstance(param, dict) and param.get("type") in ("incremental", "resolve")


def _ignored(name: str, endpoint: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    actions = tuple(endpoint.get("response_actions") or ())
    for action in actions:
        if action.get("action") != "ignore" or "status_code" not in action or "content" in action:
            raise SourceError(f"resource `{name}`: of `response_actions`, only `status_code` with `ignore` works.")
    return actions
