"""One HTTP answer read as a page: its records, digit by digit, and what it says about the total."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, cast

from invoices_assets.errors import BadAnswer, UnreadableBody
from invoices_assets.extract.claims import NOTHING, TOTAL_HEADERS, Claims, claims_of, count_of, is_error
from invoices_assets.extract.projection import Projection
from invoices_assets.source.values import exact_json
from invoices_assets.source.values.paths import MISSING, at_keys, first_at, plain_keys, reader_of

Shape = Literal["unmodified", "list", "object", "null"]
_FOR_PEOPLE = re.compile(r"\d{1,3}(?:[.,' \u00a0\u202f]\d{3})+\+?|\d+\+|\d+ of \d+")
"""A count as people write it: `1,025`, `10000+`, `25 of 300`."""


@dataclass(frozen=True)
class Raw:
    """Where the records of a page stand in the bytes of the answer.

    Parameters:
        body: the whole JSON document.
        keys: that lead from the document to the list of records; none where it is that list itself.
        content_type: as the answer gives it.
    """

    body: bytes
    keys: tuple[str, ...]
    content_type: str


@dataclass(frozen=True)
class Page:
    """A page of an API.

    Parameters:
        outline: the records, at least with the fields that a walk looks at; numbers are `int` or `Decimal`,
            never `float`.
        total: the number that the API gives as its total, where the source file names the place or in a header.
        raw: where the records stand in the bytes; None where they are not one list there, or where the bytes hold
            what other parsers cannot read.
        document: the JSON document; None where only the outline was read.
        claims: what else the answer says of the whole.
        headers: of the answer, case-insensitive.
        shape: what stands where a list of records is due; `unmodified` after a 304, which says that nothing changed.
        skipped: how many records at the front of the answer are left out, for the page before has them.
    """

    outline: list[Any]
    total: int | None = None
    raw: Raw | None = None
    document: Any = None
    claims: Claims = NOTHING
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    shape: Shape = "list"
    skipped: int = 0

    def without_first(self) -> Page:
        """The same page without its first record."""
        return replace(self, outline=self.outline[1:], skipped=self.skipped + 1)

    @cached_property
    def body(self) -> Any:
        """The whole JSON document, for paginators.

        Raises:
            UnreadableBody: what the outline left out is not JSON.
        """
        if self.document is None and self.raw is not None:
            return read_json(self.raw.body, self.raw.content_type)[0]
        return self.document

    @cached_property
    def records(self) -> list[Any]:
        """The records with all of their fields.

        Raises:
            UnreadableBody: what the outline left out is not JSON.
        """
        if self.document is not None or self.raw is None:
            return self.outline
        found = self.body
        for key in self.raw.keys:
            found = found[key]
        return cast(list[Any], found)[self.skipped :]


def read_json(body: bytes, content_type: str) -> tuple[Any, bool]:
    """As `exact_json.read`.

    Raises:
        UnreadableBody: not a JSON document.
    """
    try:
        return exact_json.read(body)
    except ValueError:
        kind = content_type.partition(";")[0] or "no content type"
        kind += "" if exact_json.is_utf8(body) else ", not in UTF-8"
        raise UnreadableBody(f"the answer is not a complete JSON document ({kind}, {len(body)} bytes)") from None


def read_page(
    body: bytes,
    headers: Mapping[str, str],
    *,
    data_selector: str | None,
    total_path: Any = None,
    totals: bool = True,
    projection: Projection | None = None,
) -> Page:
    """Reads an answer.

    Parameters:
        body: the bytes of the answer, for example `{"data": [{"id": 1}], "total": 2500}`.
        headers: of the answer, case-insensitive.
        data_selector: where the records are: a key, a JSONPath, or `$` for a bare array.
        total_path: where the total is: a key or a JSONPath, compiled or not; None where there is none.
        totals: False where no total of this API is one, neither in the body nor in a header.
        projection: what is enough to read of it at first; None for everything.

    Raises:
        UnreadableBody: the body is not JSON.
        BadAnswer: the selected data is not there, or the total is none, or the answer says that it failed; the message
            has the keys that are there, never their values.
    """
    document, found = _read_outline(body, data_selector, projection)
    is_whole, is_plain = found is None, True
    if found is None:
        document, is_plain = read_json(body, headers.get("Content-Type", ""))
        found = _records(document, data_selector)
    records, shape, keys = found
    claims = claims_of(document, ("",) if keys is None else keys, headers, totals=totals)
    # beside records it is a word about them, such as the filter that was asked for
    failed = claims.error or (None if records else claims.status)
    if failed or (shape == "object" and _says_error(records[0])):
        raise BadAnswer(f"the answer says that it failed, in its `{failed or 'error'}`; it is {_shape(document)}")
    has_raw = shape == "list" and keys is not None and is_plain
    return Page(
        records,
        total=_total(document, total_path, headers) if totals else None,
        raw=Raw(body, keys or (), headers.get("Content-Type", "")) if has_raw else None,
        document=document if is_whole else None,
        claims=claims,
        headers=headers,
        shape=shape,
    )


_Found = tuple[list[Any], Shape, tuple[str, ...] | None]
"""The records, what stands in their place, and the keys that lead there; None where a JSONPath does."""


def _read_outline(body: bytes, selector: str | None, projection: Projection | None) -> tuple[Any, _Found | None]:
    """The document in outline and what was found there; None where only the whole document tells."""
    if projection is None:
        return None, None
    document = projection.read(body)
    try:
        records, shape, keys = _records(document, selector)
    except BadAnswer:
        return None, None
    is_enough = shape == "list" and keys is not None and projection.is_enough(records)
    return (document, (records, shape, keys)) if is_enough else (None, None)


def _records(document: Any, selector: str | None) -> _Found:
    if selector is None:
        if isinstance(document, list):
            return document, "list", ()
        raise BadAnswer(f"the answer is {_shape(document)}, and the source names no `data_selector` for its records")
    selected = document if selector == "$" else reader_of(selector)(document)
    if selected is MISSING:
        raise BadAnswer(f"the answer has no `{selector}`; it is {_shape(document)}")
    # a JSONPath may gather records from many places
    keys = next((keys for keys in plain_keys(selector) if at_keys(document, keys) is selected), None)
    if selected is None:
        return [], "null", keys
    if isinstance(selected, dict):
        return [selected], "object", keys
    if not isinstance(selected, list):
        raise BadAnswer(f"`{selector}` is neither a list nor an object in the answer")
    return selected, "list", keys


def _says_error(record: Mapping[str, Any]) -> bool:
    """Whether what stands where the one record is due is the word of a failure."""
    return any(is_error(record.get(name)) for name in ("error", "errors"))


def _shape(document: Any) -> str:
    if isinstance(document, dict):
        keys = ", ".join(f"`{key}`" for key in list(document)[:12])
        return f"an object with the keys {keys}" if keys else "an empty object"
    return {list: "a list", str: "a text", type(None): "null"}.get(type(document), "a single value")


def _total(document: Any, path: str | None, headers: Mapping[str, str]) -> int | None:
    value = MISSING if path is None else first_at(path, document)
    total = None if value is MISSING else count_of(value)
    if total is None:
        total = next((count_of(headers[name]) for name in TOTAL_HEADERS if name in headers), None)
    if total is None and "Content-Range" in headers:
        total = count_of(headers["Content-Range"].rpartition("/")[2])
    if total is None and isinstance(value, str) and _FOR_PEOPLE.fullmatch(value):
        raise BadAnswer(
            f"`{path}`, the total, is a number as people write it, so what it says cannot be held against what came; "
            "`total_path: null` passes over it"
        )
    return total
