"""How the start of a question is written where a filter takes another notation than records have (`x-format`)."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from invoices_assets.errors import SourceError
from invoices_assets.source.columns.column import EPOCHS
from invoices_assets.source.resource import ResourceSpec
from invoices_assets.source.timestamps import TimestampFormat, from_iso, instant
from invoices_assets.source.values.exact_json import Unreadable


class CursorText(str):
    """A cursor in the API's own notation that a placeholder may also format as a moment.

    `{incremental.start_value:%a, %d %b %Y %H:%M:%S GMT}` gives the date of an `If-Modified-Since`
    header (RFC 9110, section 5.6.7), in UTC; `{incremental.start_value:.10}` the day of an ISO stamp.
    """

    moment: datetime | None = None

    @classmethod
    def of(cls, text: str, moment: datetime | None) -> CursorText:
        """The text, and the moment that it stands for; None where that is not known."""
        made = cls(text)
        made.moment = moment
        return made

    def __format__(self, spec: str) -> str:
        if "%" in spec and self.moment is not None:
            return self.moment.astimezone(UTC).strftime(spec)
        return super().__format__(spec)


def as_sent(spec: ResourceSpec, start: Any) -> Any:
    """A start of the cursor as the API's filter takes it, so that placeholders can format it, too.

    It never lies behind the start: what the notation cannot say, such as the time of a day, is cut off.

    Parameters:
        spec: a resource with a cursor.
        start: in the notation of the records, or already as it is sent, or the first day of a date window; None for no
            start.

    Raises:
        SourceError: it is in none of them.
    """
    sent, moment = _written(spec, start)
    return CursorText.of(sent, moment) if isinstance(sent, str) else sent


def moment_sent(spec: ResourceSpec, start: Any) -> Any:
    """The moment that the API is asked from; None where it is asked from none that can be read.

    Parameters and errors are those of `as_sent`.
    """
    form = spec.cursor.sent_as if spec.cursor is not None else None
    return None if start is None else TimestampFormat(spec, form=form).moment(_written(spec, start)[0])


def _written(spec: ResourceSpec, start: Any) -> tuple[Any, datetime | None]:
    """What is sent, and the moment that it stands for, if that is known."""
    form = spec.cursor.sent_as if spec.cursor is not None else None
    moment = TimestampFormat(spec).as_datetime(start)
    if moment is None and spec.cursor is not None and (moment := _first_of_window(spec, start)) is not None:
        # it is written in ISO 8601 whatever the notation of the API
        form = form or spec.column_of(spec.cursor.path).x_format
    if form is None or start is None:
        return start, moment
    filters = TimestampFormat(spec, form=form)
    if moment is not None:
        return filters.start_at(moment, like=0 if form in EPOCHS else ""), moment
    moment = filters.as_datetime(start)
    if moment is None:
        raise SourceError(
            f"`x-format: {form}` of the filter of `{spec.name}` cannot be applied to {start!r}, which no "
            "`x-format` of the column of its stamps reads as a moment."
        )
    return start, moment


def _first_of_window(spec: ResourceSpec, start: Any) -> datetime | None:
    """The moment of a start that is where the history begins, of a date window that is the filter by change, too."""
    cursor, window = spec.cursor, spec.window
    if cursor is None or window is None or (window.start_param, window.first) != (cursor.start_param, start):
        return None
    with suppress(Unreadable):
        return instant(from_iso(window.first), spec.column_of(window.path).zone or UTC)
    return None
