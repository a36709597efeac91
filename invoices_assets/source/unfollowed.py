"""What dlt's format can say, and this project does not follow: refused, where passing over it would change the rows.

Left alone is what changes no row: `parallelized`, `references`, `row_order`, `range_start`, `range_end` and
`primary_key` of an `incremental` (a record that comes again replaces itself), and the hints of columns that say how a
destination stores them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from invoices_assets.errors import SourceError
from invoices_assets.source.columns.declaration import named_hints
from invoices_assets.source.dlt_format import is_incremental
from invoices_assets.source.naming import normalized

_OF_RESOURCE = {
    "table_name": "rows go into the table of the resource's name: rename the resource",
    "nested_hints": "columns of a child table are declared in `columns`, as `line_items__amount`",
    "max_table_nesting": "a column of `data_type: json` keeps what is nested as it is",
    "schema_contract": "new columns are always added, and a record that does not fit is rejected",
    "table_format": "the warehouse decides how a table is stored",
    "file_format": "the warehouse decides how a table is stored",
    "parent_table_name": "child tables hang on the table of their record",
}
_OF_INCREMENTAL = {
    "allow_external_schedulers": "a date window (`end_param`) makes partitions",
    "last_value_func": "the cursor is the latest stamp",
}


def refuse_unfollowed(name: str, resource: Mapping[str, Any], primary_key: tuple[str, ...]) -> None:
    """Refuses a resource that says what is not followed.

    Parameters:
        name: of the resource.
        resource: as dlt merged it with the `resource_defaults`.
        primary_key: its columns, normalized.

    Raises:
        SourceError: one sentence, with what to write instead.
    """
    for what, instead in (*_in_resource(resource, primary_key), *_in_endpoint(resource["endpoint"])):
        raise SourceError(f"resource `{name}` has {what}, which is not followed here: {instead}.")


def _in_resource(resource: Mapping[str, Any], primary_key: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for key, instead in _OF_RESOURCE.items():
        if resource.get(key) not in (None, "evolve"):
            yield f"`{key}`", instead
    merged_on = resource.get("merge_key") or ()
    merged_on = (merged_on,) if isinstance(merged_on, str) else merged_on
    if set(map(normalized, merged_on)) - set(primary_key):
        yield "`merge_key`", "a record replaces the one with its `primary_key`"
    for column, hints in named_hints(resource.get("columns") or {}):
        for hint in ("primary_key", "merge_key"):
            if hints.get(hint) and normalized(column) not in primary_key:
                yield (
                    f"`{hint}` in column `{column}`",
                    "name all columns of the key in the `primary_key` of the resource",
                )


def _in_endpoint(endpoint: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    declared = endpoint.get("incremental") or {}
    as_parameter = [value for value in (endpoint.get("params") or {}).values() if is_incremental(value)]
    for incremental in (declared, *as_parameter):
        for key, instead in _OF_INCREMENTAL.items():
            if incremental.get(key) not in (None, False, "max"):
                yield f"`{key}` in `incremental`", instead
        if incremental.get("on_cursor_value_missing") == "exclude":
            yield "`on_cursor_value_missing: exclude`", "records without a stamp are loaded, too"
    if declared and as_parameter and not declared.get("end_param"):
        yield "`incremental` besides one of its `params`", "an endpoint has one filter by change; keep one of them"
    if "{incremental.end_value" in repr({**endpoint, "incremental": None}):
        yield "`{incremental.end_value}`", "a refresh has no end; a date window is declared by `end_param`"
    if endpoint.get("data") is not None and endpoint.get("json") is not None:
        yield "`data` beside `json`", "a request has one body"
