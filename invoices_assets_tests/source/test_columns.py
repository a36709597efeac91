"""The `columns` of a source: what is accepted, and the sentence with which the rest is refused."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from invoices_assets.source.columns.declaration import parse_columns


def parsed(**hints: Any) -> Any:
    return parse_columns(
        {"total": {key.replace("_", "-", 1) if key[:2] == "x_" else key: value for key, value in hints.items()}}
    )["total"]


@pytest.mark.parametrize(
    ("hints", "arrow"),
    [
        ({"data_type": "decimal"}, pa.decimal128(38, 9)),
        ({"data_type": "decimal", "precision": 18, "scale": 4}, pa.decimal128(18, 4)),
        ({"data_type": "decimal", "scale": 2}, pa.decimal128(38, 2)),
        ({"data_type": "wei"}, pa.decimal128(38, 0)),
        ({"data_type": "bigint"}, pa.int64()),
        ({"data_type": "bigint", "precision": 32}, pa.int32()),
        ({"data_type": "double"}, pa.float64()),
        ({"data_type": "text"}, pa.string()),
        ({"data_type": "json"}, pa.string()),
        ({"data_type": "bool"}, pa.bool_()),
        ({"data_type": "binary"}, pa.binary()),
        ({"data_type": "date"}, pa.date32()),
        ({"data_type": "time"}, pa.time64("us")),
        ({"data_type": "timestamp"}, pa.timestamp("us", "UTC")),
        ({"data_type": "timestamp", "timezone": False}, pa.timestamp("us")),
        ({"data_type": "timestamp", "precision": 3, "timezone": False}, pa.timestamp("ms")),
    ],
)
def test_each_data_type_has_the_arrow_type_that_dlt_gives_it(hints: dict[str, Any], arrow: pa.DataType) -> None:
    assert parsed(**hints).arrow_type == arrow


@pytest.mark.parametrize(
    ("hints", "sentence"),
    [
        ({"data_type": "money"}, "Column `total` has the unknown `data_type` 'money'"),
        ({"x_form": "total_ttc"}, "Column `total` has the unknown hint `x-form`"),
        ({"data_type": "decimal", "precision": 39}, "Column `total` has `precision` 39"),
        ({"data_type": "decimal", "precision": 0}, "Column `total` has `precision` 0"),
        (
            {"data_type": "decimal", "precision": 5, "scale": 6},
            "Column `total` has `scale` 6, which is more than",
        ),
        ({"data_type": "decimal", "scale": "2"}, "Column `total` has `scale` '2'; it must be a whole number"),
        ({"data_type": "decimal", "scale": True}, "Column `total` has `scale` True"),
        ({"data_type": "timestamp", "precision": 9}, "Column `total` has `precision` 9; stamps are kept to"),
        (
            {"data_type": "decimal", "x_scale": "-2"},
            "Column `total` has `x-scale` '-2'; it must be a whole number",
        ),
        ({"data_type": "decimal", "x_scale": 1.5}, "Column `total` has `x-scale` 1.5"),
        (
            {"data_type": "text", "x_scale": -2},
            "Column `total` has `x-scale`, which needs one of the data types",
        ),
        ({"x_scale": -2}, "Column `total` has `x-scale`, which needs one of the data types"),
        ({"data_type": "date", "x_format": "%q"}, "Column `total` has `x-format` '%q'"),
        ({"data_type": "date", "x_format": "%d-%m"}, "Column `total` has `x-format` '%d-%m'"),
        ({"data_type": "date", "x_format": "dd-mm-yyyy"}, "Column `total` has `x-format` 'dd-mm-yyyy'"),
        (
            {"data_type": "timestamp", "x_format": "%Y-%m-%d %Z"},
            "Column `total` has `x-format` '%Y-%m-%d %Z'; `%Z` reads",
        ),
        (
            {"data_type": "text", "x_format": "epoch_s"},
            "Column `total` has `x-format`, which needs the data type",
        ),
        (
            {"data_type": "timestamp", "x_timezone": "Mars/Base"},
            "Column `total` has the unknown `x-timezone`",
        ),
        ({"data_type": "timestamp", "x_timezone": "Europe"}, "Column `total` has the unknown `x-timezone`"),
        ({"data_type": "timestamp", "x_timezone": 2}, "Column `total` has the unknown `x-timezone`"),
        (
            {"data_type": "text", "x_timezone": "UTC"},
            "Column `total` has `x-timezone`, which needs the data type",
        ),
        ({"x_from": ""}, "Column `total` has `x-from` ''; it must be the name of a field"),
        ({"x_from": ["a", 7]}, "Column `total` has `x-from`"),
        ({"x_from": []}, "Column `total` has `x-from` (); it must be the name of a field"),
        ({"x_from": ["a", ""]}, "Column `total` has `x-from`"),
        ({"x_from": "f[?(@.name=='a'].v"}, "Column `total` has `x-from` \"f[?(@.name=='a'].v\"; it must be"),
        ({"nullable": "no"}, "Column `total` has `nullable` 'no'; it must be true or false"),
    ],
)
def test_a_hint_that_cannot_be_followed_is_refused_by_name(hints: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=r"^Column `total` has ") as refused:
        parsed(**hints)
    assert str(refused.value).startswith(sentence)


def test_hints_of_dlt_that_say_nothing_about_values_are_left_alone() -> None:
    hints = {
        "primary_key": True,
        "unique": True,
        "merge_key": True,
        "x-annotation-pii": True,
        "x-normalizer": {},
    }
    assert parse_columns({"id": {"data_type": "text", **hints}})["id"].kind == "text"


def test_columns_may_be_a_list_of_hints_with_names() -> None:
    columns = parse_columns([{"name": "id", "data_type": "text"}, {"name": "Issue Date", "data_type": "date"}])
    assert {name: column.kind for name, column in columns.items()} == {"id": "text", "issue_date": "date"}


@pytest.mark.parametrize("columns", [[{"data_type": "text"}], ["id"], {"id": "text"}])
def test_columns_of_another_shape_are_refused(columns: Any) -> None:
    with pytest.raises(ValueError, match=r"must (be an object with a `name`|have an object of hints)"):
        parse_columns(columns)


@pytest.mark.parametrize("columns", [{"Total": {}, "total": {}}, {"a.b": {}, "a_b": {}}])
def test_two_names_of_one_column_are_refused(columns: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="is declared twice"):
        parse_columns(columns)


def test_two_columns_from_one_field_are_refused() -> None:
    with pytest.raises(ValueError, match="Columns `net` and `gross` both have `x-from` `total`"):
        parse_columns({"net": {"x-from": "total"}, "gross": {"x-from": "total"}})


def test_a_column_named_like_one_of_dlts_own_is_refused() -> None:
    with pytest.raises(ValueError, match="Column `_dlt_id` has a name that dlt keeps for itself"):
        parse_columns({"_dlt_id": {"data_type": "text"}})
