"""What tests of conversion share: values stored in a declared column, and records in tables."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from invoices_assets.normalize.converter import Converter
from invoices_assets.normalize.scalars import to_arrow
from invoices_assets.normalize.tables import NormalizedBatch
from invoices_assets.source.columns.column import Column
from invoices_assets.source.columns.declaration import parse_columns
from invoices_assets.source.resource import ResourceSpec, resource_spec

DECIMAL = {"data_type": "decimal", "precision": 38, "scale": 9}
MONEY = pa.decimal128(38, 9)


def declared(columns: Any = None, primary_key: Any = ("id",), name: str = "invoices", **more: Any) -> ResourceSpec:
    """A resource with these columns as the YAML would declare them, on a single page of `/<name>`."""
    resource = {
        "primary_key": primary_key,
        "write_disposition": "merge",
        "columns": columns,
        "endpoint": {"path": f"/{name}", "paginator": "single_page"},
    }
    return resource_spec(name, {}, resource | more, [])


def column(data_type: str, **hints: Any) -> Column:
    spelled = {key.replace("x_", "x-"): value for key, value in hints.items()}
    return parse_columns({"c": {"data_type": data_type, **spelled}})["c"]


def stored(as_declared: Column, *values: Any) -> list[Any]:
    array, unreadable = to_arrow(as_declared, values, set(map(type, values)))
    assert unreadable == {}
    assert array.type == as_declared.arrow_type
    return array.to_pylist()


def refusal(as_declared: Column, value: Any) -> str:
    array, unreadable = to_arrow(as_declared, [value], {type(value)})
    assert array.to_pylist() == [None]
    return unreadable[0]


def convert(records: list[Any], columns: Any = None, primary_key: tuple[str, ...] = ("id",)) -> NormalizedBatch:
    return Converter(declared(columns, primary_key)).convert(records)


def rows(converted: NormalizedBatch, table: str = "invoices") -> list[dict[str, Any]]:
    """The rows without dlt's own columns."""
    made = converted.tables[table].to_pylist()
    return [{name: value for name, value in row.items() if not name.startswith("_dlt")} for row in made]


def reasons(converted: NormalizedBatch) -> list[str]:
    return [rejected.reason for rejected in converted.rejected]
