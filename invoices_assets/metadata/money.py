"""Amounts as a bookkeeper writes them."""

from __future__ import annotations

import re
from decimal import Decimal

_CODE = re.compile("[A-Z]{3}|[a-z]{3}")
_WITHOUT_CENTS = re.compile("BIF|CLP|DJF|GNF|ISK|JPY|KMF|KRW|PYG|RWF|UGX|UYI|VND|VUV|XAF|XOF|XPF")
"""The codes of ISO 4217 (list one, published 2024-06-25) whose minor unit has no digits."""


def code(currency: str | None) -> str:
    """The currency as a text that can stand anywhere: one that is no code of three letters is not repeated."""
    if currency is None:
        return ""
    return currency.upper() if _CODE.fullmatch(currency) else "other"


def money(amount: Decimal, currency: str | None) -> str:
    """An amount with its thousands apart, in cents where the currency has them: `1,204,331.20`.

    More digits than that are not rounded away.
    """
    digits = len(f"{amount:f}".partition(".")[2].rstrip("0"))
    least = 0 if _WITHOUT_CENTS.fullmatch(code(currency)) else 2
    return f"{amount:,.{max(least, digits)}f}"
