"""Dates, timestamps and times of day in every spelling that is read, and the refusal of the others."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from invoices_assets.normalize.scalars import to_arrow
from invoices_assets_tests.support.column_helpers import column, refusal, stored

UTC = UTC
MOMENT = datetime(2025, 3, 4, 10, 20, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "instant"),
    [
        ("2025-03-04T10:20:30Z", MOMENT),
        ("2025-03-04 10:20:30", MOMENT),
        ("2025-03-04T10:20:30z", MOMENT),
        ("2025-03-04 12:20:30+02:00", MOMENT),
        ("2025-03-04T12:20:30+0200", MOMENT),
        ("2025-03-04T12:20:30 +02", MOMENT),
        ("2025-03-04T04:50:30-05:30", MOMENT),
        ("2025-03-04T10:20Z", MOMENT.replace(second=0)),
        ("2025-03-04", datetime(2025, 3, 4, tzinfo=UTC)),
        ("2025-03-04T10:20:30.1Z", MOMENT.replace(microsecond=100_000)),
        ("2025-03-04T10:20:30.123456Z", MOMENT.replace(microsecond=123_456)),
        ("2025-03-04T10:20:30.123456000Z", MOMENT.replace(microsecond=123_456)),
        ("2025-03-04T10:20:30,5+00:00", MOMENT.replace(microsecond=500_000)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_stamp_in_iso_8601_is_an_instant(value: str, instant: datetime) -> None:
    assert stored(column("timestamp"), value) == [instant]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("2025-03-04T10:20:30.1234567Z", "finer than a microsecond"),
        ("2025-02-30T10:00:00Z", "not a day or time that exists"),
        ("2025-03-04T24:00:00Z", "not a day or time that exists"),
        ("2025-03-04T10:20:30+25:00", "not a day or time that exists"),
        ("0000-01-01T00:00:00Z", "not a day or time that exists"),
        ("0001-01-01T00:00:00+01:00", "outside the calendar"),
        ("9999-12-31T23:59:59-01:00", "outside the calendar"),
        ("04.03.2025", "not in ISO 8601"),
        ("20250304T102030Z", "not in ISO 8601"),
        ("2025-03-04T10:20:30 CET", "not in ISO 8601"),
        ("soon", "not in ISO 8601"),
        (1741083630, "a number of seconds needs `x-format`"),
        (True, "is not a text"),
    ],
)
def test_an_unreadable_stamp_is_refused(value: Any, reason: str) -> None:
    assert reason in refusal(column("timestamp"), value)


@pytest.mark.parametrize("value", ["", " ", "0000-00-00", "0000-00-00 00:00:00", "0000-00-00T00:00:00Z"])
@pytest.mark.parametrize("kind", ["date", "timestamp"])
def test_a_zero_date_or_an_empty_text_is_no_date(kind: str, value: str) -> None:
    assert stored(column(kind), value) == [None]
    assert stored(column(kind, x_format="%d-%m-%Y"), value) == [None]


def test_stamps_with_and_without_zone_may_share_a_column() -> None:
    berlin = column("timestamp", x_timezone="Europe/Berlin")
    values = ["2025-07-01T12:00:00", "2025-07-01T12:00:00Z", "2025-01-01 12:00:00", None]
    assert stored(berlin, *values) == [
        datetime(2025, 7, 1, 10, tzinfo=UTC),
        datetime(2025, 7, 1, 12, tzinfo=UTC),
        datetime(2025, 1, 1, 11, tzinfo=UTC),
        None,
    ]


def test_daylight_saving_time_goes_on_after_2037() -> None:
    berlin = column("timestamp", x_timezone="Europe/Berlin")
    assert stored(berlin, "2045-07-01T12:00:00") == [datetime(2045, 7, 1, 10, tzinfo=UTC)]


def test_a_local_hour_that_comes_twice_is_the_first_one() -> None:
    berlin = column("timestamp", x_timezone="Europe/Berlin")
    assert stored(berlin, "2025-10-26T02:30:00") == [datetime(2025, 10, 26, 0, 30, tzinfo=UTC)]


@pytest.mark.parametrize("others", [[], ["2025-03-30T12:00:00Z"]])
def test_a_local_hour_that_does_not_exist_is_refused(others: list[str]) -> None:
    berlin = column("timestamp", x_timezone="Europe/Berlin")
    _, unreadable = to_arrow(berlin, ["2025-03-30T02:30:00", *others], {str})
    assert unreadable == {0: 'is a local time that Europe/Berlin skips: "2025-03-30T02:30:00"'}


def test_a_stamp_without_zone_is_kept_as_written_where_declared_so() -> None:
    naive = column("timestamp", timezone=False)
    assert stored(naive, "2025-03-04T10:20:30", "2025-03-04T10:20:30+02:00") == [
        datetime(2025, 3, 4, 10, 20, 30),
        datetime(2025, 3, 4, 8, 20, 30),
    ]


def test_a_stamp_finer_than_its_column_is_refused() -> None:
    millis = column("timestamp", precision=3)
    assert stored(millis, "2025-03-04T10:20:30.123Z") == [MOMENT.replace(microsecond=123_000)]
    assert "finer than the column keeps" in refusal(millis, "2025-03-04T10:20:30.1234Z")


@pytest.mark.parametrize(
    ("form", "value", "instant"),
    [
        ("epoch_s", 1741083630, MOMENT),
        ("epoch_s", "1741083630", MOMENT),
        ("epoch_s", Decimal("1741083630.123456"), MOMENT.replace(microsecond=123_456)),
        ("epoch_s", 0, datetime(1970, 1, 1, tzinfo=UTC)),
        ("epoch_s", -1, datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("epoch_ms", 1741083630123, MOMENT.replace(microsecond=123_000)),
        ("epoch_ms", Decimal("1741083630000.5"), MOMENT.replace(microsecond=500)),
        ("epoch_ms", Decimal("1.741083630E+12"), MOMENT),
        ("%d/%m/%Y %H:%M:%S", "04/03/2025 10:20:30", MOMENT),
        ("%d/%m/%Y %H:%M:%S %z", "04/03/2025 12:20:30 +0200", MOMENT),
    ],
)
def test_a_declared_format_is_read(form: str, value: Any, instant: datetime) -> None:
    assert stored(column("timestamp", x_format=form), value) == [instant]


@pytest.mark.parametrize(
    ("form", "value", "reason"),
    [
        ("epoch_s", Decimal("1.1234567"), "finer than a microsecond"),
        ("epoch_s", 10**12, "outside the calendar"),
        ("epoch_s", Decimal("1E+999999"), "outside the calendar"),
        ("epoch_ms", -(10**18), "outside the calendar"),
        ("epoch_s", "2025-03-04", "is not a number"),
        ("epoch_s", True, "is not a number"),
        ("%d-%m-%Y", "2025-03-04", "is not in the format %d-%m-%Y"),
        ("%d-%m-%Y", 4032025, "is not a text in the format %d-%m-%Y"),
    ],
)
def test_what_is_not_in_the_declared_format_is_refused(form: str, value: Any, reason: str) -> None:
    assert reason in refusal(column("timestamp", x_format=form), value)


@pytest.mark.parametrize(
    "value",
    [
        "2025-03-04",
        " 2025-03-04 ",
        "2025-03-04T00:00:00",
        "2025-03-04 00:00:00.000+02:00",
        "2025-03-04T00:00Z",
    ],
)
def test_a_date_may_be_written_as_a_stamp_at_midnight(value: str) -> None:
    assert stored(column("date"), value) == [date(2025, 3, 4)]


@pytest.mark.parametrize(
    ("hints", "value"),
    [
        ({"x_format": "%d-%m-%Y"}, "04-03-2025"),
        ({"x_format": "%Y%m%d"}, "20250304"),
        ({"x_format": "epoch_s"}, 1741046400),
        ({"x_format": "epoch_s", "x_timezone": "Europe/Paris"}, 1741042800),
        ({"x_format": "epoch_ms", "x_timezone": "Europe/Paris"}, "1741042800000"),
    ],
)
def test_a_date_in_a_declared_format_is_read(hints: dict[str, str], value: Any) -> None:
    assert stored(column("date", **hints), value, value) == [date(2025, 3, 4)] * 2


@pytest.mark.parametrize(
    ("hints", "value", "reason"),
    [
        ({}, "2025-03-04T10:00:00Z", "has a time of day"),
        ({"x_format": "epoch_s"}, 1741042800, "has a time of day"),
        ({"x_format": "%d-%m-%Y %H"}, "04-03-2025 09", "has a time of day"),
        ({}, "2025-02-29", "is not a day or time that exists"),
        ({}, "04-03-2025", "is not in ISO 8601"),
        ({}, 20250304, "is not a text"),
        ({}, "0000-01-01", "is not a day or time that exists"),
    ],
)
def test_an_unreadable_date_is_refused(hints: dict[str, str], value: Any, reason: str) -> None:
    assert reason in refusal(column("date", **hints), value)


def test_a_time_of_day_is_read() -> None:
    assert stored(column("time"), "09:30", "09:30:15.5") == [time(9, 30), time(9, 30, 15, 500_000)]
    assert "is not a time of day" in refusal(column("time"), "9:30 pm")


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)),
            st.integers(-14 * 60, 14 * 60),
            st.sampled_from("T "),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_any_zoned_stamp_is_the_instant_that_python_reads(
    moments: Sequence[tuple[datetime, int, str]],
) -> None:
    stamps = [moment.replace(tzinfo=timezone(timedelta(minutes=away))) for moment, away, _ in moments]
    texts = [stamp.isoformat(separator) for stamp, (_, _, separator) in zip(stamps, moments, strict=True)]
    assert stored(column("timestamp"), *texts) == stamps
