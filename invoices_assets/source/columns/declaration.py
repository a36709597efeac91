"""The `columns` of a resource, as they are written in the source file: hint by hint, in dlt's spelling and ours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dlt.common.data_types.typing import DATA_TYPES
from pydantic import ValidationError

from invoices_assets.source.columns.column import Column
from invoices_assets.source.naming import RESERVED_PREFIX, normalized

_HINTS = {
    field: "data_type" if field == "kind" else field.replace("_", "-") if field.startswith("x_") else field
    for field in Column.model_fields
    if field != "name"
}
_OURS = tuple(hint for hint in _HINTS.values() if hint.startswith("x-"))
_OF_DLT = (
    "x-annotation x-normalizer x-nested-type x-original-name x-row-version x-active-record-timestamp "
    "x-valid- x-athena- x-bigquery- x-clickhouse- x-databricks- x-iceberg- x-lance- x-lancedb- "
    "x-postgres- x-qdrant- x-snowflake- x-weaviate-"
)
_DLT_PREFIXES = tuple(_OF_DLT.split())
_FLAGS = ("nullable", "timezone", "hard_delete", "x_pii", "x_table")
_WRONG = {
    "kind": f"the unknown `data_type` {{!r}}; known are {', '.join(sorted(DATA_TYPES))}",
    "precision": "`precision` {!r}; it must be a whole number",
    "scale": "`scale` {!r}; it must be a whole number",
    **{flag: f"`{_HINTS[flag]}` {{!r}}; it must be true or false" for flag in _FLAGS},
    "description": "`description` {!r}; it must be a text",
    "dedup_sort": "`dedup_sort` {!r}; it must be asc or desc",
    "x_from": "`x-from` {!r}; it must be the name of a field, a JSONPath, or a list of such",
    "x_scale": "`x-scale` {!r}; it must be a whole number, such as -2 for cents",
    "x_format": "`x-format` {!r}; it must be epoch_s, epoch_ms or a strptime format with day and year",
    "x_timezone": "the unknown `x-timezone` {!r}; it must be an IANA name, Europe/Berlin",
    "x_sum_of": "`x-sum-of` {!r}; it must name a column of a child table, such as line_items.amount",
    "x_tolerance": "`x-tolerance` {!r}; it must be a number that is not negative",
}


def parse_columns(columns: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None) -> dict[str, Column]:
    """Reads the `columns` of a resource.

    Parameters:
        columns: column name -> hints, as `Column` shows, or dlt's other spelling, a list of hints that each
            have a `name`.

    Returns:
        normalized flattened name -> Column, in the order of the declaration.

    Raises:
        ValueError: one sentence that names the column and what is wrong with it.
    """
    parsed: dict[str, Column] = {}
    sources: dict[str, str] = {}
    for written, hints in named_hints(columns or {}):
        column = _column(written, hints)
        if column.name in parsed:
            raise ValueError(f"Column `{written}` is declared twice: both names become `{column.name}`.")
        if column.x_from:
            other = sources.setdefault(column.sources[0], written)
            if other != written:
                raise ValueError(f"Columns `{other}` and `{written}` both have `x-from` `{column.sources[0]}`.")
        parsed[column.name] = column
    return parsed


def named_hints(
    columns: Mapping[str, Any] | Sequence[Mapping[str, Any]],
) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """The columns as they are written, each with its hints; it raises `ValueError` where they have another form."""
    if isinstance(columns, Mapping):
        pairs = [(str(name), hints or {}) for name, hints in columns.items()]
    else:
        pairs = [(str(hints.get("name") or ""), hints) for hints in columns if isinstance(hints, Mapping)]
        if len(pairs) < len(columns) or not all(name for name, _ in pairs):
            raise ValueError("Each entry of a list of `columns` must be an object with a `name`.")
    for name, hints in pairs:
        if not isinstance(hints, Mapping):
            raise ValueError(f"Column `{name}` must have an object of hints, not {hints!r}.")
    return pairs


def _column(written: str, hints: Mapping[str, Any]) -> Column:
    name = normalized(written)
    if name.startswith(RESERVED_PREFIX):
        raise ValueError(f"Column `{written}` has a name that dlt keeps for itself.")
    for hint in map(str, hints):
        if hint.startswith(("x-", "x_")) and hint not in _OURS and not hint.startswith(_DLT_PREFIXES):
            raise ValueError(f"Column `{written}` has the unknown hint `{hint}`; known are {', '.join(_OURS)}.")
    given = {field: hints[hint] for field, hint in _HINTS.items() if hints.get(hint) is not None}
    try:
        return Column(name=name, **given)
    except ValidationError as error:
        first = error.errors()[0]
        wrong = _WRONG[str(first["loc"][0])].format(first["input"]) if first["loc"] else str(first["ctx"]["error"])
        raise ValueError(f"Column `{written}` has {wrong}.") from None
