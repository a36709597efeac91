"""Which style of paging walks over the pages of a resource: that of dlt's paginator."""

from __future__ import annotations

import requests
from dlt.sources.helpers.rest_client.paginators import BasePaginator

from invoices_assets.errors import ApiStatusError, SourceError
from invoices_assets.extract.endpoint import Endpoint
from invoices_assets.extract.page import Page
from invoices_assets.extract.pagination.linked import Linked
from invoices_assets.extract.pagination.offset import Offset
from invoices_assets.extract.pagination.page_number import PageNumber
from invoices_assets.extract.pagination.style import Style


def walk_of(endpoint: Endpoint, paginator: BasePaginator, request: requests.Request) -> Style:
    """A walk by the style of a paginator; each style is a class, and those in `linked` need no further mention.

    Parameters:
        endpoint: asks for pages.
        paginator: dlt's paginator as configured; it is left as it is.
        request: the request without paging parameters.

    Raises:
        SourceError: none of the styles serves this paginator.
    """
    styles: list[type[Style]] = [Offset, PageNumber, *Linked.__subclasses__()]
    for style in styles:
        if isinstance(paginator, style.paginator_class):
            return style(endpoint, paginator, request)
    raise SourceError(f"the paginator {type(paginator).__name__} is not known here.")


def first_page(endpoint: Endpoint, paginator: BasePaginator, request: requests.Request) -> Page:
    """The first page alone, as a walk would ask for it; one without records for a status that is to be ignored.

    Raises:
        RequestFailed: it cannot be had.
    """
    try:
        return walk_of(endpoint, paginator, request).first().get()
    except ApiStatusError as error:
        if endpoint.is_ignored(error):
            return Page([])
        raise
