"""What an answer claims beside its records: how many there are, whether more follow, that something failed.

No declaration is needed for it: the words are those that running APIs use, wherever they stand around the records.

    {"data": [...], "meta": {"total_count": 2500, "has_more": true}, "links": {"next": "/v1/invoices?page=2"}}
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from invoices_assets.extract.http.link_header import links_of

TOTAL_HEADERS = (
    *("X-Total-Count", "X-Total", "Total-Count", "X-Pagination-Total-Count", "X-WP-Total"),
    *("Total-Records", "Total-Objects"),  # Kinto
)
"""Headers in which running APIs give the number of records, asked in this order."""

PAGES_HEADERS = ("X-Total-Pages", "X-WP-TotalPages", "X-Pagination-Page-Count")
NEXT_HEADERS = ("Next-Page", "X-Next-Page", "X-Next-Cursor", "X-Next-Page-Token", "x-ms-continuation")
"""Headers in which running APIs lead to a next page, besides `Link`; empty at the end."""


def _spellings(*words: str) -> tuple[str, ...]:
    """Each phrase as `has_more`, `hasMore`, `HasMore`, `has-more` and `hasmore`."""
    found: dict[str, None] = {}
    for phrase in words:
        first, *rest = phrase.split()
        camel = first + "".join(word.title() for word in rest)
        joined = (phrase.replace(" ", mark) for mark in ("_", "-", ""))
        found |= dict.fromkeys((*joined, camel, camel[0].upper() + camel[1:]))
    return tuple(found)


_TOTAL = (
    *_spellings("total count", "total records", "total results", "total items", "total elements", "total entries"),
    *_spellings("total rows", "total size", "total", "records total", "num found", "result count", "count"),
    "@odata.count",
)
_PAGES = _spellings("total pages", "page count", "pages", "last page", "nb pages", "num pages", "number of pages")
_MORE = _spellings("has more", "more", "has next", "has next page", "has more pages", "has more items", "more items")
_LAST = _spellings("is last", "is last page", "last")
_NEXT = (
    *_spellings("next", "next url", "next link", "next page", "next page url", "next href", "next uri"),
    *_spellings("next cursor", "next page token", "next token", "continuation token"),
    "@odata.nextLink",
)
_ERROR = _spellings("error", "errors", "error message", "error code", "fault", "exception")
_OK = _spellings("success", "ok")
_STATUS = _spellings("status")
_WRAPPERS = (
    *_spellings("meta", "metadata", "pagination", "paging", "page", "page info", "links", "cursors", "page context"),
    *("_meta", "_metadata", "_pagination", "_links", *_spellings("result info", "response metadata", "list info")),
)
WORDS = tuple(dict.fromkeys((*_TOTAL, *_PAGES, *_MORE, *_LAST, *_NEXT, *_ERROR, *_OK, *_STATUS, *_WRAPPERS)))
"""The keys that are looked at, beside the records and beside each object that leads to them."""

_FAILED = frozenset(("error", "fail", "failed", "failure"))
_NO_ERROR = frozenset(("200", "none", "null", "false", "ok", "success", "no error", "no_error"))


@dataclass(frozen=True)
class Claims:
    """What one answer claims; each with the name of the place where it says so, for sentences.

    Parameters:
        total: of records, at a place that the source file does not name; -1 or a text is no total.
        pages: how many pages there are.
        more: whether more records follow.
        next: a link or a cursor to a next page.
        error: where the answer says that something failed; its value is not kept.
        status: where it has a word of failure for its status (JSend: `error`, `fail`).
    """

    total: tuple[str, int] | None = None
    pages: tuple[str, int] | None = None
    more: tuple[str, bool] | None = None
    next: str | None = None
    error: str | None = None
    status: str | None = None


NOTHING = Claims()


def claims_of(document: Any, keys: Iterable[str], headers: Mapping[str, str], *, totals: bool) -> Claims:
    """Reads what an answer claims.

    Parameters:
        document: the body.
        keys: that lead from it to the records.
        headers: of the answer, case-insensitive.
        totals: False where the source file says that the API's totals are none.
    """
    around = list(_around(document, keys))
    pages = _first(around, _PAGES, count_of) or _first([headers], PAGES_HEADERS, count_of)
    following = (
        _first(around, _NEXT, lambda value: True if value and isinstance(value, (str, dict, int)) else None)
        or (("Link", True) if "next" in links_of(headers.get("Link", "")) else None)
        or _first([headers], NEXT_HEADERS, lambda value: True if value else None)
    )
    last = _first(around, _LAST, lambda value: not value if isinstance(value, bool) else None)
    failed = _first(around, _ERROR, is_error) or _first(around, _OK, lambda value: flag_of(value) is False or None)
    status = _first(around, _STATUS, lambda value: str(value).lower() in _FAILED or None)
    return Claims(
        total=_first(around, _TOTAL, count_of) if totals else None,
        pages=pages if totals else None,
        more=_first(around, _MORE, flag_of) or last,
        next=following[0] if following else None,
        error=failed[0] if failed else None,
        status=status[0] if status else None,
    )


def names_pages(path: str | None) -> bool:
    """Whether the name at the end of a path is one that APIs give to the number of pages."""
    return path is not None and path.rpartition(".")[2].strip("'\"") in _PAGES


def flag_of(value: Any) -> bool | None:
    """A yes or no, also as a text or as 0 or 1; None where it is neither."""
    text = str(value).strip().lower()
    if text in ("true", "1", "yes"):
        return True
    return False if text in ("false", "0", "no") else None


def count_of(value: Any) -> int | None:
    """A total as a number or a numeric text; a negative one means that the API does not know it."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        value = value.strip()
        if not re.fullmatch(r"[0-9]{1,18}", value):
            return None
    if isinstance(value, Decimal) and (value.adjusted() > 18 or value != int(value)):
        return None
    try:
        count = int(value)
    except (TypeError, ValueError):
        return None
    return count if count >= 0 else None


def is_error(value: Any) -> bool | None:
    """True where the value of an `error` says that there is one; None where it does not."""
    if isinstance(value, Mapping):
        return any(map(is_error, value.values())) or None
    if isinstance(value, list):
        return any(map(is_error, value)) or None
    text = value.strip().lower() if isinstance(value, str) else value
    is_zero = isinstance(text, str) and not text.strip("0")
    return None if not text or is_zero or text in _NO_ERROR else True


def _around(document: Any, keys: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    """The objects around the records, from the outermost on, each before the wrappers in it."""
    inner = document
    for key in keys:
        if not isinstance(inner, dict):
            return
        yield from _wrapped({name: value for name, value in inner.items() if name != key}, depth=2)
        inner = inner.get(key)


def _wrapped(inner: Mapping[str, Any], depth: int) -> Iterator[Mapping[str, Any]]:
    yield inner
    for name in _WRAPPERS if depth else ():
        wrapper = inner.get(name)
        if isinstance(wrapper, dict):
            yield from _wrapped(wrapper, depth - 1)


def _first(around: Iterable[Mapping[str, Any]], words: Iterable[str], read: Any) -> tuple[str, Any] | None:
    """The first word under which something can be read, nearest to the outside, and what it is."""
    for inner in around:
        for word in words:
            if word in inner and (value := read(inner[word])) is not None:
                return word, value
    return None
