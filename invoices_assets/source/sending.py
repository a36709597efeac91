"""How the start of a question is written where a filter takes another notation than records have (`x-format`)."""

from __future__ import annotations

from typing import Any

from invoices_assets.errors import SourceError
from invoices_assets.source.columns.column import EPOCHS
from invoices_assets.source.resource import ResourceSpec
from invoices_assets.source.timestamps import CursorText, TimestampFormat


def as_sent(spec: ResourceSpec, start: Any) -> Any:
    """A start of the cursor as the API's filter takes it, so that placeholders can format it, too.

    It never lies behind the start: what the notation cannot say, such as the time of a day, is cut off.

    Parameters:
        spec: a resource with a cursor.
        start: in the notation of the records, or already as it is sent; None for no start.

    Raises:
        SourceError: it is in neither.
    """
    form = spec.cursor.sent_as if spec.cursor is not None else None
    records = TimestampFormat(spec)
    if form is None or start is None:
        return records.as_text(start)
    filters = TimestampFormat(spec, form=form)
    moment = records.as_datetime(start)
    if moment is None and filters.as_datetime(start) is None:
        raise SourceError(
            f"`x-format: {form}` of the filter of `{spec.name}` cannot be applied to {start!r}, which no `x-format` "
            "of the column of its stamps reads as a moment."
        )
    sent = start if moment is None else filters.start_at(moment, like=0 if form in EPOCHS else "")
    if not isinstance(sent, str):
        return sent
    text = CursorText(sent)
    text.moment = moment or filters.as_datetime(start)
    return text


def moment_sent(spec: ResourceSpec, start: Any) -> Any:
    """The moment that the API is asked from; None where it is asked from none that can be read."""
    form = spec.cursor.sent_as if spec.cursor is not None else None
    return None if start is None else TimestampFormat(spec, form=form).moment(as_sent(spec, start))
