"""The tables of a load in the words of dlt's schema, which lies in the warehouse beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlt.common.data_types.typing import TDataType
from dlt.common.schema.utils import dlt_id_column, dlt_load_id_column
from dlt.destinations.impl.duckdb.factory import DuckDbTypeMapper

from invoices_assets.load.diff.history import RECORD_KEY, VALID_FROM, VALID_TO
from invoices_assets.load.tables import (
    DELETED_AT,
    LIST_INDEX,
    LOAD_ID,
    PARENT_ID,
    ROOT_ID,
    ROW_ID,
    LoadPlan,
    TablePlan,
    parent_of,
)
from invoices_assets.load.types import DECIMAL
from invoices_assets.source.columns.column import Column
from invoices_assets.source.columns.meaning import columns_below
from invoices_assets.source.naming import rejected_table
from invoices_assets.source.resource import ResourceSpec

Table = dict[str, Any]

# dlt's own merge would come to the same; `deduplicated`, for the rows of a load are distinct
_MERGED = {"write_disposition": "merge", "x-merge-strategy": "delete-insert", "x-stage-data-deduplicated": True}
_SEEN = {"x-normalizer": {"seen-data": True}}
_UNDECLARED = Column(name="")
_KEYS: dict[str, dict[str, Any]] = {
    ROW_ID: dict(dlt_id_column()),
    LOAD_ID: dict(dlt_load_id_column()),
    ROOT_ID: {"name": ROOT_ID, "data_type": "text", "nullable": False, "root_key": True},
    PARENT_ID: {"name": PARENT_ID, "data_type": "text", "nullable": False, "parent_key": True},
    LIST_INDEX: {"name": LIST_INDEX, "data_type": "bigint", "nullable": False},
}
# what dlt's own map of DuckDB's types leaves out
_PRECISIONS = {"TINYINT": 8, "SMALLINT": 16, "INTEGER": 32, "HUGEINT": 128}
_PRECISIONS |= {"TIMESTAMP_S": 0, "TIMESTAMP_MS": 3, "TIMESTAMP_NS": 9}


REJECTED_COLUMNS: dict[str, tuple[TDataType, str]] = {
    "key": ("text", "the record's key, as far as it has one"),
    "raw": ("text", "the record as JSON"),
    "reason": ("text", "why it cannot be stored as declared"),
    "rejected_at": ("timestamp", "when it came"),
}
"""The columns of a table of rejected records: name -> dlt's data type, and what is in it."""


def dlt_tables(plan: LoadPlan, spec: ResourceSpec, *, has_rejected: bool) -> list[Table]:
    """The tables of a load: the main one, its child tables, its rejected records, if any, and its history."""
    tables = [_main(plan, spec)] if plan.root.columns else []
    tables += [_child(plan, table, spec) for table in plan.children]
    if has_rejected:
        tables.append(_rejected(rejected_table(plan.root.name)))
    if plan.history is not None:
        tables.append(_history(plan.history, spec))
    return tables


def dlt_type(kind: str) -> dict[str, Any]:
    """dlt's hints for a DuckDB type; text for a type that dlt has no name for."""
    if match := DECIMAL.fullmatch(kind):
        return {"data_type": "decimal", "precision": int(match[1]), "scale": int(match[2])}
    hints: dict[str, Any] = {"data_type": DuckDbTypeMapper.dbt_to_sct.get(kind, "text")}
    if kind in _PRECISIONS:
        hints["precision"] = _PRECISIONS[kind]
    if kind.startswith("TIMESTAMP") and not kind.endswith("ZONE"):
        hints["timezone"] = False
    return hints


def _main(plan: LoadPlan, spec: ResourceSpec) -> Table:
    columns = _columns(plan.root, spec.columns, spec.primary_key)
    for name in spec.primary_key:
        columns[name]["primary_key"] = True
    if DELETED_AT in columns:
        columns[DELETED_AT]["description"] = "when the record was found to be gone from the API"
    about = {"description": spec.description} if spec.description else {}
    return {"name": plan.root.name, "resource": spec.name, **about, **_MERGED, **_SEEN, "columns": columns}


def _child(plan: LoadPlan, table: TablePlan, spec: ResourceSpec) -> Table:
    place = table.name[len(plan.root.name) + 2 :]
    return {
        "name": table.name,
        "parent": parent_of(table.name, plan.tables),
        **_SEEN,
        "columns": _columns(table, columns_below(spec.columns, place)),
    }


def _history(table: TablePlan, spec: ResourceSpec) -> Table:
    columns = _columns(table, spec.columns)
    # a version of a row has no key: dlt's marks of one
    columns[ROW_ID] |= {"unique": False, "row_key": False, "x-row-version": True}
    about = "when this version of the record was first loaded"
    columns[VALID_FROM] |= {"x-valid-from": True, "description": about}
    about = "when another version took its place; null for the present one"
    columns[VALID_TO] |= {"x-valid-to": True, "x-active-record-timestamp": None, "description": about}
    key = RECORD_KEY if RECORD_KEY in table.columns else spec.primary_key[0]
    columns[key] |= {"merge_key": True, "nullable": False}
    strategy = {"write_disposition": "merge", "x-merge-strategy": "scd2"}
    return {"name": table.name, "resource": table.name, **strategy, **_SEEN, "columns": columns}


def _rejected(name: str) -> Table:
    columns: dict[str, Any] = {
        **{
            column: {"name": column, "data_type": kind, "description": text}
            for column, (kind, text) in REJECTED_COLUMNS.items()
        },
        LOAD_ID: dict(_KEYS[LOAD_ID]),
        ROW_ID: {**_KEYS[ROW_ID], "primary_key": True},
    }
    return {"name": name, "resource": name, **_MERGED, **_SEEN, "columns": columns}


def _columns(table: TablePlan, declared: Mapping[str, Column], key: tuple[str, ...] = ()) -> dict[str, dict[str, Any]]:
    columns: dict[str, dict[str, Any]] = {}
    for name, kind in table.columns.items():
        if name in _KEYS:
            columns[name] = dict(_KEYS[name])
            continue
        hint = declared.get(name, _UNDECLARED)
        # a column that is added to rows already there starts as null
        nullable = table.existing.get(name, True) if table.exists else hint.nullable and name not in key
        columns[name] = {**dlt_type(kind), "name": name, "nullable": nullable}
        if hint.description:
            columns[name]["description"] = hint.description
    return columns
