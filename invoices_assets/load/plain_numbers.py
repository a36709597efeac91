"""Tells from the bytes of JSON whether pyarrow reads its numbers exactly.

Arrow 26 reads numbers with an exponent and numbers of very many digits into decimals without a check: 1e34 wraps
around to another number, 1e-40 becomes 0, and 1e-9999999 crashes the process. Plain numbers are read exactly, or
refused; that is what `invoices_assets_tests/test_vectorized.py` holds it to. It also makes a number of the text "5".
"""

from __future__ import annotations

import re

# every digit and point becomes 0, so that a number is found by its form
_FORM = bytes.maketrans(b"123456789.E+", b"0000000000e-")
_EXPONENT = re.compile(rb"0e-?0")
# an id of hexadecimal digits has letters before its digits; a number has a sign at most
_NUMBER = re.compile(rb"[\s:,\[\"]-?0+$")
_QUOTED = re.compile(rb'"0+"')


class Numbers:
    """The numbers in a text.

    Parameters:
        text: JSON in UTF-8.
    """

    def __init__(self, text: bytes) -> None:
        self._form = text.translate(_FORM)

    def are_plain(self, longest: int) -> bool:
        """Whether none has an exponent or more than so many digits; strings of digits count as numbers.

        Parameters:
            longest: digits and point of the longest number that is plain.
        """
        form = self._form
        return b"0" * (longest + 1) not in form and not any(
            _NUMBER.search(form, max(0, found.start() - longest - 2), found.start() + 1)
            for found in _EXPONENT.finditer(form)
        )

    def are_quoted(self) -> bool:
        """Whether a string may be a number, such as "5", "-0.5" or "+1"; for plain numbers."""
        form = self._form
        # behind a backslash is a quotation mark within a string
        return b'"-0' in form or any(form[found.start() - 1] != ord("\\") for found in _QUOTED.finditer(form))
