"""Dates and stamps in the notations of running APIs, told by the values of a field and by its name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from invoices_assets.source.columns.column import Column
from invoices_assets.source.timestamps import from_iso, stamp_reader
from invoices_assets.source.values.exact_json import Unreadable

_NAMES = (
    "at on date time timestamp created updated modified changed issued start end since until expires expiry datetime "
    "tms attempt anchor day"
)
_WORDS = frozenset(_NAMES.split())
_YEARS = (946_684_800, 4_102_444_800)
"""Seconds from 1970 to the years 2000 and 2100."""
_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_ISO_STAMP = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}.*")
_ORDERED = (
    *("%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d"),
    *("%d %b %Y", "%b %d, %Y", "%B %d, %Y"),
)
_CLOCKS = ("", " %H:%M:%S", " %H:%M", " %I:%M %p", " %I:%M:%S %p")
_FORMATS = {
    **{f"{day}{clock}": "timestamp" if clock else "date" for clock in _CLOCKS for day in _ORDERED},
    "%a, %d %b %Y %H:%M:%S GMT": "timestamp",
    "%a, %d %b %Y %H:%M:%S %z": "timestamp",
    "%Y%m%d%H%M%S": "timestamp",
}
_NO_DATE = re.compile(r"0000-00-00.*")
_NO_ZONE = (
    "no zone stands in these stamps, so they are kept as written; `x-timezone: Europe/Berlin` makes instants of them"
)


def is_named(words: Sequence[str]) -> bool:
    """Whether the last word of a name is one for a moment, as in `paid_at`."""
    return bool(words) and words[-1] in _WORDS


def epoch_of(words: Sequence[str], values: Sequence[int]) -> str | None:
    """Which epoch numbers count, by their size and the name of the field; None where they are none."""
    if not _WORDS & set(words):
        return None
    given = [value for value in values if value]
    for form, unit in (("epoch_s", 1), ("epoch_ms", 1000)):
        if given and all(_YEARS[0] * unit <= value < _YEARS[1] * unit for value in given):
            return form
    return None


def column_of(words: Sequence[str], given: Sequence[str]) -> tuple[dict[str, Any], str]:
    """The hints for texts that are dates or stamps, and what is unproven of it; nothing where they are neither.

    Parameters:
        words: of the name of the field.
        given: the texts, none of them empty.
    """
    dated = [text.strip() for text in given if not _NO_DATE.fullmatch(text.strip())]
    if not dated:
        return {}, ""
    if all(_ISO_DAY.fullmatch(text) for text in dated):
        return {"data_type": "date"}, ""
    if all(_ISO_DAY.fullmatch(text) or _ISO_STAMP.fullmatch(text) for text in dated):
        return _iso(dated)
    return _formatted(words, dated)


def _iso(dated: Sequence[str]) -> tuple[dict[str, Any], str]:
    try:
        zones = {from_iso(text).tzinfo is not None for text in dated}
    except Unreadable:
        return {}, ""
    if zones == {True}:
        return {"data_type": "timestamp"}, ""
    if zones == {False}:
        return {"data_type": "timestamp", "timezone": False}, _NO_ZONE
    return {}, "some of these stamps have a zone and some have none, so that they stay text"


def _formatted(words: Sequence[str], dated: Sequence[str]) -> tuple[dict[str, Any], str]:
    if not any(char.isdigit() for char in dated[0]) or not (_WORDS & set(words) or len(dated[0]) >= len("1.1.2026")):
        return {}, ""
    forms = [form for form in _FORMATS if all(_reads(form, text) for text in dated)]
    if len(forms) > 1:
        return {}, f"day and month cannot be told apart, so that it stays text; `x-format` is one of {', '.join(forms)}"
    if not forms:
        return {}, ""
    form, kind = forms[0], _FORMATS[forms[0]]
    zone = {} if kind == "date" or form.endswith(("%z", "GMT")) else {"timezone": False}
    return {"data_type": kind, **zone, "x-format": form}, _NO_ZONE if zone else ""


def _reads(form: str, text: str) -> bool:
    try:
        found = stamp_reader(Column(name="", kind="timestamp", x_format=form))(text)
    except Unreadable:
        return False
    return isinstance(found, datetime) and 1900 <= found.year < 2200
