"""Records to tables: mapping of fields, stable types, keys, and remarks."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from invoices_assets.normalize.converter import Converter
from invoices_assets.normalize.tables import NormalizedBatch
from invoices_assets_tests.support.column_helpers import DECIMAL, MONEY, convert, declared, rows


def test_no_records_make_no_tables() -> None:
    assert convert([], {"id": {"data_type": "text"}}) == NormalizedBatch()


def test_undeclared_fields_get_types_that_no_later_value_contradicts() -> None:
    table = convert([{"id": "a", "count": 1, "text": "2025-03-04", "flag": True, "nothing": None}]).tables["invoices"]
    assert {field.name: field.type for field in table.schema} == {
        "id": pa.string(),
        "count": MONEY,
        "text": pa.string(),
        "flag": pa.bool_(),
        "_dlt_id": pa.string(),
    }


def test_declared_columns_are_there_with_their_type_even_if_all_null() -> None:
    columns = {"id": {"data_type": "text"}, "due": {"data_type": "date"}, "total": DECIMAL}
    schema = convert([{"id": "a"}, {"id": "b", "due": None}], columns).tables["invoices"].schema
    assert [(field.name, field.type) for field in schema] == [
        ("id", pa.string()),
        ("due", pa.date32()),
        ("total", MONEY),
        ("_dlt_id", pa.string()),
    ]


def test_whole_numbers_and_fractions_share_a_column_whatever_their_order() -> None:
    made = convert([{"id": 1, "paid": 10}, {"id": 2, "paid": Decimal("10.5")}, {"id": 3, "paid": Decimal("1E+3")}])
    assert [row["paid"] for row in rows(made)] == [10, Decimal("10.5"), 1000]
    assert not made.remarks


def test_a_nested_hint_applies_to_the_flattened_field() -> None:
    made = convert(
        [{"id": 1, "customer": {"since": "2025-03-04", "credit": 5}}],
        {"customer__since": {"data_type": "date"}, "Customer__Credit": {"data_type": "bigint"}},
    )
    schema = made.tables["invoices"].schema
    assert (schema.field("customer__since").type, schema.field("customer__credit").type) == (
        pa.date32(),
        pa.int64(),
    )


def test_a_hint_with_the_path_of_a_child_table_applies_to_its_column() -> None:
    columns = {
        "line_items__amount": DECIMAL,
        "line_items__taxes__rate": DECIMAL,
        "line_items__sku": {"data_type": "text"},
    }
    made = convert([{"id": 1, "line_items": [{"amount": "12.50", "taxes": [{"rate": "0.19"}]}]}], columns)
    assert rows(made, "invoices__line_items") == [{"amount": Decimal("12.5"), "sku": None}]
    assert rows(made, "invoices__line_items__taxes") == [{"rate": Decimal("0.19")}]
    assert rows(made) == [{"id": 1}]


def test_a_declared_nested_column_is_there_as_soon_as_its_object_was_met() -> None:
    converter = Converter(declared({"customer__name": {"data_type": "text"}}))
    names = [
        "customer__name" in converter.convert([record]).tables["invoices"].column_names
        for record in ({"id": 1}, {"id": 2, "customer": {"id": 5}}, {"id": 3})
    ]
    assert names == [False, True, True]


@pytest.mark.parametrize(
    ("source", "record"),
    [
        ("total_ttc", {"total_ttc": "119.00"}),
        ("Total TTC", {"Total TTC": "119.00"}),
        ("total.amount", {"total.amount": "119.00"}),
        ("total.amount", {"total": {"amount": "119.00"}}),
        ("sums.gross.value", {"sums": {"gross": {"value": 119}}}),
    ],
)
def test_a_field_moves_to_its_neutral_name(source: str, record: dict[str, Any]) -> None:
    made = convert([{"id": 1, **record}], {"total": {**DECIMAL, "x-from": source}})
    assert rows(made) == [{"id": 1, "total": 119}]


def test_what_is_left_of_an_object_arrives_under_its_own_name() -> None:
    made = convert(
        [{"id": 1, "total": {"amount": 119, "code": "EUR"}}], {"total": {**DECIMAL, "x-from": "total.amount"}}
    )
    assert rows(made) == [{"id": 1, "total": 119, "total__code": "EUR"}]


def test_two_fields_can_swap_names() -> None:
    columns = {"total": {"x-from": "total_ttc"}, "total_net": {"x-from": "total"}}
    assert rows(convert([{"id": 1, "total": 100, "total_ttc": 119}], columns)) == [
        {"id": 1, "total": 119, "total_net": 100}
    ]


def test_a_whole_list_can_move_to_a_neutral_table() -> None:
    columns = {"line_items": {"x-from": "lines"}, "line_items__amount": {**DECIMAL, "x-from": "lines.price"}}
    made = convert([{"id": 1, "lines": [{"price": "2.50", "text": "a"}]}], columns)
    assert rows(made, "invoices__line_items") == [{"amount": Decimal("2.5"), "text": "a"}]
    assert list(made.tables) == ["invoices", "invoices__line_items"]


def test_a_field_of_a_list_cannot_move_out_of_it_and_that_is_told() -> None:
    made = convert([{"id": 1, "lines": [{"price": 2}, {"price": 3}]}], {"total": {**DECIMAL, "x-from": "lines.price"}})
    assert rows(made) == [{"id": 1, "total": None}]
    assert rows(made, "invoices__lines") == [{"price": 2}, {"price": 3}]
    assert made.remarks == {"field `lines.price` is in a list and cannot move out of it to column `total`": 2}


def test_the_primary_key_may_come_from_the_vendors_field() -> None:
    made = convert([{"@id": "a", "x": 1}], {"id": {"data_type": "text", "x-from": "@id"}})
    again = convert([{"id": "a", "x": 2}])
    assert made.tables["invoices"]["_dlt_id"] == again.tables["invoices"]["_dlt_id"]


def test_a_text_that_turns_into_an_object_or_a_list_loses_nothing_and_is_told() -> None:
    made = convert([{"id": 1, "note": "hi"}, {"id": 2, "note": {"text": "ho"}}, {"id": 3, "note": ["a", "b"]}])
    assert rows(made) == [
        {"id": 1, "note": "hi", "note__text": None},
        {"id": 2, "note": None, "note__text": "ho"},
        {"id": 3, "note": None, "note__text": None},
    ]
    assert rows(made, "invoices__note") == [{"value": "a"}, {"value": "b"}]
    assert made.remarks == {
        "field `note` came as text and as an object": 1,
        "field `note` came as text and as a list": 1,
    }


def test_a_field_that_turns_into_an_object_in_a_later_batch_is_told_too() -> None:
    converter = Converter(declared())
    assert converter.convert([{"id": 1, "note": "hi"}]).remarks == {}
    assert converter.convert([{"id": 2, "note": {"text": "ho"}}]).remarks == {
        "field `note` came as text and as an object": 1
    }


def test_an_object_in_a_declared_column_is_flattened_and_told() -> None:
    made = convert([{"id": 1, "total": {"amount": 5}}], {"total": DECIMAL})
    assert rows(made) == [{"id": 1, "total": None, "total__amount": 5}]
    assert made.remarks == {"field `total` is declared as decimal and came as an object": 1}


def test_mixed_kinds_of_values_become_text_and_are_told() -> None:
    made = convert([{"id": 1, "v": "text"}, {"id": 2, "v": Decimal("1.50")}, {"id": 3, "v": False}, {"id": 4}])
    assert [row["v"] for row in rows(made)] == ["text", "1.5", "false", None]
    assert made.remarks == {
        "field `v` came as text and as a number": 1,
        "field `v` came as text and as true or false": 1,
    }


def test_ids_that_are_numbers_and_texts_become_text() -> None:
    made = convert([{"id": 1}, {"id": "b"}])
    assert [row["id"] for row in rows(made)] == ["1", "b"]


def test_a_column_that_became_text_stays_text() -> None:
    converter = Converter(declared())
    converter.convert([{"id": 1, "v": "text"}])
    assert rows(converter.convert([{"id": 2, "v": Decimal("1.50")}])) == [{"id": 2, "v": "1.5"}]
    assert rows(converter.convert([{"id": 3, "v": 2}])) == [{"id": 3, "v": "2"}]


def test_an_object_declared_as_json_stays_whole() -> None:
    made = convert(
        [
            {"id": 1, "meta": {"a": [Decimal("1.10")]}},
            {"id": 2, "meta": None},
            {"id": 3, "lines": [{"meta": [1]}]},
        ],
        {"meta": {"data_type": "json"}, "lines__meta": {"data_type": "json"}},
    )
    assert [row["meta"] for row in rows(made)] == ['{"a": [1.10]}', None, None]
    assert rows(made, "invoices__lines") == [{"meta": "[1]"}]


def test_rows_of_one_child_table_may_come_from_two_places() -> None:
    made = convert([{"id": 1, "a": [{"b__c": [1]}], "a__b": [{"c": [2]}]}])
    assert sorted(row["value"] for row in rows(made, "invoices__a__b__c")) == [1, 2]
    ids = made.tables["invoices__a__b__c"]["_dlt_id"].to_pylist()
    assert len(set(ids)) == 2


def test_children_point_to_their_parent_their_root_and_their_place() -> None:
    made = convert([{"id": 1, "lines": [{"taxes": [{"n": 1}]}, {"taxes": [{"n": 2}, {"n": 3}]}]}, {"id": 2}])
    root = made.tables["invoices"]["_dlt_id"].to_pylist()[0]
    lines = made.tables["invoices__lines"]["_dlt_id"].to_pylist()
    taxes = made.tables["invoices__lines__taxes"]
    assert taxes["_dlt_root_id"].to_pylist() == [root] * 3
    assert taxes["_dlt_parent_id"].to_pylist() == [lines[0], lines[1], lines[1]]
    assert taxes["_dlt_list_idx"].to_pylist() == [0, 0, 1]


def test_an_id_of_more_than_64_bits_is_still_an_id() -> None:
    made = convert([{"id": 10**20}, {"id": 10**20 + 1}])
    assert len(set(made.tables["invoices"]["_dlt_id"].to_pylist())) == 2


def test_a_float_is_an_error_of_the_caller() -> None:
    with pytest.raises(TypeError, match=r"Field `total` holds .*float"):
        convert([{"id": 1, "total": 0.5}])


@pytest.mark.parametrize(
    "wrap", [lambda inside: {"o": inside}, lambda inside: [inside], lambda inside: [{"o": inside}]]
)
def test_a_record_of_400_levels_is_stored(wrap: Any) -> None:
    inside: Any = {"bottom": 1}
    for _ in range(200 if isinstance(wrap({}), list) else 400):
        inside = wrap(inside)
    made = convert([{"id": 1, "deep": inside}, {"deep": inside}])
    assert any(name.endswith("bottom") for table in made.tables.values() for name in table.column_names)
    assert len(made.rejected) == 1


def test_a_record_of_2000_fields_is_stored() -> None:
    made = convert([{"id": 1, **{f"f{n}": n for n in range(2000)}}, {"id": 2}])
    assert made.tables["invoices"].num_columns == 2002
