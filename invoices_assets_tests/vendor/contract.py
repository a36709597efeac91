"""How the API looks from outside. The default is the contract of the project's own source file."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Path = tuple[str, ...]
"""Keys from the outside in; a key may hold dots or `@`. `()` is the body itself."""


@dataclass(frozen=True)
class Key:
    """Where the key must be, and what a request without the right one gets.

    Parameters:
        where: `query`, `header`, `basic` (base64 in the Authorization header) or `body` (a field of the JSON
            body).
        name: of the parameter, header or field.
        template: what must stand there, with `{key}` for the key: `Token {key}`; for basic, `user:{key}`.
        wrong: the status for a missing or wrong key; `empty` answers 200 with no records, as some APIs do.
        ban_after: after so many wrong keys, even the right one gets 403.
    """

    where: Literal["query", "header", "basic", "body"] = "query"
    name: str = "api_key"
    template: str = "{key}"
    wrong: Literal[401, 403, "empty"] = 401
    ban_after: int | None = None


@dataclass(frozen=True)
class Total:
    """Where the number of all matching records is told.

    Parameters:
        body: its place in the body, or None.
        header: the name of a header that tells it, or None.
        form: `number`, `string`, `minus_one` (always -1), or `page_count` (counts only the rows of this
            page).
    """

    body: Path | None = ("total",)
    header: str | None = None
    form: Literal["number", "string", "minus_one", "page_count"] = "number"


@dataclass(frozen=True)
class Paging:
    """How pages are asked for.

    Parameters:
        style: `offset` and `page` take `position` from the client; `cursor` gives the next token in the body,
            `json_link` the next address in the body, `header_link` in a Link header (RFC 8288).
        counts: what `position` means in the links of the two link styles: `offset`, `page`, or an opaque
            `token`.
        limit: name of the page size parameter; None if the client cannot choose.
        position: name of the parameter for the offset, page number or token.
        first_page: the number of the first page, usually 1 or 0.
        size: rows of a page when the client asks for none.
        largest: the largest page size.
        above: what a larger `limit` gets: `cap` (the largest size, in silence) or `refuse` (400).
        past_end: an offset or page behind the last row gets `empty`, `404` or `last_page` (the last page once
            more).
        next: place of the next token or address in the body; null there at the end.
        empty_end: the last page of a cursor or link style still leads on, to an empty page without a next.
        absolute: whether links hold the whole address or only path and query.
        keep_key: whether links carry the key that the request had in its query.
    """

    style: Literal["offset", "page", "cursor", "header_link", "json_link"] = "offset"
    counts: Literal["offset", "page", "token"] = "offset"
    limit: str | None = "limit"
    position: str = "offset"
    first_page: int = 1
    size: int = 100
    largest: int = 100
    above: Literal["cap", "refuse"] = "cap"
    past_end: Literal["empty", "404", "last_page"] = "empty"
    next: Path = ("next",)
    empty_end: bool = False
    absolute: bool = True
    keep_key: bool = False


@dataclass(frozen=True)
class Filter:
    """A parameter that selects records by the moment in one of their fields. Records without that moment
    never match.

    Parameters:
        name: of the parameter or header.
        field: of the record.
        op: how the field must compare; in an expression the expression says it.
        where: `query`, `header` (as If-Modified-Since), or `expression` (a query parameter such as
            `updated_at ge 2026-01-01T00:00:00Z` or `(updated_at>='2026-01-01')`).
        by_day: only the date of the value counts: the filter reads it as the midnight before.
    """

    name: str = "updated_since"
    field: str = "updated_at"
    op: Literal[">=", ">", "<=", "<"] = ">="
    where: Literal["query", "header", "expression"] = "query"
    by_day: bool = False


DEFAULT_FILTERS = (
    Filter(),
    Filter("created_from", "created_at", ">="),
    Filter("created_to", "created_at", "<"),
)


@dataclass(frozen=True)
class Contract:
    """The API's looks. `Contract()` is what the default source file of the project describes.

    Parameters:
        path: of the invoices.
        method: `GET`, or `POST` with the parameters in a JSON body (those in the query count too).
        key, total, paging, filters: see their classes; unknown parameters are ignored.
        data: place of the records in the body.
        collapse_single: a page of one record holds the record itself instead of a list.
        envelope: further fields of the body.
        order: `book` (as the book has them: by id), `newest` (the reverse), `random` (another order at each
            request), or a field's name to sort by.
        sort: name of a parameter that, when present, brings the stable order of the book back.
        hides: field -> values that are left out unless the parameter `show_all` is present.
        show_all: name of that parameter.
        required: parameters or headers (any case) that must be there with these values, or the request gets
            400.
        stamps: style of time stamps: `iso_z` or a key of `text.STAMP_STYLES`.
        dates: strftime format of dates.
    """

    path: str = "/v1/invoices"
    method: Literal["GET", "POST"] = "GET"
    key: Key = Key()
    data: Path = ("data",)
    total: Total = Total()
    paging: Paging = Paging()
    filters: tuple[Filter, ...] = DEFAULT_FILTERS
    collapse_single: bool = False
    envelope: Mapping[str, Any] = field(default_factory=dict)
    order: str = "book"
    sort: str | None = "sort"
    hides: Mapping[str, Collection[Any]] = field(default_factory=dict)
    show_all: str = "show_all"
    required: Mapping[str, str] = field(default_factory=dict)
    stamps: str = "iso_z"
    dates: str = "%Y-%m-%d"
