"""How an API writes its change stamps: reads them, compares them, and writes moments the same way."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from invoices_assets.errors import SourceError
from invoices_assets.source.columns import Column
from invoices_assets.source.resource import ResourceSpec


def is_later(one: Any, other: Any) -> bool:
    """Whether one moment is later than another; False where one is missing, or is a time and the other a number."""
    are_comparable = isinstance(one, datetime) == isinstance(other, datetime)
    return one is not None and other is not None and are_comparable and bool(one > other)


UTC = UTC
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCHS = {"epoch_s": 1, "epoch_ms": 1000}
_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799
"""Of the calendar that Python has, the years 1 to 9999, in seconds since 1970."""

_DATE_ONLY = re.compile(r"\d{4}-?\d{2}-?\d{2}$")
_ISO = re.compile(r"(\d{4}-\d{2}-\d{2})([T ])(\d{2}:\d{2}(?::\d{2})?)(\.\d+)?\s*(Z|z|[+-]\d{2}:?\d{2}|[+-]\d{2})?$")


class CursorText(str):
    """A cursor in the API's own notation that a placeholder may also format as a moment.

    `{incremental.start_value:%a, %d %b %Y %H:%M:%S GMT}` gives the date of an `If-Modified-Since`
    header (RFC 9110, section 5.6.7), in UTC; `{incremental.start_value:.10}` the day of an ISO stamp.
    """

    moment: datetime | None = None

    def __format__(self, spec: str) -> str:
        if "%" in spec and self.moment is not None:
            return self.moment.astimezone(UTC).strftime(spec)
        return super().__format__(spec)


class TimestampFormat:
    """How an API writes the stamps of one field: ISO 8601, a `x-format` of its column, or a number.

    Parameters:
        spec: the resource.
        path: of the field in a record; the cursor's, if left out.
    """

    def __init__(self, spec: ResourceSpec, path: str | None = None) -> None:
        if path is None and spec.cursor is not None:
            path = spec.cursor.path
        column = spec.column_of(path) if path is not None else Column(name="")
        self._format = column.x_format
        self._zone = column.zone or UTC
        self._lag = spec.cursor.lag if spec.cursor is not None else 0.0
        self._initial = spec.cursor.initial_value if spec.cursor is not None else None

    @property
    def is_iso(self) -> bool:
        """Whether stamps are ISO 8601, as far as the declaration says."""
        return self._format is None

    def moment(self, value: Any) -> datetime | int | Decimal | None:
        """A stamp as something that can be compared; None if it cannot be read."""
        if isinstance(value, bool) or value is None:
            return None
        if self._format in _EPOCHS or isinstance(value, (int, Decimal)):
            return self._number(value)
        text = str(value).strip()
        try:
            if self._format:
                return self._in_zone(datetime.strptime(text, self._format))
            if text.isdecimal() and not _DATE_ONLY.match(text):
                return int(text)
            return self._in_zone(_from_iso(text))
        except (ValueError, OverflowError):
            return None

    def as_datetime(self, value: Any) -> datetime | None:
        """A stamp as a moment, where its notation says which; a bare number is none."""
        moment = self.moment(value)
        if isinstance(moment, datetime) or moment is None:
            return moment
        unit = _EPOCHS.get(str(self._format))
        return _EPOCH + timedelta(seconds=float(moment) / unit) if unit else None

    def local(self, value: Any) -> datetime | int | Decimal | None:
        """A stamp as a moment in the zone of the API's stamps, so that its date is theirs; or as a number."""
        moment = self.as_datetime(value)
        return moment.astimezone(self._zone) if moment is not None else self.moment(value)

    def start_after(self, last: Any) -> Any:
        """Where the next sweep starts: the last stamp, less the overlap, in the API's notation.

        The overlap is in the units of dlt's `lag`: seconds for stamps, days for dates, the number's own
        unit for numbers; a declared epoch is taken as seconds.
        """
        if self.moment(last) is None:
            raise SourceError(
                f"the stored cursor `{last}` is no stamp that the source's declaration can read; "
                "a run with `mode: full` sets it anew."
            )
        start = self.stepped_back(last, self._lag)
        return self.as_text(self._initial if self._crosses_initial_value(start) else start)

    def stepped_back(self, value: Any, lag: float) -> Any:
        """An earlier stamp, in the same notation; `lag` in the units of `start_after`."""
        moment = self.moment(value)
        if not lag or moment is None:
            return value
        if not isinstance(moment, datetime):
            steps = int(lag * 1000 if self._format == "epoch_ms" else lag)
            return type(value)(int(moment - steps))
        if self._is_day(value):
            return self.write(moment.astimezone(self._zone) - timedelta(days=lag), like=value)
        return self.write(moment - timedelta(seconds=lag), like=value)

    def write(self, moment: datetime, like: Any) -> Any:
        """A moment in the notation of another value of this API."""
        if self._format == "epoch_ms":
            return type(like)(int(moment.timestamp() * 1000))
        if self._format == "epoch_s" or not isinstance(like, str):
            return type(like)(int(moment.timestamp()))
        local = moment.astimezone(self._zone)
        if self._format:
            return local.strftime(self._format)
        if _DATE_ONLY.match(like):
            return local.strftime("%Y-%m-%d" if "-" in like else "%Y%m%d")
        parts = _ISO.match(like)
        separator, fraction, zone = (parts[2], parts[4], parts[5]) if parts else ("T", None, "Z")
        if zone and zone not in "Zz":
            local = moment.astimezone(_from_iso(like).tzinfo)
        elif zone:
            local = moment.astimezone(UTC)
        digits = f".{local.microsecond:06d}"[: len(fraction)] if fraction else ""
        return f"{local:%Y-%m-%d}{separator}{local:%H:%M:%S}{digits}{zone or ''}"

    def as_text(self, value: Any) -> Any:
        """A start that placeholders can also format as a moment; a number stays a number."""
        if not isinstance(value, str):
            return value
        text = CursorText(value)
        text.moment = self.as_datetime(value)
        return text

    def _number(self, value: Any) -> int | Decimal | None:
        try:
            number = Decimal(str(value).strip())
        except ArithmeticError:
            return None
        if not number.is_finite():
            return None
        unit = _EPOCHS.get(str(self._format))
        if unit and not _FIRST_SECOND <= number / unit <= _LAST_SECOND:
            return None
        return int(number) if number == int(number) else number

    def _is_day(self, stamp: Any) -> bool:
        """Whether stamps like this one say no more than a day."""
        if not isinstance(stamp, str):
            return False
        if self._format:
            noon = datetime(2000, 1, 1, 12)
            return datetime.strptime(noon.strftime(self._format), self._format) != noon
        return _DATE_ONLY.match(stamp) is not None

    def _crosses_initial_value(self, start: Any) -> bool:
        first: Any = self.moment(self._initial)
        begins: Any = self.moment(start)
        if first is None or isinstance(first, datetime) != isinstance(begins, datetime):
            return False
        return bool(begins < first)

    def _in_zone(self, moment: datetime) -> datetime:
        # in UTC: datetimes of one zone are compared and shifted by their wall clock, summer time or not
        return (moment if moment.tzinfo else moment.replace(tzinfo=self._zone)).astimezone(UTC)


def _from_iso(text: str) -> datetime:
    """ISO 8601 as running APIs write it; `datetime.fromisoformat` of Python 3.10 knows less."""
    if _DATE_ONLY.match(text):
        return datetime.strptime(text.replace("-", ""), "%Y%m%d")
    parts = _ISO.match(text)
    if parts is None:
        raise ValueError(text)
    day, _, clock, fraction, zone = parts.groups()
    zone = "+00:00" if zone in ("Z", "z") else (zone or "")
    if zone and ":" not in zone:
        zone = f"{zone[:3]}:{zone[3:] or '00'}"
    return datetime.fromisoformat(f"{day}T{clock}{(fraction or '')[:7].ljust(7, '0') if fraction else ''}{zone}")


def parse_since(spec: ResourceSpec, since: str, like: Any) -> Any:
    """A moment that a person gave, in the API's notation.

    Parameters:
        since: ISO 8601, or already in the API's notation.
        like: a stamp of this API; None where none is known yet.

    Raises:
        SourceError: it is no moment.
    """
    notation = TimestampFormat(spec)
    if notation.moment(since) is not None and not _DATE_ONLY.match(since) and not _ISO.match(since):
        return since
    try:
        moment = _from_iso(since.strip())
    except ValueError:
        raise SourceError(
            f"`since` must be a moment in ISO 8601, such as 2026-01-31T00:00:00Z, not `{since}`."
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if like is None and spec.cursor is not None:
        like = "1970-01-01" if spec.column_of(spec.cursor.path).kind == "date" else "1970-01-01T00:00:00Z"
    text = notation.write(moment, like)
    return notation.as_text(text)
