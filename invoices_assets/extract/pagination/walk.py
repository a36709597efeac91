"""Walks over the pages of a resource once, by the kind of dlt's paginator."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy

import requests
from dlt.sources.helpers.rest_client.paginators import (
    BasePaginator,
    RangePaginator,
)

from invoices_assets.extract.completeness import PassCount
from invoices_assets.extract.endpoint import Endpoint
from invoices_assets.extract.page import Page
from invoices_assets.extract.pagination.counted import _Range, _walk_range
from invoices_assets.extract.pagination.linked import walk_links


def walk(
    endpoint: Endpoint, paginator: BasePaginator, request: requests.Request, count: PassCount, window: int
) -> Iterator[Page]:
    """Yields the pages that have records, in order.

    Parameters:
        endpoint: asks for pages.
        paginator: dlt's paginator as configured; it is left as it is.
        request: the request without paging parameters.
        count: counts along; after the last page it can prove the pass.
        window: pages in flight together, for counted paging.

    Raises:
        IncompleteSweep: the end cannot be proven.
        RecordsMoved: the totals contradict each other, or the records received.
        RequestFailed: a page cannot be had.
    """
    if isinstance(paginator, RangePaginator):
        yield from _walk_range(_Range(endpoint, paginator, request), count, window)
    else:
        yield from walk_links(endpoint, deepcopy(paginator), request, count)


def first_page(endpoint: Endpoint, paginator: BasePaginator, request: requests.Request) -> Page:
    """The first page alone, as a walk would ask for it.

    Raises:
        RequestFailed: it cannot be had.
    """
    if isinstance(paginator, RangePaginator):
        return _Range(endpoint, paginator, request).page(paginator.initial_value)
    deepcopy(paginator).init_request(request)
    return endpoint.get_page(request).page
