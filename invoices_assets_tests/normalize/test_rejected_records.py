"""Records that cannot be stored as declared: which, why, and that nothing else suffers."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from invoices_assets.normalize.tables import RejectedRecord
from invoices_assets_tests.support.column_helpers import DECIMAL, MONEY, convert, reasons, rows


@pytest.mark.parametrize(
    "record", [{}, {"id": None}, {"id": ""}, {"id": {}}, {"id": []}, {"id": [1]}, {"id": {"a": 1}}]
)
def test_a_record_without_an_id_is_rejected(record: dict[str, Any]) -> None:
    made = convert([{**record, "total": Decimal("1.10")}, {"id": 2}])
    assert rows(made) == [{"id": 2}]
    assert made.rejected == [
        RejectedRecord(
            None,
            json.dumps(record)[:-1] + (", " if record else "") + '"total": 1.10}',
            "no id: `id` is missing or empty",
        )
    ]


def test_each_part_of_a_primary_key_must_be_there() -> None:
    made = convert([{"tenant": "a", "nr": 1}, {"tenant": "a"}], primary_key=("tenant", "nr"))
    assert reasons(made) == ["no id: `nr` is missing or empty"]


@pytest.mark.parametrize("item", ["text", 5, None, [1, 2], True])
def test_what_is_not_an_object_is_rejected(item: Any) -> None:
    made = convert([item, {"id": 1}])
    assert made.rejected == [RejectedRecord(None, json.dumps(item), "not an object")]
    assert rows(made) == [{"id": 1}]


def test_an_unreadable_value_rejects_its_record_with_field_value_and_exact_raw() -> None:
    record = {"id": "a", "issued": "31.12.2025", "total": Decimal("0.10"), "big": Decimal("1E+3")}
    made = convert([record], {"issued": {"data_type": "date"}})
    assert made.tables == {}
    assert made.rejected == [
        RejectedRecord(
            key="a",
            raw='{"id": "a", "issued": "31.12.2025", "total": 0.10, "big": 1E+3}',
            reason='`issued` is not in ISO 8601 (a number of seconds needs `x-format`): "31.12.2025"',
        )
    ]


def test_a_number_that_does_not_fit_is_never_rounded() -> None:
    made = convert([{"id": 1, "rate": Decimal("0.1234567891")}, {"id": 2, "rate": Decimal("0.123456789")}])
    assert rows(made) == [{"id": 2, "rate": Decimal("0.123456789")}]
    assert reasons(made) == ["`rate` has more than 9 digits after the point: 0.1234567891"]


def test_a_rejected_record_is_in_no_table_and_the_others_are_unchanged() -> None:
    good = [{"id": n, "lines": [{"n": 1, "t": [n]}, {"n": 2}]} for n in (1, 3)]
    bad = {"id": 2, "lines": [{"n": 1, "t": [1]}, {"n": Decimal("1E+40")}]}
    made = convert([good[0], bad, good[1]])
    assert reasons(made) == ["`lines.n` has more than 29 digits before the point: 1E+40"]
    assert made.tables == convert(good).tables


def test_a_rejected_record_has_no_part_in_the_types_of_columns() -> None:
    made = convert([{"id": 1, "n": 5}, {"n": "five", "extra": 1}])
    assert made.tables["invoices"].schema.field("n").type == MONEY
    assert "extra" not in made.tables["invoices"].column_names
    assert made.remarks == {}


@pytest.mark.parametrize("record", [{"id": 1}, {"id": 1, "total": None}])
def test_a_column_that_must_have_a_value_rejects_a_record_without(record: dict[str, Any]) -> None:
    made = convert([record, {"id": 2, "total": 1}], {"total": {**DECIMAL, "nullable": False}})
    assert reasons(made) == ["`total` has no value and must have one"]


def test_an_empty_date_in_a_column_that_must_have_one_rejects() -> None:
    made = convert([{"id": 1, "due": "0000-00-00"}], {"due": {"data_type": "date", "nullable": False}})
    assert reasons(made) == ["`due` has no value and must have one"]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"A": 1, "a": 2}, "fields `A` and `a` both map to column `a`"),
        ({"a": {"b": 1}, "a__b": 2}, "fields `a__b` and `a.b` both map to column `a__b`"),
        ({"A": {"b": 1}, "a": {"b": 2}}, "fields `a.b` and `A.b` both map to column `a__b`"),
        ({"a": True, "A": 1}, "fields `a` and `A` both map to column `a`"),
        ({"A": [1], "a": [2]}, "fields `A` and `a` both map to table `invoices__a`"),
        ({"total": 1, "gross": 2}, "fields `total` and `gross` both map to column `total`"),
    ],
)
def test_two_different_values_for_one_place_reject_the_record(record: dict[str, Any], reason: str) -> None:
    made = convert([{"id": 1, **record}, {"id": 2}], {"total": {"x-from": "gross"}})
    assert reasons(made) == [reason]
    assert [row["id"] for row in rows(made)] == [2]


def test_equal_or_absent_values_for_one_place_are_one_value() -> None:
    made = convert([{"id": 1, "A": 5, "a": 5}, {"id": 2, "A": None, "a": 6}, {"id": 3, "A": 7}])
    assert rows(made) == [{"id": 1, "a": 5}, {"id": 2, "a": 6}, {"id": 3, "a": 7}]


@pytest.mark.parametrize("key", ["_dlt_id", "_dlt_load_id", "_DLT_Root_Id", "_dlt_new"])
@pytest.mark.parametrize("where", ["root", "list"])
def test_a_field_named_like_dlts_own_rejects_the_record(key: str, where: str) -> None:
    record = {key: "mine"} if where == "root" else {"lines": [{"n": 1}, {key: "mine"}]}
    made = convert([{"id": 1, **record}, {"id": 2, key: None}])
    path = key if where == "root" else f"lines.{key}"
    assert reasons(made) == [f"field `{path}` has a name that dlt keeps for its own columns"]
    assert rows(made) == [{"id": 2}]


def test_text_that_is_not_unicode_rejects_the_record_and_its_raw_can_be_stored() -> None:
    made = convert([{"id": "a\ud83e", "k\ud83e": {"x": 1}, "n": "ü"}, {"id": "b", "nul": "a\0b"}])
    assert made.rejected == [
        RejectedRecord(
            key="a\\ud83e",
            raw='{"id": "a\\ud83e", "k\\ud83e": {"x": 1}, "n": "\\u00fc"}',
            reason="`id` is not valid Unicode: it has a lone surrogate",
        )
    ]
    assert rows(made) == [{"id": "b", "nul": "a\0b"}]
