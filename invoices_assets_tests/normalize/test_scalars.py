"""Values of a column: stored exactly as declared, or named as unreadable; never changed to fit."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from invoices_assets.normalize.scalars import reader, to_arrow
from invoices_assets.source.columns.column import Column
from invoices_assets.source.values.exact_json import Unreadable, json_text
from invoices_assets_tests.support.column_helpers import column, refusal, stored

UTC = UTC


MONEY = column("decimal", precision=38, scale=9)


@pytest.mark.parametrize(
    ("value", "exact"),
    [
        (0, "0"),
        (12, "12"),
        (-(2**63), "-9223372036854775808"),
        (10**28, "1E+28"),
        (Decimal("10.5"), "10.5"),
        (Decimal("1E+3"), "1000"),
        (Decimal("-0.00"), "0"),
        (Decimal("1234567890123456789.123456789"), "1234567890123456789.123456789"),
        (Decimal("99999999999999999999999999999.999999999"), "99999999999999999999999999999.999999999"),
        (Decimal("1.0000000000000"), "1"),
        (Decimal("0E-9999999"), "0"),
        (Decimal("0E+9999999"), "0"),
        (Decimal("1." + "0" * 5000), "1"),
        ("12.50", "12.5"),
        ("12.50000000", "12.5"),
        ("  -1e3\n", "-1000"),
        ("+.5", "0.5"),
        ("5.", "5"),
        ("0" * 5000 + "7", "7"),
    ],
)
def test_an_amount_is_stored_digit_by_digit(value: Any, exact: str) -> None:
    assert stored(MONEY, value) == [Decimal(exact)]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (Decimal("0.0000000001"), "more than 9 digits after the point: 1E-10"),
        (Decimal("1E-999999999"), "more than 9 digits after the point"),
        ("1.1234567891", "more than 9 digits after the point"),
        (10**29, "more than 29 digits before the point"),
        (Decimal("1E+29"), "more than 29 digits before the point"),
        (Decimal("1E+999999999"), "more than 29 digits before the point"),
        ("1" * 6000, "more than 29 digits before the point: a value of 6002 characters"),
        ("1e99999999999999999999", "not a number"),
        (Decimal("NaN"), "not a number"),
        (Decimal("-Infinity"), "not a number"),
        ("NaN", "not a number"),
        ("", "not a number"),
        ("1,000.00", "not a number"),
        ("1.000,00", "not a number"),
        ("1_000", "not a number"),
        ("0x10", "not a number"),
        ("１２", "not a number"),
        ("12 EUR", 'not a number that can be stored: "12 EUR"'),
        (True, "not a number that can be stored: true"),
    ],
)
def test_an_amount_that_does_not_fit_or_is_none_is_refused(value: Any, reason: str) -> None:
    assert reason in refusal(MONEY, value)


def test_one_unreadable_amount_leaves_the_others_as_they_are() -> None:
    values = [1, Decimal("2.5"), "x", None, "4.25", Decimal("1E-10")]
    array, unreadable = to_arrow(MONEY, values, set(map(type, values)))
    assert array.to_pylist() == [1, Decimal("2.5"), None, None, Decimal("4.25"), None]
    assert unreadable.keys() == {2, 5}


@pytest.mark.parametrize(
    ("value", "units"),
    [(1999, "19.99"), (-5, "-0.05"), (Decimal("10.5"), "0.105"), ("250", "2.5"), (10**30, "1E+28"), (0, "0")],
)
def test_cents_become_units_exactly(value: Any, units: str) -> None:
    assert stored(column("decimal", x_scale=-2), value) == [Decimal(units)]


def test_scaled_amounts_that_do_not_fit_are_refused() -> None:
    assert "digits after the point" in refusal(column("decimal", scale=2, x_scale=-3), 1)
    assert "digits before the point" in refusal(column("decimal", x_scale=3), 10**27)


NUMBERS = (
    st.integers(-(10**40), 10**40)
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.builds(
        lambda digits, power: Decimal(digits).scaleb(power),
        st.integers(-(10**20), 10**20),
        st.integers(-25, 25),
    )
)
WRITTEN = NUMBERS | NUMBERS.map(str) | NUMBERS.map(lambda number: f" {number:f} ")
SIZES = st.integers(1, 38).flatmap(lambda precision: st.tuples(st.just(precision), st.integers(0, precision)))


@settings(max_examples=400, deadline=None)
@example(values=["35"], size=(37, 37), power=None)
@example(values=["3510860663482787"], size=(38, 25), power=None)
@given(st.lists(st.none() | WRITTEN, min_size=1, max_size=6), SIZES, st.sampled_from([None, -2, 3]))
def test_a_column_of_any_numbers_holds_each_exactly_or_refuses_it(
    values: list[Any], size: tuple[int, int], power: int | None
) -> None:
    precision, scale = size
    declared = column("decimal", precision=precision, scale=scale, **({"x_scale": power} if power else {}))
    array, unreadable = to_arrow(declared, values, set(map(type, values)))
    for row, (value, result) in enumerate(zip(values, array.to_pylist(), strict=True)):
        if value is None:
            assert result is None
            continue
        exact = Fraction(Decimal(value)) * Fraction(10) ** (power or 0)
        units = exact * 10**scale
        if units.denominator == 1 and abs(units) < 10**precision:
            assert row not in unreadable
            assert Fraction(result) == exact
        else:
            assert row in unreadable
            assert result is None


ANYTHING = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**13), max_value=10**13)
    | st.text(max_size=4)
    | st.sampled_from(["true", "0", " 1 ", "12.5", "2025-03-04", "2025-03-04T10:00:00Z", "0000-00-00", "\ud800"])
    | st.datetimes().map(lambda moment: moment.isoformat())
    | st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5, minutes=-30))])).map(str)
)
KINDS = st.sampled_from(
    [
        MONEY,
        column("decimal", precision=10, scale=2),
        column("bigint"),
        column("bigint", precision=16),
        column("text"),
        column("bool"),
        column("double"),
        column("json"),
        column("date"),
        column("time"),
        column("timestamp"),
        column("timestamp", timezone=False),
        column("timestamp", precision=3),
        column("timestamp", x_timezone="Europe/Berlin"),
        column("timestamp", x_format="epoch_s"),
        column("timestamp", x_format="epoch_ms"),
        column("date", x_format="epoch_s", x_timezone="Europe/Paris"),
    ]
)


@settings(max_examples=600, deadline=None)
@given(KINDS, st.lists(ANYTHING, max_size=5) | ANYTHING.flatmap(lambda value: st.just([value, None, value])))
def test_a_column_at_once_is_the_same_as_its_values_one_by_one(declared: Column, values: list[Any]) -> None:
    array, unreadable = to_arrow(declared, values, set(map(type, values)))
    read = reader(declared)
    alone: list[Any] = []
    refused = set()
    for row, value in enumerate(values):
        try:
            alone.append(None if value is None else read(value))
        except Unreadable:
            alone.append(None)
            refused.add(row)
    assert array.equals(pa.array(alone, declared.arrow_type))
    assert unreadable.keys() == refused


@pytest.mark.parametrize(
    ("value", "number"),
    [(5, 5), (Decimal("5.0"), 5), (Decimal("5E+2"), 500), (" 7 ", 7), ("7.00", 7), (2**63 - 1, 2**63 - 1)],
)
def test_whole_numbers_are_stored_in_a_bigint(value: Any, number: int) -> None:
    assert stored(column("bigint"), value) == [number]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (2**63, "does not fit a whole number of 64 bits"),
        (-(2**63) - 1, "does not fit a whole number of 64 bits"),
        (Decimal("1E+999999999"), "does not fit"),
        (Decimal("5.5"), "is not a whole number: 5.5"),
        ("5.5", "is not a whole number"),
        ("five", "is not a number"),
        (False, "is not a number"),
    ],
)
def test_what_is_no_whole_number_of_64_bits_is_refused(value: Any, reason: str) -> None:
    assert reason in refusal(column("bigint"), value)


def test_a_declared_double_is_a_double() -> None:
    assert stored(column("double"), Decimal("0.1"), 3, "2.5", None) == [0.1, 3.0, 2.5, None]
    assert "does not fit a double" in refusal(column("double"), Decimal("1E+400"))


@pytest.mark.parametrize(
    ("value", "flag"),
    [
        (True, True),
        (False, False),
        (1, True),
        (0, False),
        ("true", True),
        ("false", False),
        ("1", True),
        ("0", False),
    ],
)
def test_the_usual_spellings_of_a_boolean_are_read(value: Any, flag: bool) -> None:
    assert stored(column("bool"), value) == [flag]


@pytest.mark.parametrize("value", [2, -1, "yes", "", "on", Decimal("0.5")])
def test_anything_else_is_no_boolean(value: Any) -> None:
    assert "is neither true nor false" in refusal(column("bool"), value)


def test_text_is_kept_and_numbers_are_written_as_they_came() -> None:
    values = ["", " a ", "nul\0", "🧾", 12, Decimal("1.50"), True, None]
    assert stored(column("text"), *values) == ["", " a ", "nul\0", "🧾", "12", "1.50", "true", None]


@pytest.mark.parametrize("kind", ["text", "json"])
def test_a_lone_surrogate_is_refused(kind: str) -> None:
    assert "lone surrogate" in refusal(column(kind), "broken \ud83e")


def test_json_keeps_numbers_exact_and_structure() -> None:
    value = {"a": [Decimal("1.10"), None, 10**30], "ü": "Köln"}
    assert stored(column("json"), value, "text", None) == [
        '{"a": [1.10, null, 1000000000000000000000000000000], "ü": "Köln"}',
        '"text"',
        None,
    ]


def test_the_json_text_of_invalid_unicode_can_still_be_stored() -> None:
    assert json_text({"k": "ü\ud83e"}) == '{"k": "\\u00fc\\ud83e"}'


def test_binary_is_read_as_dlt_reads_it() -> None:
    assert stored(column("binary"), "0xff00", "aGk=") == [b"\xff\x00", b"hi"]
    assert "neither hexadecimal nor base64" in refusal(column("binary"), "äh")


@pytest.mark.parametrize("kind", ["bigint", "decimal", "double", "bool", "date", "timestamp", "time", "binary"])
def test_the_reason_of_a_value_of_a_person_does_not_repeat_it(kind: str) -> None:
    assert "DE 4711" in refusal(column(kind), "DE 4711")
    assert "4711" not in refusal(column(kind, x_pii=True), "DE 4711")
