"""Exact JSON text: numbers written digit by digit as meant, and time stamps in any vendor's style."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

_quote = json.encoder.encode_basestring

_STAMP = re.compile(rb'"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d(?:\.\d+)?)Z"')
_DATE = re.compile(rb'"(\d{4}-\d\d-\d\d)"')


class Raw(str):
    """A piece of JSON text that `dumps` writes as it is, for numbers such as `1e3`, `-0.00` or `12.50`."""


def dumps(value: Any) -> str:
    """JSON text of a value; a Decimal becomes a JSON number with exactly its digits.

    Raises:
        TypeError: a value that JSON has no form for.
    """
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, str):
        return _quote(value)
    if value is None or isinstance(value, (bool, int, float)):
        return json.dumps(value)
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_quote(str(key))}:{dumps(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(dumps, value)) + "]"
    raise TypeError(f"{type(value).__name__} has no JSON form")


def loads(text: str | bytes) -> Any:
    """The value of a JSON text, with fractional numbers as Decimal."""
    return json.loads(text, parse_float=Decimal)


def iso(moment: datetime) -> str:
    """A moment in the sandbox's own style: `2026-11-16T08:30:00Z`, with a fraction only where there is
    one.
    """
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def parse_stamp(value: Any) -> datetime | None:
    """The moment that a stamp of any supported style means, or None if it cannot be read.

    Styles: ISO with `T` or a space, with or without a zone (none means UTC), a date alone (its midnight UTC),
        epoch
    seconds or milliseconds (above 10**11, which as seconds would be after the year 5000), an HTTP date.
    """
    text = str(value).strip()
    try:
        if re.fullmatch(r"-?\d{5,}(\.\d+)?", text):
            number = float(text)
            return datetime.fromtimestamp(number / 1000 if number > 1e11 else number, UTC)
        if re.match(r"\d{4}-\d\d-\d\d", text):
            moment = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text))
        else:
            moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError, OSError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _dated(day: bytes, style: str) -> bytes:
    return b'"%s"' % datetime.strptime(day.decode(), "%Y-%m-%d").strftime(style).encode()


def _epoch(day: bytes, time: bytes) -> Decimal:
    moment = parse_stamp(f"{day.decode()}T{time.decode()}Z")
    assert moment is not None
    return Decimal(str(moment.timestamp()))


STAMP_STYLES: dict[str, Callable[[bytes, bytes], bytes]] = {
    "iso_space": lambda day, time: b'"%s %s"' % (day, time),
    "iso_no_zone": lambda day, time: b'"%sT%s"' % (day, time),
    "iso_offset": lambda day, time: b'"%sT%s+00:00"' % (day, time),
    "epoch_s": lambda day, time: b"%d" % int(_epoch(day, time)),
    "epoch_ms": lambda day, time: b"%d" % int(_epoch(day, time) * 1000),
    "day": lambda day, time: b'"%s"' % day,
}
"""How `restyle` can write a stamp, besides the sandbox's own style (`iso_z`)."""


def restyle(text: bytes, stamps: str, dates: str) -> bytes:
    """One record's JSON text with every time stamp and every date written in another style.

    Parameters:
        text: JSON in the sandbox's own style.
        stamps: `iso_z` (as it is) or a key of `STAMP_STYLES`.
        dates: a strftime format for dates without a time; `%Y-%m-%d` leaves them as they are.
    """
    if dates != "%Y-%m-%d":
        text = _DATE.sub(lambda found: _dated(found[1], dates), text)
    if stamps != "iso_z":
        text = _STAMP.sub(lambda found: STAMP_STYLES[stamps](found[1], found[2]), text)
    return text
