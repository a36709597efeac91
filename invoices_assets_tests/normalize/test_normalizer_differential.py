"""The same pages through dlt's own normalizer and `Converter`: same tables, columns, keys and values."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import dlt
import duckdb
import pyarrow as pa
import pytest
from dlt.common.configuration.container import Container
from dlt.common.schema import Schema
from dlt.common.schema.typing import TColumnSchema
from dlt.common.schema.utils import new_table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from invoices_assets.normalize.converter import Converter
from invoices_assets.source.naming import normalized
from invoices_assets.source.values.exact_json import json_text
from invoices_assets.source.values.numbers import plain_text
from invoices_assets_tests.support.column_helpers import declared

Row = dict[str, Any]
Tables = dict[str, dict[str, Row]]
"""Table name -> `_dlt_id` -> the values of the row that are not null."""

PAGES: list[list[Row]] = [
    [
        {
            "id": "inv_1",
            "number": "2025-0001",
            "total": Decimal("119.00"),
            "paid": True,
            "note": None,
            "customer": {
                "id": 7,
                "name": "Müller GmbH",
                "address": {"city": "Köln", "lines": ["A", None, "B"]},
            },
            "line_items": [
                {"id": 1, "amount": Decimal("100.00"), "taxes": [{"rate": 19, "codes": ["S", "X"]}]},
                {"id": 2, "amount": 19, "taxes": []},
            ],
            "tags": ["new", "Übermut", ""],
            "matrix": [[1, 2], [], [3, [4, 5]]],
            "@odata.etag": 'W/"1"',
            "key.with.dots": 1,
            "camelCaseKey": "a",
            "": "empty",
            "1st": "first",
            "price+tax*": 2,
            "trailing_": "t",
            "  spaced  ": "s",
            "naïve/Größe": 5,
        },
        {
            "id": "inv_2",
            "total": Decimal("0.10"),
            "paid": False,
            "customer": {},
            "line_items": [],
            "tags": [None],
        },
    ],
    [
        {
            "id": "inv_3",
            "total": Decimal("-5.5"),
            "customer": None,
            "line_items": None,
            "created_at": "2025-03-04T10:00:00Z",
            "meta": {"a": {"b": {"c": {"d": [{"e": {"f": "deep"}}]}}}},
            "Name": "first",
            "mixed list": [{"x": 1}, 2, [{"x": 3}], None],
            "a__b": {"c": 1},
            "UPPER": {"HTMLPage": [{"URL": "u"}]},
        },
        {"id": "inv_4", "emoji": "🧾 \u2028", "nested": {"empty": {}, "list": [{}]}, "only_null": None},
    ],
]


@pytest.fixture(scope="module")
def loaded_by_dlt(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """PAGES in a DuckDB file, written by a pipeline of dlt alone."""
    folder = tmp_path_factory.mktemp("dlt")
    return load_with_dlt(folder, PAGES, ["id"])


def test_a_pipeline_of_dlt_makes_the_same_tables(loaded_by_dlt: Tables) -> None:
    assert converted(PAGES, ["id"]).keys() == loaded_by_dlt.keys()


def test_a_pipeline_of_dlt_makes_the_same_columns(loaded_by_dlt: Tables) -> None:
    ours = converted(PAGES, ["id"])
    assert columns(ours) == columns(loaded_by_dlt)


def test_a_pipeline_of_dlt_makes_the_same_keys(loaded_by_dlt: Tables) -> None:
    ours = converted(PAGES, ["id"])
    assert keys(ours) == keys(loaded_by_dlt)


def test_a_pipeline_of_dlt_makes_the_same_values(loaded_by_dlt: Tables) -> None:
    assert converted(PAGES, ["id"]) == loaded_by_dlt


def test_keys_of_several_columns_are_hashed_as_dlt_does() -> None:
    records = [
        {"Tenant Id": tenant, "nr": nr, "lines": [{"n": 1}]}
        for tenant in ("a", "ü", "0")
        for nr in (1, -(2**63), Decimal("10.5"))
    ]
    theirs = normalized_by_dlt(records, ["nr", "tenant_id"])
    assert keys(converted([records], ["nr", "Tenant Id"])) == keys(theirs)


KEYS = st.sampled_from(
    [
        "a",
        "b",
        "Key",
        "camelCase",
        "with space",
        "@odata.count",
        "dotted.key",
        "ümlaut",
        "_x",
        "9",
        "tail_",
        "list",
    ]
) | st.text(min_size=1, max_size=6).filter(
    # dlt fails on a list under a blank key, and keeps one of two values where `__` makes two keys the same.
    lambda key: key.strip() and "__" not in key and not normalized(key).startswith("_dlt")
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**28), 10**28)
    | st.decimals(-(10**9), 10**9, places=6)
    | st.text(max_size=8)
)


def objects(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Row]:
    return st.lists(st.tuples(KEYS, values), max_size=4, unique_by=lambda pair: normalized(pair[0])).map(dict)


NESTED = st.recursive(SCALARS, lambda inner: objects(inner) | st.lists(inner, max_size=3), max_leaves=8)
RECORDS = st.lists(objects(NESTED), min_size=1, max_size=5)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(RECORDS)
def test_random_nested_records_become_the_rows_of_dlts_normalizer(objects: list[Row]) -> None:
    for number, record in enumerate(objects):
        for key in [key for key in record if normalized(key) == "id"]:
            del record[key]
        record["id"] = number
    assert_same_rows(objects)


@pytest.mark.parametrize("depth", [100, 450])
def test_deep_objects_and_lists_become_the_rows_of_dlts_normalizer(depth: int) -> None:
    inside: Any = "bottom"
    for _ in range(depth):
        inside = {"o": inside}
    within: Any = [1]
    for _ in range(depth):
        within = [within]
    assert_same_rows([{"id": 1, "objects": inside, "lists": within}])


def assert_same_rows(records: list[Row]) -> None:
    ours, theirs = converted([records], ["id"]), normalized_by_dlt(records)
    assert ours.keys() == theirs.keys()
    for name, rows in theirs.items():
        assert ours[name].keys() == rows.keys()
        for key, row in rows.items():
            mine = ours[name][key]
            assert mine.keys() == row.keys()
            for column, value in row.items():
                assert same(mine[column], value), (name, column, mine[column], value)


def same(mine: Any, value: Any) -> bool:
    """Equal, or the text of it where a column holds several kinds."""
    if isinstance(value, Decimal) and isinstance(mine, str):
        return mine == plain_text(value)
    return mine == value or (isinstance(mine, str) and not isinstance(value, str) and mine == json_text(value))


def normalized_by_dlt(records: Iterable[Row], primary_key: Sequence[str] = ("id",)) -> Tables:
    key: list[TColumnSchema] = [{"name": name, "primary_key": True, "nullable": False} for name in primary_key]
    table = new_table("invoices", write_disposition="merge", columns=key)
    cast(Row, table)["x-merge-strategy"] = "upsert"
    tables: Tables = {}
    # Which kind of id a root row gets, and whether children know it, depends on what the destination can do.
    with Container().injectable_context(dlt.destinations.duckdb().capabilities()):
        schema = Schema("api")
        schema.update_table(table)
        schema = Schema.from_dict(cast(Row, schema.to_dict()))  # settled, as a pipeline reads it
        for record in records:
            for (name, *_), row in schema.normalize_data_item(record, "load", "invoices"):
                tables.setdefault(name, {}).update(by_id([row]))
    return tables


def load_with_dlt(folder: Path, pages: list[list[Row]], primary_key: list[str]) -> Tables:
    @dlt.source
    def api() -> Any:
        return dlt.resource(
            iter(pages),
            name="invoices",
            primary_key=primary_key,
            write_disposition={"disposition": "merge", "strategy": "upsert"},
        )

    source = api()
    source.schema.remove_type_detection("iso_timestamp")  # undeclared text stays text here
    database = folder / "invoices.duckdb"
    pipeline = dlt.pipeline(
        pipeline_name="differential",
        pipelines_dir=os.fspath(folder / "work"),
        destination=dlt.destinations.duckdb(os.fspath(database)),
        dataset_name="invoicing",
    )
    pipeline.run(source)
    tables: Tables = {}
    with duckdb.connect(os.fspath(database), read_only=True) as connection:
        names = connection.execute(
            "select table_name from information_schema.tables where table_schema = 'invoicing'"
        ).fetchall()
        for (name,) in names:
            if not name.startswith("_dlt"):
                rows = connection.sql(f'select * from invoicing."{name}"').to_arrow_table().to_pylist()
                tables[name] = by_id(rows)
    return tables


def converted(pages: list[list[Row]], primary_key: list[str]) -> Tables:
    converter = Converter(declared({}, primary_key))
    parts: dict[str, list[pa.Table]] = {}
    for page in pages:
        result = converter.convert(page)
        assert result.rejected == []
        for name, table in result.tables.items():
            parts.setdefault(name, []).append(table)
    return {
        name: by_id(pa.concat_tables(tables, promote_options="permissive").to_pylist())
        for name, tables in parts.items()
    }


def by_id(rows: Iterable[Mapping[str, Any]]) -> dict[str, Row]:
    return {
        row["_dlt_id"]: {
            column: value for column, value in row.items() if value is not None and column != "_dlt_load_id"
        }
        for row in rows
    }


def columns(tables: Tables) -> dict[str, set[str]]:
    return {name: set().union(*rows.values()) for name, rows in tables.items()}


def keys(tables: Tables) -> dict[str, set[tuple[Any, ...]]]:
    names = ("_dlt_id", "_dlt_parent_id", "_dlt_root_id", "_dlt_list_idx")
    return {name: {tuple(row.get(key) for key in names) for row in rows.values()} for name, rows in tables.items()}
