"""Columns that are looked up: picked from a list by a JSONPath, or the first of several fields that is not null."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from invoices_assets.errors import SourceError
from invoices_assets_tests.normalize.test_arrow_reader import Lane, page
from invoices_assets_tests.support.column_helpers import convert, declared, reasons, rows

VAT = {"vat": {"data_type": "text", "x-from": "fields[?(@.name=='VAT')].value"}}
CHANGED = {"changed": {"data_type": "timestamp", "x-from": ["date_updated", "date_created"]}}
FIRST, SECOND = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)


def field(name: str, value: Any) -> dict[str, Any]:
    return {"name": name, "value": value}


def record(id: str, *fields: Any, **more: Any) -> dict[str, Any]:
    return {"id": id, "fields": list(fields), **more}


def test_a_filter_picks_an_item_of_a_list_by_its_name_and_the_list_stays() -> None:
    made = convert([record("1", field("A", "x"), field("VAT", "DE1")), record("2", field("VAT", "DE2"))], VAT)
    assert [row["vat"] for row in rows(made)] == ["DE1", "DE2"]
    assert [row["value"] for row in rows(made, "invoices__fields")] == ["x", "DE1", "DE2"]


@pytest.mark.parametrize(
    "found",
    [record("1", field("A", "x")), record("1"), {"id": "1"}, {"id": "1", "fields": None}, {"id": "1", "fields": "x"}],
)
def test_no_match_is_null(found: dict[str, Any]) -> None:
    made = convert([found, record("2", field("VAT", "DE2"))], VAT)
    assert [row["vat"] for row in rows(made)] == [None, "DE2"]


def test_several_matches_are_no_guess() -> None:
    made = convert([record("1", field("VAT", "a"), field("VAT", "b")), record("2", field("VAT", "c"))], VAT)
    assert [row["vat"] for row in rows(made)] == ["c"]
    assert reasons(made) == ["`fields[?(@.name=='VAT')].value` finds 2 values, and which one is meant is not said"]
    assert '"b"' in made.rejected[0].raw


def test_no_match_of_what_must_be_there_is_a_rejection() -> None:
    made = convert([record("1")], {"vat": {**VAT["vat"], "nullable": False}})
    assert "has no value and must have one" in reasons(made)[0] or "vat" in reasons(made)[0]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("fields[0].value", 7),
        ("fields[?(@.name==2)].value", 8),
        ("$.fields[?(@.name==2)].value", 8),
        ("fields[?(@.value>7)].value", 8),
        ("amount[eur]", 9),
        ("nested.fields[?(@.on==true)].value", 10),
    ],
)
def test_other_paths_pick_as_well(path: str, value: int) -> None:
    nested = {"fields": [{"on": False, "value": 1}, {"on": True, "value": 10}]}
    found = record("1", field(1, 7), field(2, 8), **{"amount[eur]": 9}, nested=nested)
    assert rows(convert([found], {"n": {"data_type": "bigint", "x-from": path}}))[0]["n"] == value


def test_the_first_field_that_is_not_null_counts_and_the_others_stay() -> None:
    made = convert(
        [
            {"id": "1", "date_updated": "2026-01-02", "date_created": "2026-01-01"},
            {"id": "2", "date_updated": None, "date_created": "2026-01-01"},
            {"id": "3", "date_updated": "", "date_created": "2026-01-01"},
            {"id": "4", "date_created": "2026-01-01"},
            {"id": "5"},
        ],
        CHANGED,
    )
    assert [row["changed"] for row in rows(made)] == [SECOND, FIRST, FIRST, FIRST, None]
    assert [row["date_created"] for row in rows(made)] == ["2026-01-01"] * 4 + [None]
    assert "date_updated" not in rows(made)[0]


def test_a_field_within_an_object_falls_back_too() -> None:
    columns = {"changed": {"data_type": "timestamp", "x-from": ["meta.changed", "meta.created"]}}
    meta = {"changed": "", "created": "2026-01-01", "by": "me"}
    made = convert([{"id": "1", "meta": meta}, {"id": "2", "meta": None}, {"id": "3", "meta": "x"}], columns)
    assert rows(made)[0] == {"id": "1", "changed": FIRST, "meta__created": "2026-01-01", "meta__by": "me", "meta": None}
    assert [row["changed"] for row in rows(made)] == [FIRST, None, None]


def test_a_list_of_the_columns_own_name_and_another_one() -> None:
    columns = {"number": {"data_type": "text", "x-from": ["number", "fields[?(@.name=='no')].value"]}}
    made = convert([record("1", number="a"), record("2", field("no", "b"), number=None)], columns)
    assert [row["number"] for row in rows(made)] == ["a", "b"]


def test_pages_give_what_records_give() -> None:
    lane = Lane(VAT | CHANGED)
    for start in range(0, 30, 10):
        bodies = [
            f'{{"id": "{n}", "date_updated": null, "date_created": "2026-01-01", "fields": '
            f'[{{"name": "VAT", "value": "DE{n}"}}]}}'
            for n in range(start, start + 10)
        ]
        made = lane.convert(page(*bodies))
        assert [row["vat"] for row in rows(made)] == [f"DE{n}" for n in range(start, start + 10)]
        assert {row["changed"] for row in rows(made)} == {FIRST}


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"id": {"data_type": "text", "x-from": ["a", "b"]}}, "`id` is of the primary key"),
        ({"id": {"data_type": "text", "x-from": "a[0].b"}}, "`id` is of the primary key"),
        ({"lines__vat": {"data_type": "text", "x-from": ["a", "b"]}}, "give it a name without `__`"),
        ({"a": {"x-from": ["x", "y"]}, "b": {"x-from": "x"}}, "both have `x-from` `x`"),
    ],
)
def test_a_lookup_that_cannot_be_done_is_refused(columns: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SourceError, match=sentence):
        declared(columns)
