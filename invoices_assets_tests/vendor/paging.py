"""From the parameters of a request to a window of rows, and from a window to the address of the next one."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from invoices_assets_tests.vendor.call import Call, Refusal, Window
from invoices_assets_tests.vendor.contract import Contract, Paging


def counting(paging: Paging) -> str:
    """What the position parameter counts: `offset`, `page` or `token`."""
    return {"offset": "offset", "page": "page", "cursor": "token"}.get(paging.style, paging.counts)


def window(paging: Paging, query: Mapping[str, str], size: int, find: Callable[[str], int | None]) -> Window:
    """The rows that a request asks for.

    Parameters:
        query: the parameters.
        size: rows selected in all.
        find: position of the row with an id, or None; tokens name the last row served, so that rows which
            come or go before it do not shift what follows.

    Raises:
        Refusal: an unreadable parameter, a page size the API refuses, or 404 past the end.
    """
    limit = paging.size if paging.limit is None else _integer(query, paging.limit, paging.size, lowest=1)
    if limit > paging.largest:
        if paging.above == "refuse":
            message = f"{paging.limit} must not be greater than {paging.largest}"
            raise Refusal(400, "limit_too_large", message)
        limit = paging.largest
    counts = counting(paging)
    if counts == "token":
        offset = _after(query.get(paging.position, ""), find)
    elif counts == "page":
        page = _integer(query, paging.position, paging.first_page, lowest=paging.first_page)
        offset = (page - paging.first_page) * limit
    else:
        offset = _integer(query, paging.position, 0, lowest=0)
    if offset > 0 and offset >= size:
        if paging.past_end == "404":
            raise Refusal(404, "no_such_page", "there is no such page")
        if paging.past_end == "last_page":
            offset = max(0, (size - 1) // limit * limit)
    return Window(offset, limit)


def token(end: int, last_id: Any) -> str:
    """The opaque cursor that goes on after row `end - 1`, whose id is `last_id`."""
    return urlsafe_b64encode(f"{end}:{last_id}".encode()).decode().rstrip("=")


def next_position(paging: Paging, shown: Window, end: int, last_id: Any) -> str:
    """The value of the position parameter for the page that starts at row `end`."""
    counts = counting(paging)
    if counts == "token":
        return token(end, last_id)
    return str(end) if counts == "offset" else str(end // shown.limit + paging.first_page)


def address(contract: Contract, call: Call, position: str) -> str:
    """The address of the request with another position."""
    parts = urlsplit(call.url)
    query = {**call.query, contract.paging.position: position}
    if contract.key.where == "query" and not contract.paging.keep_key:
        query.pop(contract.key.name, None)
    local = f"{parts.path}?{urlencode(query)}"
    return f"{parts.scheme}://{parts.netloc}{local}" if contract.paging.absolute else local


def _after(text: str, find: Callable[[str], int | None]) -> int:
    if not text:
        return 0
    try:
        end, _, last_id = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().partition(":")
        offset = int(end)
        at = find(last_id)
    except ValueError as error:
        raise Refusal(400, "bad_cursor", "the cursor is not one of this API") from error
    return offset if at is None else at + 1


def _integer(query: Mapping[str, str], name: str, default: int, lowest: int) -> int:
    text = query.get(name, "")
    if not text:
        return default
    if not text.lstrip("-").isdecimal() or int(text) < lowest:
        raise Refusal(400, "bad_parameter", f"{name} must be a whole number, {lowest} or more")
    return int(text)
