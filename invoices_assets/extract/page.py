"""One HTTP answer read as a page: its records, digit by digit, and what it says about the total."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, cast

from invoices_assets.errors import BadAnswer, UnreadableBody
from invoices_assets.extract.projection import Projection
from invoices_assets.source import exact_json
from invoices_assets.source.paths import MISSING, at_keys, plain_keys, reader_of, spelled

TOTAL_HEADERS = ("X-Total-Count", "X-Total", "Total-Count", "X-Pagination-Total-Count", "X-WP-Total")
"""Headers in which running APIs give the number of records, asked in this order."""


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
        total: the number the API gives as its total; None where it gives none.
        size: bytes of the body.
        raw: where the records stand in the bytes; None where they are not one list there, or where the bytes hold
            what other parsers cannot read.
        document: the JSON document; None where only the outline was read.
    """

    outline: list[Any]
    total: int | None = None
    size: int = 0
    raw: Raw | None = None
    document: Any = None

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
        return cast(list[Any], found)


def read_json(body: bytes, content_type: str) -> tuple[Any, bool]:
    """As `exact_json.read`.

    Raises:
        UnreadableBody: not a JSON document.
    """
    try:
        return exact_json.read(body)
    except ValueError:
        kind = content_type.partition(";")[0] or "no content type"
        raise UnreadableBody(f"the answer is not a complete JSON document ({kind}, {len(body)} bytes)") from None


def read_page(
    body: bytes,
    headers: Mapping[str, str],
    *,
    data_selector: str | None,
    total_path: Any = None,
    outline: Projection | None = None,
) -> Page:
    """Reads an answer.

    Parameters:
        body: the bytes of the answer, for example `{"data": [{"id": 1}], "total": 2500}`.
        headers: of the answer, case-insensitive.
        data_selector: where the records are: a key, a JSONPath, or `$` for a bare array.
        total_path: where the total is: a key or a JSONPath, compiled or not; None where there is none.
        outline: what is enough to read of it at first; None for everything.

    Raises:
        UnreadableBody: the body is not JSON.
        BadAnswer: the selected data is not there; the message has the keys that are, never their values.
    """
    content_type = headers.get("Content-Type", "")
    if outline is not None:
        document = outline.read(body)
        try:
            records, keys = _records(document, data_selector)
        except BadAnswer:
            pass  # the whole document tells why
        else:
            if keys is not None and outline.is_enough(records):
                return Page(records, _total(document, total_path, headers), len(body), Raw(body, keys, content_type))
    document, is_plain = read_json(body, content_type)
    records, keys = _records(document, data_selector)
    raw = Raw(body, keys, content_type) if keys is not None and is_plain else None
    return Page(records, _total(document, total_path, headers), len(body), raw, document)


def _records(document: Any, selector: str | None) -> tuple[list[Any], tuple[str, ...] | None]:
    """The records, and the keys that lead to them where they are one list."""
    if selector is None:
        if isinstance(document, list):
            return document, ()
        raise BadAnswer(f"the answer is {_shape(document)}, and the source names no `data_selector` for its records")
    selected = document if selector == "$" else reader_of(selector)(document)
    if selected is MISSING:
        raise BadAnswer(f"the answer has no `{selector}`; it is {_shape(document)}")
    if selected is None:
        return [], None
    if isinstance(selected, dict):
        return [selected], None
    if not isinstance(selected, list):
        raise BadAnswer(f"`{selector}` is neither a list nor an object in the answer")
    # a JSONPath may gather records from many places
    return selected, next((keys for keys in plain_keys(selector) if at_keys(document, keys) is selected), None)


def _shape(document: Any) -> str:
    if isinstance(document, dict):
        keys = ", ".join(f"`{key}`" for key in list(document)[:12])
        return f"an object with the keys {keys}" if keys else "an empty object"
    return {list: "a list", str: "a text", type(None): "null"}.get(type(document), "a single value")


def _total(document: Any, path: Any, headers: Mapping[str, str]) -> int | None:
    value = MISSING if path is None else reader_of(spelled(path))(document)
    total = None if value is MISSING else _count(value)
    if total is None:
        total = next((_count(headers[name]) for name in TOTAL_HEADERS if name in headers), None)
    if total is None and "Content-Range" in headers:
        total = _count(headers["Content-Range"].rpartition("/")[2])
    return total


def _count(value: Any) -> int | None:
    """A total as a number or a numeric text; a negative one means that the API does not know it."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        value = value.strip()
        if not value.isdecimal():
            return None
    if isinstance(value, Decimal) and (value.adjusted() > 18 or value != int(value)):
        return None
    try:
        count = int(value)
    except (TypeError, ValueError):
        return None
    return count if count >= 0 else None
