"""Tells from the bytes of JSON whether pyarrow reads its numbers exactly.

Arrow 26 reads numbers with an exponent and numbers of very many digits into decimals without a check: 1e34 wraps
around to another number, 1e-40 becomes 0, and 1e-9999999 crashes the process. Plain numbers are read exactly, or
refused; that is what `invoices_assets_tests/test_vectorized.py` holds it to. It also makes a number of the text "5".
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute

_compute: Any = pyarrow.compute  # its functions are made at import, so that type checkers know none

_EXPONENT = r'[\s:,\["][-+]?[0-9.]+[eE][-+]?[0-9]'
_QUOTED = r'[\s:,\[]"[-+]?[0-9.]+"'


def are_plain(text: bytes, longest: int, *, unquoted: bool) -> bool:
    """Whether no number has an exponent or more than so many digits; strings of digits count as numbers.

    Parameters:
        text: JSON in UTF-8, in which something stands before each number.
        longest: digits and point of the longest number that is plain.
        unquoted: whether a plain number as a string, such as "5" or "-0.5", is not plain either.
    """
    pattern = f"{_EXPONENT}|[0-9.]{{{longest + 1}}}" + (f"|{_QUOTED}" if unquoted else "")
    # not `re`: this is as quick, and lets other threads work meanwhile
    found = _compute.match_substring_regex(pa.array([text], pa.large_binary()), pattern)
    return not found[0].as_py()
