"""Tells from the bytes of JSON whether pyarrow reads its numbers exactly.

Arrow 26 reads numbers with an exponent and numbers of very many digits into decimals without a check: 1e34 wraps
around to another number, 1e-40 becomes 0, and 1e-9999999 crashes the process. Plain numbers are read exactly, or
refused; that is what `invoices_assets_tests/test_vectorized.py` holds it to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_SHAPE = bytes.maketrans(b"123456789.E", b"0000000000e")
_EXPONENTS = b"0e0", b"0e-0", b"0e+0"
# an id of hexadecimal digits has letters before its digits; a number has a sign at most
_NUMBER = re.compile(rb"[\s:,\[\"][-+]?0+$")


def are_plain(text: bytes, longest: int) -> bool:
    """Whether no number has an exponent or more than so many digits; strings of digits count as numbers.

    Parameters:
        text: JSON in UTF-8.
        longest: digits and point of the longest number that is plain.
    """
    shape = text.translate(_SHAPE)
    if b"0" * (longest + 1) in shape:
        return False
    return not any(
        _NUMBER.search(shape, max(0, found - longest - 2), found + 1)
        for exponent in _EXPONENTS
        for found in _all(exponent, shape)
    )


def _all(wanted: bytes, text: bytes) -> Iterator[int]:
    found = text.find(wanted)
    while found >= 0:
        yield found
        found = text.find(wanted, found + 1)
