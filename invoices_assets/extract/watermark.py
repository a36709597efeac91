"""The incremental cursor: reads the change stamps of a pass and keeps the furthest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

from invoices_assets.source.columns.fields import field_reader, is_no_date
from invoices_assets.source.resource import ResourceSpec
from invoices_assets.source.sending import moment_sent
from invoices_assets.source.timestamps import TimestampFormat, is_later
from invoices_assets.source.values.paths import reader_of


class Watermark:
    """Reads the change stamps of a pass, which begins as this is made.

    A stamp from after the beginning does not move the cursor. While a pass takes its time, a record that was
    read already may change, and another one, still to be read, a little later; the stamp of the second would
    hide the change of the first. And one wrong clock upstream, far in the future, would hide every change
    until then.

    Parameters:
        start: where the question began, as it is kept; None for no start.

    Attributes:
        last_value: the furthest stamp, in the API's notation.
        without_stamp, in_future, before_start: records without a readable stamp, with one from after the beginning,
            with one from before the start.
        unreadable: those without a readable stamp that have something in its place.
    """

    def __init__(self, spec: ResourceSpec, start: Any = None) -> None:
        self._stamp = stamp_reader_of(spec, spec.cursor.path) if spec.cursor is not None else None
        self._format = TimestampFormat(spec)
        self._start = moment_sent(spec, start)
        self._began = datetime.now(UTC)
        self._furthest: Any = None
        self.last_value: Any = None
        self.without_stamp = 0
        self.unreadable = 0
        self.in_future = 0
        self.before_start = 0

    def read(self, records: Sequence[Any]) -> None:
        """Reads the records of one page."""
        if self._stamp is None:
            return
        stamps = list(map(self._stamp, records))
        if self._format.is_iso and _in_text_order(stamps) and self._in_bounds(extremes := (min(stamps), max(stamps))):
            stamps = list(extremes)
        for stamp in dict.fromkeys(stamps):
            moment = self._format.moment(stamp)
            if moment is None:
                self.without_stamp += stamps.count(stamp)
                self.unreadable += 0 if is_no_date(stamp) else stamps.count(stamp)
                continue
            if isinstance(moment, datetime) and moment > self._began:
                self.in_future += stamps.count(stamp) if moment > datetime.now(UTC) else 0
                continue
            if is_later(self._start, moment):
                self.before_start += stamps.count(stamp)
            if self._furthest is None or is_later(moment, self._furthest):
                self._furthest, self.last_value = moment, stamp

    def _in_bounds(self, extremes: tuple[str, str]) -> bool:
        first, last = map(self._format.moment, extremes)
        if not isinstance(first, datetime) or not isinstance(last, datetime) or last > self._began:
            return False
        return not is_later(self._start, first)


def stamp_reader_of(spec: ResourceSpec, path: str) -> Callable[[Any], Any]:
    """Returns what gives the stamp of a record as it came; None where it has none.

    Parameters:
        path: of the field, or the name of the column that is made of it.
    """
    fields = spec.fields_of(path)
    if fields == (path,):
        return partial(stamp_of, path=path)
    find = field_reader(spec.columns, spec.column_of(path), fields[0])
    return lambda record: _as_stamp(find(record))


def stamp_of(record: Any, path: str) -> Any:
    """The stamp at a place of a record as it came; None where it has none."""
    return _as_stamp(reader_of(path)(record)) if isinstance(record, dict) else None


def _as_stamp(value: Any) -> Any:
    return value if isinstance(value, (str, int, Decimal)) else None


def _in_text_order(stamps: Sequence[Any]) -> bool:
    """Whether the stamps are UTC texts of one length, which sort as the moments they stand for."""
    if not stamps or not all(type(stamp) is str for stamp in stamps):
        return False
    return len({len(stamp) for stamp in stamps}) == 1 and all(stamp.endswith("Z") for stamp in stamps)
