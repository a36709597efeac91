"""The key of a record: one text for one record, in the sweep, in the tables, and among the rejected ones."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from invoices_assets.normalize.converter import Converter
from invoices_assets.source.record_key import keys_of, parts_of, written
from invoices_assets_tests.support.column_helpers import declared

TEXT = {"id": {"data_type": "text"}}


def key(record: Any, columns: Any = None, primary_key: Any = ("id",)) -> str | None:
    (found,) = keys_of(declared(columns, primary_key))([record])
    return written(found)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"id": "a"}, "a"),
        ({"id": 5}, "5"),
        ({"Id": 5}, "5"),
        ({"id": 0}, "0"),
        ({"id": Decimal("1.0")}, "1"),
        ({"id": Decimal("1.50")}, "1.5"),
        ({"id": Decimal("1E+2")}, "100"),
        ({"id": Decimal("0E+999999999")}, "0"),
        ({"id": Decimal("-0.0")}, "0"),
        ({"id": Decimal("1E+999999999")}, "1E+999999999"),
        ({"id": "1.0"}, "1.0"),
        ({"id": True}, "true"),
        ({"id": "\ud83e"}, "\ud83e"),
        ({}, None),
        ({"id": None}, None),
        ({"id": ""}, None),
        ({"id": {"x": 1}}, None),
        ({"id": [1]}, None),
        ("id", None),
        (None, None),
        ([], None),
    ],
)
def test_the_key_of_a_record_is_the_text_of_its_id(record: Any, expected: str | None) -> None:
    assert key(record) == expected


@pytest.mark.parametrize("value", [7, "7", "07", " 7", "7.0", Decimal("7.0"), "7e0"])
def test_in_a_column_of_numbers_one_number_is_one_key(value: Any) -> None:
    assert key({"id": value}, {"id": {"data_type": "bigint"}}) == "7"


@pytest.mark.parametrize("value", ["1_0", "x", "\u0661"])
def test_a_text_that_is_no_number_is_a_key_of_its_own(value: str) -> None:
    assert key({"id": value}, {"id": {"data_type": "bigint"}}) == value


@pytest.mark.parametrize(
    ("record", "primary_key", "columns", "expected"),
    [
        ({"Invoice.Id": "A", "invoice": {"id": "B"}}, "invoice.id", None, "A"),
        ({"invoiceId": "A"}, "invoice_id", None, "A"),
        ({"customer": {"Id": "C"}}, "customer__id", None, "C"),
        ({"uuid": "U"}, "id", {"id": {"x-from": "uuid"}}, "U"),
        ({"meta": {"id": "M"}}, "id", {"id": {"x-from": "meta.id"}}, "M"),
        ({"meta.id": "L", "meta": {"id": "L"}}, "id", {"id": {"x-from": "meta.id"}}, "L"),
        ({"Invoice.Id": "A", "invoice": {"id": "B"}}, "id", {"id": {"x-from": "invoice.id"}}, "B"),
        ({"Id": "N", "ID": None}, "id", {"number": {"x-from": "ID"}}, "N"),
        ({"Id": "N", "uuid": "U"}, "id", {"number": {"x-from": "Id"}, "id": {"x-from": "uuid"}}, "U"),
    ],
)
def test_the_key_is_the_value_that_its_column_stores(
    record: Any, primary_key: str, columns: Any, expected: str
) -> None:
    spec = declared(columns, primary_key)
    assert keys_of(spec)([record]) == [expected]
    (row,) = Converter(spec).convert([record]).tables["invoices"].to_pylist()
    assert row[spec.primary_key[0]] == expected


def test_a_key_is_found_in_each_record_whatever_the_spelling_of_the_others() -> None:
    records = [{"id": 1}, {"ID": 2}, {"Id": 3}, {"id": 4}, {"name": 5}]
    assert keys_of(declared())(records) == ["1", "2", "3", "4", None]


def test_a_key_of_several_columns_needs_each_of_them() -> None:
    assert key({"t": "a", "nr": Decimal("1.50")}, None, ("t", "nr")) == '["a", "1.5"]'
    assert key({"t": "a"}, None, ("t", "nr")) is None


def test_ids_that_look_alike_in_two_columns_are_different_keys() -> None:
    assert key({"a": "1", "b": "2,3"}, None, ("a", "b")) != key({"a": "1,2", "b": "3"}, None, ("a", "b"))


@pytest.mark.parametrize("written", ['["a", "1.5"]', '["a", 1.50]'])
def test_a_key_is_taken_apart_again_also_one_with_numbers_from_an_earlier_version(written: str) -> None:
    assert parts_of(written, 2) == ["a", "1.5"]


@pytest.mark.parametrize("columns", [TEXT, {"id": {"data_type": "bigint"}}, None])
def test_one_id_in_several_notations_is_one_row_id_and_one_stored_value(columns: Any) -> None:
    notations = [1, Decimal("1.0"), *([] if columns is None else ["1"])]
    rows = [Converter(declared(columns)).convert([{"id": id}]).tables["invoices"].to_pylist()[0] for id in notations]
    assert len({str(row["id"]) for row in rows}) == 1
    assert len({row["_dlt_id"] for row in rows}) == 1


def test_mixed_notations_of_one_batch_are_one_row_id() -> None:
    table = Converter(declared(TEXT)).convert([{"id": 1}, {"id": "1"}, {"id": Decimal("1.0")}]).tables["invoices"]
    assert table["id"].to_pylist() == ["1", "1", "1"]
    assert len(set(table["_dlt_id"].to_pylist())) == 1
