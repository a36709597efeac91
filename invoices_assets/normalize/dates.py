"""Columns of dates, timestamps and times of day: as a whole where all values are plain, else one by one."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time
from types import NoneType
from typing import Any

import pyarrow as pa
import pyarrow.compute

from invoices_assets.source.columns.column import EPOCHS, Column
from invoices_assets.source.timestamps import instant, moved, stamp_reader
from invoices_assets.source.values.exact_json import Unreadable
from invoices_assets.source.values.numbers import shown

_CLOCK = re.compile(r"\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?", re.ASCII)
_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)
_INSTANT = pa.timestamp("us", "UTC")
_NAIVE = pa.timestamp("us")
_compute: Any = pyarrow.compute  # its functions are made at import, so that type checkers know none


def timestamps(column: Column, values: Sequence[Any], types: set[type]) -> pa.Array:
    """A whole column of timestamps at once; raises `pa.ArrowInvalid` where one value needs a closer look."""
    if column.second_digits != 6:
        raise pa.ArrowInvalid("not whole microseconds")
    if column.x_format in EPOCHS and types <= {int, NoneType}:
        unit = "s" if column.x_format == "epoch_s" else "ms"
        instants = pa.array(values, pa.int64()).cast(pa.timestamp(unit, "UTC")).cast(_INSTANT)
    elif column.x_format is None and types <= {str, NoneType}:
        instants = _instants(column, pa.array(values, pa.string()))
    else:
        raise pa.ArrowInvalid("no column of one kind")
    _within_the_calendar(instants, _FIRST, _LAST)
    return instants.cast(column.arrow_type)


def dates(column: Column, values: Sequence[Any], types: set[type]) -> pa.Array:
    """A whole column of ISO dates at once; raises `pa.ArrowInvalid` where one value needs a closer look."""
    if column.x_format is not None or not types <= {str, NoneType}:
        raise pa.ArrowInvalid("no column of ISO dates")
    days = pa.array(values, pa.string()).cast(pa.date32())
    _within_the_calendar(days, date.min, date.max)
    return days


def timestamp_reader(column: Column) -> Callable[[Any], datetime | None]:
    """Returns what reads one timestamp of a column, in UTC; it raises `Unreadable`."""
    as_written, zone = stamp_reader(column), column.zone or UTC

    def read(value: Any) -> datetime | None:
        stamp = as_written(value)
        if stamp is None:
            return None
        moment = instant(stamp, zone)
        _refuse_finer(column, moment.microsecond, value)
        return moment if column.timezone else moment.replace(tzinfo=None)

    return read


def date_reader(column: Column) -> Callable[[Any], date | None]:
    """Returns what reads one date of a column; it raises `Unreadable`, also for a stamp with a time of day.

    A stamp is a date as it is written, whatever its zone; an epoch is one in `x-timezone`, else in UTC.
    """
    as_written = stamp_reader(column)
    epoch_zone = (column.zone or UTC) if column.x_format in EPOCHS else None

    def read(value: Any) -> date | None:
        stamp = as_written(value)
        if stamp is not None and epoch_zone is not None:
            stamp = moved(stamp, epoch_zone)
        if stamp is not None and stamp.time() != time.min:
            raise Unreadable(f"has a time of day: {shown(value)}")
        return None if stamp is None else stamp.date()

    return read


def time_reader(column: Column) -> Callable[[Any], time]:
    """Returns what reads a time of day, `HH:MM` with or without seconds and fraction; raises `Unreadable`."""
    as_written = stamp_reader(Column(name=column.name))

    def read(value: Any) -> time:
        text = value.strip() if isinstance(value, str) else ""
        moment = as_written(f"1970-01-01T{text}") if _CLOCK.fullmatch(text) else None
        if moment is None:
            raise Unreadable(f"is not a time of day: {shown(value)}")
        _refuse_finer(column, moment.microsecond, value)
        return moment.time()

    return read


def _refuse_finer(column: Column, microsecond: int, value: Any) -> None:
    if microsecond % 10 ** (6 - column.second_digits):
        raise Unreadable(f"is finer than the column keeps: {shown(value)}")


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
