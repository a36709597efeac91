"""The declared paginator: one of dlt's, and what this project's own keys make of it."""

from __future__ import annotations

from typing import Any

from dlt.sources.helpers.rest_client.paginators import (
    BasePaginator,
    HeaderCursorPaginator,
    OffsetPaginator,
    PageNumberPaginator,
    RangePaginator,
)
from dlt.sources.rest_api.config_setup import create_paginator

from invoices_assets.errors import SourceError
from invoices_assets.source.dlt_format import LINK, paginator_of_dlt
from invoices_assets.source.values.paths import checked_path, spelled

_PLACES = frozenset(("next_url_path", "cursor_path", "has_more_path", "total_path"))
"""Settings of dlt's paginators that say where an answer has something."""


class HeaderAddressPaginator(HeaderCursorPaginator):
    """A `header_cursor` with `x-link: true`: the header holds the address of the next page, not a value to send."""


def read_paginator(name: str, config: Any) -> tuple[BasePaginator, str | None, bool]:
    """dlt's paginator, the place of the total, and whether totals are to be believed.

    Parameters:
        name: of the resource, for sentences.
        config: as in the YAML, such as `{type: cursor, cursor_path: next, total_path: meta.total}`.

    Raises:
        SourceError: it is none that can be followed completely.
    """
    paginator = create_paginator(paginator_of_dlt(config))
    if paginator is None:
        raise SourceError(
            f"resource `{name}` names no paginator, and a guessed one could lose pages: "
            "use offset, page_number, cursor, header_link, header_cursor, json_link or single_page."
        )
    if isinstance(paginator, RangePaginator) and type(paginator) not in (
        OffsetPaginator,
        PageNumberPaginator,
    ):
        raise SourceError(f"resource `{name}` has a paginator that is not known: {type(paginator).__name__}.")
    declared = config if isinstance(config, dict) else {}
    if declared.get(LINK):
        paginator = _followed(name, paginator)
    for setting in _PLACES & declared.keys() & vars(paginator).keys():
        if "?" in str(declared[setting]):
            # a filter, `links[?(@.rel=='next')].href`, has no text that can be read again once dlt has compiled it
            setattr(paginator, setting, declared[setting])
    path = getattr(paginator, "total_path", None)
    place = declared.get("total_path") if path is None else spelled(path)
    return paginator, checked_path(place), declared.get("total_path", "") is not None


def _followed(name: str, paginator: BasePaginator) -> HeaderAddressPaginator:
    if not isinstance(paginator, HeaderCursorPaginator):
        raise SourceError(f"resource `{name}` has `{LINK}`, which only the paginator `header_cursor` can have.")
    return HeaderAddressPaginator(paginator.cursor_key)
