"""Numbers of an API, digit by digit, and its flags."""

from __future__ import annotations

import re
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal, DecimalException, InvalidOperation, Overflow
from typing import Any

from invoices_assets.source.values.exact_json import Unreadable, json_text

_NUMERIC_TEXT = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_UNBOUNDED = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[InvalidOperation, Overflow])
_FLAGS = {"true": True, "false": False, "1": True, "0": False}
MOST_DIGITS = 100
"""Numbers with more digits before or after the point keep their exponent as text; no column holds them as a number."""
_LONGEST_SHOWN = 60
# Without the exponent of a zero such as 0E+999999999, which would have to be written out as an integer.
_ZERO = Decimal(0)


def shown(value: Any) -> str:
    """A value for a sentence: whole or not at all, so that no part of a secret escapes redaction by value."""
    text = json_text(value)
    return text if len(text) <= _LONGEST_SHOWN else f"a value of {len(text)} characters"


def exact_number(value: Any) -> Decimal:
    """The number that a JSON number or a numeric text is.

    Raises:
        Unreadable: anything else, also true, NaN, an empty text, or thousands separators.
    """
    number: Decimal | None = None
    if type(value) is int:
        number = Decimal(value)
    elif type(value) is Decimal and value.is_finite():
        number = value
    elif type(value) is str and _NUMERIC_TEXT.fullmatch(value.strip()):
        number = _read(value.strip())
    if number is None:
        raise Unreadable(f"is not a number that can be stored: {shown(value)}")
    return number or _ZERO


def _read(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except DecimalException:
        return None


def scaled(number: Decimal, power: int) -> Decimal:
    """`number` times ten to the `power`, with all of its digits.

    Raises:
        Unreadable: the result is beyond what a Decimal can be.
    """
    try:
        return _UNBOUNDED.scaleb(number, power)
    except DecimalException:
        raise Unreadable("is a number that cannot be stored") from None


def plain_text(number: Decimal) -> str:
    """The one text of a number: its digits without zeros behind them, however the API writes it (`1.50`, `1.5e0`)."""
    if not number:
        return "0"
    if not number.is_finite() or abs(number.adjusted()) > MOST_DIGITS:
        return str(number)
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def flag(value: Any) -> bool:
    """A yes or no, also as a text or as 0 or 1.

    Raises:
        Unreadable: it is neither.
    """
    if type(value) in (bool, int, str):
        found = _FLAGS.get(value.strip() if type(value) is str else json_text(value))
        if found is not None:
            return found
    raise Unreadable(f"is neither true nor false: {shown(value)}")
