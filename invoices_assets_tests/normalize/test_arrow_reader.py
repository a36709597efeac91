"""Pages read by pyarrow become exactly the tables that a look at each value gives, or are handed back."""

from __future__ import annotations

import json
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from invoices_assets.extract.page import read_page
from invoices_assets.normalize.arrow_reader import PATIENCE, are_plain, are_same
from invoices_assets.normalize.converter import Converter
from invoices_assets.normalize.tables import NormalizedBatch
from invoices_assets_tests.support.column_helpers import DECIMAL, declared, rows

CENTS = {"data_type": "decimal", "precision": 38, "scale": 9, "x-scale": -2, "x-from": "gross"}
DECLARED: dict[str, Any] = {
    "id": {"data_type": "text", "nullable": False},
    "total": DECIMAL,
    "tax": {"data_type": "decimal", "precision": 6, "scale": 2},
    "paid": {"data_type": "bool"},
    "count": {"data_type": "bigint"},
    "issue_date": {"data_type": "date", "x-format": "%d-%m-%Y"},
    "due_date": {"data_type": "date"},
    "updated_at": {"data_type": "timestamp", "x-timezone": "Europe/Berlin"},
    "sent_at": {"data_type": "timestamp", "x-format": "epoch_s"},
    "line_items__amount": DECIMAL,
    "charged": CENTS,
}
PLAIN = """{"id": "%d", "total": 10.5, "tax": 1, "paid": true, "count": 3, "issue_date": "31-12-2026",
    "due_date": "2026-12-31", "updated_at": "2026-07-01T12:00:00", "sent_at": 1700000000, "gross": 1999,
    "note": "Jos\\u00e9 \\ud83d\\ude00", "rate": 0.25, "customer": {"name": "x", "address": {"city": null}},
    "line_items": [{"amount": 1, "tags": ["a", null]}, {"amount": 2.5, "sku": "s", "tags": []}], "gone": null}"""


class Lane:
    """A converter, and whether its last batch went without a look at single values."""

    def __init__(self, columns: Any = DECLARED, selector: str | None = "data") -> None:
        self._converter = Converter(declared(columns))
        self._single = Converter(declared(columns))
        self._selector = selector
        self.was_quick = False

    def convert(self, *bodies: str) -> NormalizedBatch:
        """Converts a batch, and holds it against a converter that looks at each value."""
        pages = [read_page(body.encode(), {}, data_selector=self._selector) for body in bodies]
        with mock.patch.object(self._converter, "convert", wraps=self._converter.convert) as by_values:
            quick = self._converter.convert_pages(pages)
        self.was_quick = not by_values.called
        single = self._single.convert([record for page in pages for record in page.records])
        assert are_same(quick.tables, single.tables)
        assert quick.rejected == single.rejected
        assert quick.remarks == single.remarks
        return quick


def page(*records: str) -> str:
    return '{"data": [' + ",".join(records) + '], "total": 7, "next": null}'


def plain(number: int, **changes: str) -> str:
    """A record like all others, but for the JSON texts in `changes`."""
    texts = {key: json.dumps(value) for key, value in json.loads(PLAIN % number).items()}
    return "{" + ",".join(f"{json.dumps(key)}: {text}" for key, text in (texts | changes).items()) + "}"


@pytest.fixture
def lane() -> Lane:
    """A converter that has learnt what the records look like."""
    lane = Lane()
    lane.convert(page(PLAIN % 1, PLAIN % 2))
    assert not lane.was_quick
    return lane


def test_records_like_those_before_are_read_quickly(lane: Lane) -> None:
    made = lane.convert(page(plain(3), plain(4)), page(plain(5, total="11", note="null")))
    assert lane.was_quick
    assert [str(row["charged"]) for row in rows(made)] == ["19.990000000"] * 3
    assert len(rows(made, "invoices__line_items")) == 6


@pytest.mark.parametrize(
    "literal",
    [
        "0",
        "-0",
        "-0.00",
        "7",
        "-1.50",
        "1234567890123456789.123456789",
        "0.123456789",
        "0.1234567890",
        "12345678901234567890123456789",
    ],
)
def test_a_number_that_fits_its_column_is_read_quickly_digit_by_digit(lane: Lane, literal: str) -> None:
    lane.convert(page(plain(3, total=literal, rate=literal, gross="250")))
    assert lane.was_quick


@pytest.mark.parametrize(
    "literal",
    [
        "1e-10",
        "1e29",
        "1e100",
        "0e100",
        "0E-9999999",
        "1e-9999999",
        "1.5E-99999",
        "1e9999999",
        "0.1234567891",
        "9" * 39,
        "9" * 4000,
        '"1.5"',
        '" 1.5"',
        '""',
        '"abc"',
        '"0E-9999999"',
        '"1e-123456"',
        "true",
        "[1]",
        "{}",
    ],
)
def test_any_other_value_of_an_amount_has_the_same_fate(lane: Lane, literal: str) -> None:
    for name in ("total", "tax", "rate", "gross", "count"):
        lane.convert(page(plain(3, **{name: literal}), plain(4)))


@pytest.mark.parametrize("name", ["id", "total", "paid", "note", "issue_date", "updated_at", "sent_at", "customer"])
@pytest.mark.parametrize("text", ["null", '""', '"x"', "5", "false", '"\\ud800"', '"2026-03-29T02:30:00"', "{}", "[]"])
def test_any_value_of_any_field_has_the_same_fate(lane: Lane, name: str, text: str) -> None:
    lane.convert(page(plain(3), plain(4, **{name: text})))
    lane.convert(page(plain(5)))


@pytest.mark.parametrize(
    "extra",
    [
        {"new": "1"},
        {"new": "null"},
        {"new": "{}"},
        {"gone": '"here"'},
        {"customer": '{"name": "y", "vat": "1"}'},
        {"customer": '{"name": "y", "address": {"city": "Bonn", "zip": 5}}'},
        {"line_items": '[{"amount": 1, "colour": "red"}]'},
        {"line_items": "[null]"},
        {"line_items": "[[1]]"},
        {"line_items": "null"},
        {"line_items": '[{"tags": ["b"]}]'},
        {"Total": "5"},
        {"_dlt_id": '"x"'},
    ],
)
def test_a_field_that_was_not_there_before_is_not_lost(lane: Lane, extra: dict[str, str]) -> None:
    lane.convert(page(plain(3), plain(4, **extra)))
    lane.convert(page(plain(5, **extra)))


def test_what_was_met_once_is_read_quickly_from_then_on(lane: Lane) -> None:
    lane.convert(page(plain(3, new='"text"')))
    assert not lane.was_quick
    lane.convert(page(plain(4, new='"other"'), plain(5)))
    assert lane.was_quick


def test_ids_that_are_whole_numbers_are_read_quickly() -> None:
    lane = Lane({"id": {"data_type": "text"}})
    lane.convert(page('{"id": 1}'))
    lane.convert(page('{"id": 9007199254740993}', '{"id": 3}'))
    assert lane.was_quick


def test_a_bare_list_and_a_nested_one_are_read_quickly() -> None:
    for selector, before, after in ((None, "[", "]"), ("result.items", '{"result": {"items": [', "]}}")):
        lane = Lane(selector=selector)
        for number in (1, 2):
            lane.convert(before + plain(number) + after)
        assert lane.was_quick


def test_a_text_that_looks_like_a_small_exponent_is_read_quickly(lane: Lane) -> None:
    lane.convert(page(plain(3, note='"5f3e-1234-8e-99999"')))
    assert lane.was_quick


def test_records_of_ever_new_looks_are_not_tried_for_ever(lane: Lane) -> None:
    for number in range(PATIENCE):
        lane.convert(page(plain(number, total=f'"{number}.5 "')))
    lane.convert(page(plain(99)))
    assert not lane.was_quick


def test_ever_new_fields_are_not_waited_for_for_ever(lane: Lane) -> None:
    for number in range(PATIENCE + 1):
        lane.convert(page(plain(number, **{f"new_{number}": "1"})))
    lane.convert(page(plain(99)))
    assert not lane.was_quick


DIGITS = st.integers(0, 10**45).map(str) | st.sampled_from(["0", "1", "9" * 28, "1" + "0" * 29, "9" * 38])
LITERALS = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", "-"]),
        DIGITS,
        st.just("") | DIGITS.map(lambda digits: f".{digits}"),
        st.just("") | st.integers(-45, 45).map(lambda power: f"e{power}"),
    ),
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(literal="1e34", quoted=False)
@example(literal="1e-40", quoted=True)
@given(literal=LITERALS, quoted=st.booleans())
def test_numbers_are_read_exactly_or_looked_at(literal: str, quoted: bool) -> None:
    for name in ("total", "tax", "rate", "gross", "count"):
        lane = Lane()
        lane.convert(page(PLAIN % 1))
        lane.convert(page(plain(2, **{name: f'"{literal}"' if quoted else literal})))


NUMBERS = st.sampled_from(["0", "1", "-7", "10.5", "1e3", "0.000000001", "99999999999999999999", "1e-10"])
TEXTS = st.sampled_from(
    ['"a"', '"5"', '"-5"', '"+.5"', '"5."', '"1e3"', '"\\"5"', '"2026-01-02"', '"2026-01-02T03:04:05Z"', '""']
)
NESTED = st.sampled_from(
    ['{"x": 1}', '{"x": "t", "y": null}', "[]", '["a"]', '[{"z": 1.5}]', '[{"z": null, "w": "v"}]']
)
ANY = st.one_of(NUMBERS, TEXTS, NESTED, st.sampled_from(["true", "null"]))
USUAL = st.fixed_dictionaries(
    {},
    optional={"a": NUMBERS, "b": TEXTS, "c": NESTED, "total": NUMBERS, "due_date": st.just('"2026-02-03"')},
)
RECORD = st.one_of(
    USUAL, st.dictionaries(st.sampled_from(["a", "b", "c", "total", "paid", "due_date", "Due__date"]), ANY)
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(batches=[[{"a": "1"}], [{"a": "1.5"}], [{"a": '"x"'}], [{"a": "2"}]])
@given(batches=st.lists(st.lists(RECORD, min_size=1, max_size=4), min_size=2, max_size=5))
def test_batches_of_any_records_become_the_same_tables(batches: list[list[dict[str, str]]]) -> None:
    lane, number = Lane(), 0
    for batch in batches:
        records = []
        for record in batch:
            number += 1
            texts = {"id": f'"{number}"', **record}
            records.append("{" + ",".join(f'"{key}": {text}' for key, text in texts.items()) + "}")
        lane.convert(page(*records))


@pytest.mark.parametrize("value", ["[" * 3000 + "]" * 3000, '{"o": ' * 3000 + "1" + "}" * 3000])
def test_nesting_that_crashes_arrow_is_kept_from_it(value: str) -> None:
    assert not are_plain(f'{{"": {value}}}'.encode(), 38, unquoted=False)


TOMBSTONES: dict[str, Any] = {
    **DECLARED,
    "total": {**DECIMAL, "nullable": False},
    "line_items__amount": {**DECIMAL, "nullable": False},
    "deleted": {"data_type": "bool", "hard_delete": True},
}
TOMBSTONE = '{"id": "%d", "deleted": true, "line_items": [%s]}'


def test_tombstones_are_read_quickly_without_what_a_row_must_have() -> None:
    lane = Lane(TOMBSTONES)
    lane.convert(page(plain(1, deleted="false"), TOMBSTONE % (2, "")))
    assert lane.convert(page(TOMBSTONE % (3, ""), plain(4, deleted="null"))).rejected == []
    assert lane.was_quick
    assert lane.convert(page(TOMBSTONE % (5, '{"sku": "s"}'))).rejected == []


def test_a_row_among_tombstones_is_rejected_without_what_it_must_have() -> None:
    lane = Lane(TOMBSTONES)
    lane.convert(page(TOMBSTONE % (1, ""), TOMBSTONE % (2, "")))
    made = lane.convert(page(TOMBSTONE % (3, ""), '{"id": "4", "deleted": false}'))
    assert [rejected.key for rejected in made.rejected] == ["4"]
