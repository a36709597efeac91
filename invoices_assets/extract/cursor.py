"""The incremental cursor: reads change stamps, keeps the furthest, and steps back by the overlap."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from invoices_assets.extract.errors import SourceError
from invoices_assets.extract.page import select
from invoices_assets.extract.source import ResourceSpec

UTC = timezone.utc
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


class Notation:
    """How an API writes its change stamps: ISO 8601, a `x-format` of the declared column, or a number."""

    def __init__(self, spec: ResourceSpec) -> None:
        cursor = spec.cursor
        column = spec.columns.get(cursor.path, {}) if cursor is not None else {}
        renamed = (hints for hints in spec.columns.values() if cursor and hints.get("x-from") == cursor.path)
        column = next(renamed, column)
        self._format = column.get("x-format")
        self._zone = ZoneInfo(column["x-timezone"]) if column.get("x-timezone") else UTC
        self._lag = cursor.lag if cursor is not None else 0.0

    def moment(self, value: Any) -> datetime | int | Decimal | None:
        """A stamp as something that can be compared; None if it cannot be read."""
        if isinstance(value, bool) or value is None:
            return None
        if self._format in ("epoch_s", "epoch_ms") or isinstance(value, (int, Decimal)):
            return self._number(value)
        text = str(value).strip()
        try:
            if self._format:
                return self._in_zone(datetime.strptime(text, self._format))
            if text.isdecimal() and not _DATE_ONLY.match(text):
                return int(text)
            return self._in_zone(_from_iso(text))
        except ValueError:
            return None

    def as_datetime(self, value: Any) -> datetime | None:
        """A stamp as a moment, where its notation says which; a bare number is none."""
        moment = self.moment(value)
        if isinstance(moment, datetime):
            return moment
        unit = {"epoch_s": 1, "epoch_ms": 1000}.get(str(self._format))
        if moment is None or unit is None:
            return None
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=float(moment) / unit)

    def start_after(self, last: Any) -> Any:
        """Where the next sweep starts: the last stamp, less the overlap, in the API's notation.

        The overlap is in the units of dlt's `lag`: seconds for stamps, days for dates, the number's own
        unit for numbers; a declared epoch is taken as seconds.
        """
        if not self._lag:
            return self.as_text(last)
        moment = self.moment(last)
        if moment is None:
            raise SourceError(f"the stored cursor `{last}` is no stamp that the source's declaration can read.")
        if not isinstance(moment, datetime):
            lag = self._lag * 1000 if self._format == "epoch_ms" else self._lag
            return type(last)(int(moment - int(lag)))
        by_day = isinstance(last, str) and (_DATE_ONLY.match(last) or (self._format and "%H" not in self._format))
        earlier = moment - (timedelta(days=self._lag) if by_day else timedelta(seconds=self._lag))
        return self.as_text(self.write(earlier, like=last))

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
        return int(number) if number == int(number) else number

    def _in_zone(self, moment: datetime) -> datetime:
        return moment if moment.tzinfo else moment.replace(tzinfo=self._zone)


class CursorReader:
    """Reads the change stamps of a pass.

    A stamp in the future, by the clocks of this machine, does not move the cursor: one wrong clock
    upstream would otherwise hide every change until then.
    """

    def __init__(self, spec: ResourceSpec, start: Any = None) -> None:
        self._path = spec.cursor.path if spec.cursor is not None else None
        self._notation = Notation(spec)
        self._start = None if start is None else self._notation.moment(start)
        self._furthest: Any = None
        self.last_value: Any = None
        self.without_stamp = 0
        self.in_future = 0
        self.before_start = 0

    def read(self, records: Sequence[Any]) -> None:
        """Reads the records of one page."""
        if self._path is None:
            return
        now = datetime.now(UTC)
        path = self._path
        stamps = [stamp_of(record, path) for record in records]
        if _in_text_order(stamps) and self._in_bounds(extremes := (min(stamps), max(stamps)), now):
            stamps = list(extremes)
        for stamp in dict.fromkeys(stamps):
            moment = self._notation.moment(stamp)
            if moment is None:
                self.without_stamp += stamps.count(stamp)
                continue
            instant = moment if isinstance(moment, datetime) else self._notation.as_datetime(stamp)
            if instant is not None and instant > now:
                self.in_future += stamps.count(stamp)
                continue
            if comparable(moment, self._start) and moment < self._start:  # type: ignore[operator]
                self.before_start += stamps.count(stamp)
            if self._furthest is None or (comparable(moment, self._furthest) and moment > self._furthest):
                self._furthest, self.last_value = moment, stamp

    def _in_bounds(self, extremes: tuple[str, str], now: datetime) -> bool:
        first, last = map(self._notation.moment, extremes)
        if not isinstance(first, datetime) or not isinstance(last, datetime) or last > now:
            return False
        return not (comparable(first, self._start) and first < self._start)  # type: ignore[operator]


def stamp_of(record: Any, path: str) -> Any:
    """The change stamp of a record as it came; None where it has none."""
    if not isinstance(record, dict):
        return None
    value = record.get(path)
    if value is None and path not in record:
        try:
            value = select(record, path)
        except KeyError:
            return None
    return value if isinstance(value, (str, int, Decimal)) else None


def comparable(one: Any, other: Any) -> bool:
    """Whether two moments are of one kind: both stamps, or both numbers."""
    return other is not None and isinstance(one, datetime) == isinstance(other, datetime)


def _in_text_order(stamps: Sequence[Any]) -> bool:
    """Whether the stamps are UTC texts of one length, which sort as the moments they stand for."""
    if not stamps or not all(type(stamp) is str for stamp in stamps):
        return False
    return len({len(stamp) for stamp in stamps}) == 1 and all(stamp.endswith("Z") for stamp in stamps)


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
    notation = Notation(spec)
    if notation.moment(since) is not None and not _DATE_ONLY.match(since) and not _ISO.match(since):
        return since
    try:
        moment = _from_iso(since.strip())
    except ValueError:
        raise SourceError(f"`since` must be a moment in ISO 8601, such as 2026-01-31T00:00:00Z, not `{since}`.") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    text = notation.write(moment, like="1970-01-01T00:00:00Z" if like is None else like)
    return notation.as_text(text)
