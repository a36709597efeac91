"""Moments as APIs write them: read exactly, compared, stepped back, and written in the same way again."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import cached_property
from typing import Any

from invoices_assets.errors import SourceError
from invoices_assets.source.columns.column import EPOCHS, Column
from invoices_assets.source.columns.fields import NO_DATE
from invoices_assets.source.resource import ResourceSpec
from invoices_assets.source.values.exact_json import Unreadable
from invoices_assets.source.values.numbers import exact_number, scaled, shown

_MIDNIGHT = "1970-01-01T00:00:00Z"
_EPOCH = datetime.fromisoformat(_MIDNIGHT)
_ISO_8601 = "ISO 8601 (a number of seconds needs `x-format`)"
_ISO = re.compile(
    r"(?P<day>\d{4}-\d{2}-\d{2}|\d{8}$)"
    r"(?:(?P<separator>[Tt ])(?P<clock>\d{2}(?::\d{2}(?::\d{2}(?P<fraction>[.,]\d+)?)?)?)"
    r"(?P<zone> ?(?:[Zz]|[+-]\d{2}(?::?[0-5]\d)?))?)?",
    re.ASCII,
)
_FINER = re.compile(r"[.,]\d{6}\d*[1-9]", re.ASCII)


def is_later(one: Any, other: Any) -> bool:
    """Whether one moment is later than another; False where one is missing, or is a time and the other a number."""
    are_comparable = isinstance(one, datetime) == isinstance(other, datetime)
    return one is not None and other is not None and are_comparable and bool(one > other)


def from_iso(text: str) -> datetime:
    """Reads ISO 8601 as running APIs write it; what is finer than a microsecond is cut off.

    Parameters:
        text: `2026-01-31`, `20260131`, `2026-01-31T12:00:00.5+01:00`, `2026-01-31 12:00:00`, or with less of a time.

    Raises:
        Unreadable: it is something else, or no day or time that exists.
    """
    found = _ISO.fullmatch(text)
    if found is None:
        raise Unreadable(f"is not in {_ISO_8601}: {shown(text)}")
    zone = (found["zone"] or "").strip().upper()
    try:
        if (found["clock"] or "").startswith("24"):
            raise ValueError  # newer versions of Python take it for the next day
        return datetime.fromisoformat(f"{found['day']}T{found['clock'] or '00'}{zone}")
    except ValueError:
        raise Unreadable(f"is not a day or time that exists: {shown(text)}") from None


def stamp_reader(column: Column, *, exact: bool = True) -> Callable[[Any], datetime | None]:
    """Returns what reads a value as written: a stamp with its zone, one without, or None for no date.

    It raises `Unreadable` for a value that is none of these.

    Parameters:
        column: its `x_format` says how values are written; ISO 8601 without one.
        exact: refuse what is finer than a microsecond, which is cut off otherwise.
    """
    form = column.x_format
    wanted = f"the format {form}" if form else _ISO_8601

    def read(value: Any) -> datetime | None:
        text = value.strip() if isinstance(value, str) else None
        if text is not None and NO_DATE.fullmatch(text):
            return None
        if form in EPOCHS:
            return _from_epoch(value, EPOCHS[form], exact=exact)
        if text is None:
            raise Unreadable(f"is not a text in {wanted}: {shown(value)}")
        if form is None:
            if exact and _FINER.search(text):
                raise Unreadable(f"is finer than a microsecond: {shown(value)}")
            return from_iso(text)
        try:
            return datetime.strptime(text, form)
        except (ValueError, OverflowError):
            raise Unreadable(f"is not in {wanted}: {shown(value)}") from None

    return read


def instant(stamp: datetime, zone: tzinfo) -> datetime:
    """A stamp in UTC, in which moments can be compared and shifted, summer time or not.

    Parameters:
        zone: of a stamp without one. An hour that it has twice is the first one.

    Raises:
        Unreadable: a local time that the zone skips, or beyond the years 1 to 9999.
    """
    if stamp.tzinfo is not None:
        return moved(stamp, UTC)
    moment = moved(stamp.replace(tzinfo=zone), UTC)
    if moved(moment, zone).replace(tzinfo=None) != stamp:
        raise Unreadable(f"is a local time that {zone} skips: {shown(stamp.isoformat())}")
    return moment


class TimestampFormat:
    """How an API writes the stamps of one field: ISO 8601, a `x-format` of its column, or a bare number.

    Parameters:
        spec: the resource.
        path: of the field in a record; the cursor's, if left out.
        form: an `x-format` to be used instead of the column's.
    """

    def __init__(self, spec: ResourceSpec, path: str | None = None, form: str | None = None) -> None:
        cursor = spec.cursor
        path = path or (cursor.path if cursor is not None else None)
        column = spec.column_of(path) if path is not None else Column(name="")
        if form is not None:
            column = column.model_copy(update={"kind": "timestamp", "x_format": form})
        self._form = column.x_format or ""
        self._zone = column.zone or UTC
        self._has_zone = column.zone is not None
        self._read = stamp_reader(column, exact=False)
        self._lag = cursor.lag if cursor is not None else 0.0
        self._initial = cursor.initial_value if cursor is not None else None

    @property
    def is_iso(self) -> bool:
        """Whether stamps are ISO 8601, as far as the declaration says."""
        return not self._form

    def moment(self, value: Any) -> datetime | int | Decimal | None:
        """A stamp as something that can be compared; None if it cannot be read."""
        if value is None or isinstance(value, bool):
            return None
        try:
            if not self._form:
                if isinstance(value, int | Decimal):
                    return value
                if (text := str(value).strip()).isdecimal() and not _ISO.fullmatch(text):
                    return int(text)
            stamp = self._read(value)
            return None if stamp is None else instant(stamp, self._zone)
        except ValueError:
            return None

    def as_datetime(self, value: Any) -> datetime | None:
        """A stamp as a moment; a bare number is none."""
        moment = self.moment(value)
        return moment if isinstance(moment, datetime) else None

    def local(self, value: Any) -> datetime | int | Decimal | None:
        """A stamp as a moment in the zone of the API's stamps, so that its date is theirs; or as a number."""
        moment = self.moment(value)
        return moment.astimezone(self._zone) if isinstance(moment, datetime) else moment

    def start_after(self, last: Any) -> Any:
        """Where the next sweep starts: the last stamp, less the overlap, in the API's notation.

        The overlap is in the units of dlt's `lag`: seconds for stamps and declared epochs, days for dates, the
        number's own unit for bare numbers.

        Raises:
            SourceError: the declaration cannot read that stamp.
        """
        if self.moment(last) is None:
            raise SourceError(
                f"the stored cursor `{last}` is no stamp that the source's declaration can read; "
                "a run with `mode: full` sets it anew."
            )
        start = self.stepped_back(last, self._lag)
        is_before_all = is_later(self.moment(self._initial), self.moment(start))
        return self._initial if is_before_all else start

    def stepped_back(self, value: Any, lag: float) -> Any:
        """A start that lies earlier, in the same notation; `lag` in the units of `start_after`.

        Raises:
            SourceError: it would lie before all days.
        """
        try:
            return self._stepped_back(value, lag)
        except OverflowError:
            raise SourceError(
                f"`lag: {lag:g}` reaches back behind the year 1 from `{value}`; it is in seconds, for dates in days."
            ) from None

    def _stepped_back(self, value: Any, lag: float) -> Any:
        moment = self.moment(value)
        if moment is None:
            return value
        if not isinstance(moment, datetime):
            return type(value)(int(moment - int(lag))) if lag else value
        if self._is_day(value):
            return self.write(moment.astimezone(self._zone) - timedelta(days=lag), like=value) if lag else value
        start = moment - timedelta(seconds=lag)
        return value if self._unambiguous(start, value) == moment else self.start_at(start, like=value)

    def start_at(self, moment: datetime, like: Any) -> Any:
        """As `write`, for the start of a question: early enough, whatever the API takes a doubled hour for."""
        return self.write(self._unambiguous(moment, like), like)

    def write(self, moment: datetime, like: Any) -> Any:
        """A moment in the notation of another value of this API."""
        if self._form in EPOCHS or not isinstance(like, str):
            unit = timedelta(microseconds=10 ** (6 + EPOCHS.get(self._form, 0)))
            return type(like)((moment - _EPOCH) // unit)
        local = moment.astimezone(self._zone)
        if self._form:
            return local.strftime(self._form)
        found = _ISO.fullmatch(like) or _ISO.fullmatch(_MIDNIGHT)
        assert found is not None
        if not found["clock"]:
            return local.strftime("%Y-%m-%d" if "-" in like else "%Y%m%d")
        zone, fraction = found["zone"] or "", found["fraction"]
        if zone:
            local = moment.astimezone(from_iso(found[0]).tzinfo)
        digits = f"{fraction[0]}{local.microsecond:06d}"[: len(fraction)] if fraction else ""
        return f"{local:%Y-%m-%d}{found['separator']}{local:%H:%M:%S}{digits}{zone}"

    def _unambiguous(self, moment: datetime, like: Any) -> datetime:
        """The moment, or an hour before the first of two hours that clocks show alike when summer time ends.

        Such an hour is written without a zone, so the API may take it for the second one, or compare texts.
        """
        if not self._is_local(like):
            return moment
        local = moment.astimezone(self._zone).replace(fold=0)
        doubled = (local.utcoffset() or timedelta()) - (local.replace(fold=1).utcoffset() or timedelta())
        return local.astimezone(UTC) - doubled if doubled > timedelta() else moment

    def _is_local(self, like: Any) -> bool:
        """Whether moments like this one are written by a clock on a wall, without a zone."""
        if self._form:
            return self._form not in EPOCHS and "z" not in re.findall("%(.)", self._form)
        found = _ISO.fullmatch(like) if isinstance(like, str) else None
        return found is not None and found["clock"] is not None and found["zone"] is None

    def is_zone_assumed(self, stamp: Any) -> bool:
        """Whether a stamp is read as UTC because neither it nor the declaration names a zone."""
        return not self._has_zone and self._is_local(stamp)

    def _is_day(self, stamp: Any) -> bool:
        """Whether stamps like this one say no more than a day."""
        if self._form:
            return self._form_is_of_days
        found = _ISO.fullmatch(stamp) if isinstance(stamp, str) else None
        return found is not None and found["clock"] is None

    @cached_property
    def _form_is_of_days(self) -> bool:
        noon = datetime(2000, 1, 1, 12, tzinfo=UTC)
        return self._form not in EPOCHS and datetime.strptime(noon.strftime(self._form), self._form).hour != noon.hour


def parse_since(spec: ResourceSpec, since: str, like: Any) -> Any:
    """A moment that a person gave, in the API's notation.

    Parameters:
        since: ISO 8601, or already in the API's notation.
        like: a stamp of this API; None where none is known yet.

    Raises:
        SourceError: it is no moment.
    """
    timestamp_format = TimestampFormat(spec)
    since = since.strip()
    if timestamp_format.moment(since) is not None and not _ISO.fullmatch(since):
        return since
    try:
        moment = instant(from_iso(since), UTC)
    except Unreadable:
        raise SourceError(f"`since` must be a moment in ISO 8601, such as {_MIDNIGHT}, not `{since}`.") from None
    if like is None and spec.cursor is not None:
        like = _MIDNIGHT[:10] if spec.column_of(spec.cursor.path).kind == "date" else _MIDNIGHT
    return timestamp_format.start_at(moment, like)


def _from_epoch(value: Any, power: int, *, exact: bool) -> datetime:
    micros = scaled(exact_number(value), 6 + power)
    if micros.adjusted() > 18:
        raise Unreadable(f"is outside the calendar: {shown(value)}")
    if exact and micros != micros.to_integral_value():
        raise Unreadable(f"is finer than a microsecond: {shown(value)}")
    try:
        return _EPOCH + timedelta(microseconds=int(micros))
    except OverflowError:
        raise Unreadable(f"is outside the calendar: {shown(value)}") from None


def moved(stamp: datetime, zone: tzinfo) -> datetime:
    """A moment in another zone; it raises `Unreadable` beyond the years 1 to 9999."""
    try:
        return stamp.astimezone(zone)
    except OverflowError:
        raise Unreadable(f"is outside the calendar: {shown(stamp.isoformat())}") from None
