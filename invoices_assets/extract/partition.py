"""Date windows: stretches of a long history that are swept one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from invoices_assets.errors import SourceError
from invoices_assets.extract.watermark import stamp_reader_of
from invoices_assets.source.resource import ResourceSpec
from invoices_assets.source.timestamps import TimestampFormat

TOLERANCE = timedelta(days=1)
"""How far a record may lie outside: zones, whole days and inclusive ends differ; more records do no harm."""


@dataclass(frozen=True)
class DateWindow:
    """From `start` up to, but without, `end`; both with a time zone."""

    start: datetime
    end: datetime

    def parameters(self, spec: ResourceSpec) -> dict[str, Any]:
        """What to ask for it, as the API writes moments.

        Raises:
            SourceError: the source declares no window.
        """
        window = spec.window
        if window is None:
            raise SourceError(f"`{spec.name}` declares no `end_param`, so it has no partitions.")
        timestamp_format = TimestampFormat(spec, window.path, window.sent_as)
        start = timestamp_format.stepped_back(timestamp_format.write(self.start, like=window.first), window.lag)
        return {window.start_param: start, window.end_param: timestamp_format.write(self.end, like=window.first)}


class OutsideCount:
    """Counts the records of a pass that lie outside of the window that was asked for, as `outside`."""

    def __init__(self, spec: ResourceSpec, dates: DateWindow | None) -> None:
        path = spec.window.path if spec.window is not None and dates is not None else None
        self._stamp = None if path is None else stamp_reader_of(spec, path)
        self._format = TimestampFormat(spec, path)
        self._dates = dates
        self.outside = 0

    def read(self, records: Sequence[Any]) -> None:
        """Reads the records of one page."""
        if self._stamp is None or self._dates is None:
            return
        first, last = self._dates.start - TOLERANCE, self._dates.end + TOLERANCE
        for record in records:
            moment = self._format.as_datetime(self._stamp(record))
            self.outside += moment is not None and not first <= moment <= last
