"""Dates, timestamps and times of day: read exactly, or not at all."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any

import pyarrow as pa
import pyarrow.compute

from invoices_assets.source.columns import EPOCHS, Column
from invoices_assets.source.exact_json import Unreadable
from invoices_assets.source.numbers import exact_number, scaled, shown

UTC = UTC
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ISO = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})"
    r"(?:[Tt ](\d{2})(?::(\d{2})(?::(\d{2})(?:[.,](\d+))?)?)? ?([Zz]|[+-]\d{2}(?::?\d{2})?)?)?",
    re.ASCII,
)
# Written by servers that store "no date" as a zero date, as MySQL does, or as an empty text (Dolibarr).
_NO_DATE = re.compile(r"(?:0000-00-00(?:[T ]00:00(?::00(?:\.0+)?)?Z?)?)?")
_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)
_INSTANT = pa.timestamp("us", "UTC")
_NAIVE = pa.timestamp("us")
_NONE = type(None)
_compute: Any = pyarrow.compute  # its functions are made at import, so that type checkers know none


def timestamps(column: Column, values: Sequence[Any], types: set[type]) -> pa.Array:
    """A whole column of timestamps at once; raises `pa.ArrowInvalid` where one value needs a closer look."""
    if column.second_digits != 6:
        raise pa.ArrowInvalid("not whole microseconds")
    if column.x_format in EPOCHS and types <= {int, _NONE}:
        unit = "s" if column.x_format == "epoch_s" else "ms"
        instants = pa.array(values, pa.int64()).cast(pa.timestamp(unit, "UTC")).cast(_INSTANT)
    elif column.x_format is None and types <= {str, _NONE}:
        instants = _instants(column, pa.array(values, pa.string()))
    else:
        raise pa.ArrowInvalid("no column of one kind")
    _within_the_calendar(instants, _FIRST, _LAST)
    return instants.cast(column.arrow_type)


def dates(column: Column, values: Sequence[Any], types: set[type]) -> pa.Array:
    """A whole column of ISO dates at once; raises `pa.ArrowInvalid` where one value needs a closer look."""
    if column.x_format is not None or not types <= {str, _NONE}:
        raise pa.ArrowInvalid("no column of ISO dates")
    days = pa.array(values, pa.string()).cast(pa.date32())
    _within_the_calendar(days, date.min, date.max)
    return days


def timestamp_reader(column: Column) -> Callable[[Any], datetime | None]:
    """Returns what reads one timestamp of a column, in UTC; it raises `Unreadable`."""
    moment = _moment_reader(column)
    zone = column.zone or UTC

    def read(value: Any) -> datetime | None:
        stamp = moment(value)
        if stamp is None:
            return None
        instant = _instant(stamp, zone, value)
        if instant.microsecond % 10 ** (6 - column.second_digits):
            raise Unreadable(f"is finer than the column keeps: {shown(value)}")
        return instant if column.timezone else instant.replace(tzinfo=None)

    return read


def date_reader(column: Column) -> Callable[[Any], date | None]:
    """Returns what reads one date of a column; it raises `Unreadable`, also for a stamp with a time of day.

    A stamp is a date as it is written, whatever its zone; an epoch is one in `x-timezone`, else in UTC.
    """
    moment = _moment_reader(column)
    epoch_zone = (column.zone or UTC) if column.x_format in EPOCHS else None

    def read(value: Any) -> date | None:
        stamp = moment(value)
        if stamp is None:
            return None
        if epoch_zone:
            stamp = _moved(stamp, epoch_zone, value)
        if stamp.time() != time.min:
            raise Unreadable(f"has a time of day: {shown(value)}")
        return stamp.date()

    return read


def time_reader(column: Column) -> Callable[[Any], time]:
    """Returns what reads a time of day, `HH:MM` with or without seconds and fraction; raises `Unreadable`."""

    def read(value: Any) -> time:
        found = _ISO.fullmatch(f"2000-01-01T{value.strip()}") if isinstance(value, str) else None
        if not found or found[8] or not found[5]:
            raise Unreadable(f"is not a time of day: {shown(value)}")
        moment = _from_parts(found, value).time()
        if moment.microsecond % 10 ** (6 - column.second_digits):
            raise Unreadable(f"is finer than the column keeps: {shown(value)}")
        return moment

    return read


def _instants(column: Column, texts: pa.Array) -> pa.Array:
    try:
        return texts.cast(_INSTANT)
    except pa.ArrowInvalid:
        if column.zone is not None:
            raise  # Arrow 26 knows no daylight saving time after 2037
        return texts.cast(_NAIVE).cast(_INSTANT)


def _within_the_calendar(moments: pa.Array, first: Any, last: Any) -> None:
    """Arrow reads the year 0 and, through a zone, the year 10000, which Python and databases do not have."""
    ends = _compute.min_max(moments)
    low, high = pa.scalar(first, moments.type), pa.scalar(last, moments.type)
    if ends["min"].is_valid and (ends["min"].value < low.value or ends["max"].value > high.value):
        raise pa.ArrowInvalid("not within the calendar")


def _moment_reader(column: Column) -> Callable[[Any], datetime | None]:
    """Returns what reads a value as written: a stamp with its zone, one without, or None for no date."""
    form = column.x_format
    if form in EPOCHS:
        return _epoch_reader(EPOCHS[form])

    def read(value: Any) -> datetime | None:
        if not isinstance(value, str):
            raise Unreadable(f"is not a text in {_named(form)}: {shown(value)}")
        text = value.strip()
        if _NO_DATE.fullmatch(text):
            return None
        if form is None:
            found = _ISO.fullmatch(text)
            if not found:
                raise Unreadable(f"is not in {_named(form)}: {shown(value)}")
            return _from_parts(found, value)
        try:
            return datetime.strptime(text, form)
        except (ValueError, OverflowError):
            raise Unreadable(f"is not in {_named(form)}: {shown(value)}") from None

    return read


def _epoch_reader(power: int) -> Callable[[Any], datetime | None]:
    def read(value: Any) -> datetime | None:
        if isinstance(value, str) and _NO_DATE.fullmatch(value.strip()):
            return None
        micros = scaled(exact_number(value), 6 + power)
        if micros.adjusted() > 18:
            raise Unreadable(f"is outside the calendar: {shown(value)}")
        if micros != micros.to_integral_value():
            raise Unreadable(f"is finer than a microsecond: {shown(value)}")
        try:
            return EPOCH + timedelta(microseconds=int(micros))
        except OverflowError:
            raise Unreadable(f"is outside the calendar: {shown(value)}") from None

    return read


def _from_parts(found: re.Match[str], value: Any) -> datetime:
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    fraction = (fraction or "").ljust(6, "0")
    if fraction[6:].strip("0"):
        raise Unreadable(f"is finer than a microsecond: {shown(value)}")
    moment = (int(hour or 0), int(minute or 0), int(second or 0), int(fraction[:6]))
    try:
        return datetime(int(year), int(month), int(day), *moment, tzinfo=_offset(zone))
    except ValueError:
        raise Unreadable(f"is not a day or time that exists: {shown(value)}") from None


def _offset(zone: str | None) -> timezone | None:
    if not zone:
        return None
    if zone in "Zz":
        return UTC
    digits = zone[1:].replace(":", "").ljust(4, "0")
    if int(digits[2:]) > 59:
        raise ValueError(zone)
    away = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-away if zone[0] == "-" else away)


def _instant(stamp: datetime, zone: Any, value: Any) -> datetime:
    """The instant of a stamp; `zone` is for one without its own (an ambiguous hour is the earlier one)."""
    if stamp.tzinfo is not None:
        return _moved(stamp, UTC, value)
    instant = _moved(stamp.replace(tzinfo=zone), UTC, value)
    if _moved(instant, zone, value).replace(tzinfo=None) != stamp:
        raise Unreadable(f"is a local time that {zone} skips: {shown(value)}")
    return instant


def _moved(stamp: datetime, zone: Any, value: Any) -> datetime:
    try:
        return stamp.astimezone(zone)
    except OverflowError:
        raise Unreadable(f"is outside the calendar: {shown(value)}") from None


def _named(form: str | None) -> str:
    return f"the format {form}" if form else "ISO 8601 (a number of seconds needs `x-format`)"
