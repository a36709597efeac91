"""The names of parameters that count: an offset or a page number, also where a link or a cursor has one in disguise.

Records that move between two requests move across such a page's border unseen, which a cursor proper rules out.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

OFFSETS = (
    *("offset", "skip", "$skip", "start", "_start", "_offset", "from", "startIndex", "start_index", "startAt"),
    *("pagination[start]", "page[offset]", "first_result"),
)
PAGES = (
    *("page", "page_number", "pageNumber", "_page", "p", "pageNo", "page_no", "pageIndex", "page_index", "currentPage"),
    *("pagination[page]", "page[number]"),
)
"""Usual names, in the order in which a draft tries them."""


def counting_parameter(link: str) -> str | None:
    """The parameter of a link that counts; None where none does."""
    return next((name for name, value in parse_qsl(urlsplit(link).query) if counts(name, value)), None)


def counts(name: str, value: Any) -> bool:
    """Whether a parameter is a position; a token or a date under such a name is none.

    Parameters:
        name: `page[number]`, `$skip` and `pageNo` are known in any spelling.
    """
    return _bare(name) in _COUNTING and str(value).isdecimal()


def _bare(name: str) -> str:
    return re.sub("[^a-z0-9]", "", name.lower())


_COUNTING = frozenset(map(_bare, (*OFFSETS, *PAGES)))
