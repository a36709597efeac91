"""What every style of paging has in common: it walks once over the pages, and knows how its walk ended."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from copy import copy, deepcopy
from typing import Any, ClassVar

import requests
from dlt.sources.helpers.rest_client.paginators import BasePaginator

from invoices_assets.errors import BadAnswer
from invoices_assets.extract.claims import flag_of
from invoices_assets.extract.completeness import End
from invoices_assets.extract.endpoint import Endpoint, PageRequest
from invoices_assets.extract.page import Page
from invoices_assets.extract.pass_count import PassCount
from invoices_assets.source.values.paths import MISSING, first_at, spelled

IGNORED = End("the API answered with a status that the source file says to ignore", proven=None)


class Style(ABC):
    """One walk over the pages of a resource, by one style of paging. A subclass serves one paginator of dlt.

    Parameters:
        endpoint: asks for pages.
        paginator: dlt's paginator as configured; it is left as it is.
        request: the request without paging parameters.
    """

    paginator_class: ClassVar[type[BasePaginator]]
    is_one_page = False
    shows_changes_again = False
    """Whether a record that changes meanwhile may rightly come a second time."""
    sees_moves = True
    """Whether a move of records that keeps the total would have been seen."""

    def __init__(self, endpoint: Endpoint, paginator: Any, request: requests.Request) -> None:
        self.endpoint = endpoint
        self.paginator = paginator
        self._request = request
        self.end: End | None = None

    @property
    def parameter(self) -> str:
        """What asks for a page, for sentences."""
        names = (getattr(self.paginator, name, None) for name in ("param_name", "cursor_param", "cursor_body_path"))
        return str(next(filter(None, names), "the page's position"))

    @abstractmethod
    def first(self) -> PageRequest:
        """The first page, to be had."""

    @abstractmethod
    def pages(self, count: PassCount, window: int) -> Iterator[Page]:
        """Yields the pages that have new records, in order; after the last one `end` says how the walk ended.

        Parameters:
            count: counts along.
            window: pages in flight together, where a style can.

        Raises:
            IncompleteSweep: the end cannot be proven.
            RecordsMoved: the totals contradict each other, or the records received.
            RequestFailed: a page cannot be had.
        """

    def expected(self, count: PassCount) -> int | None:
        """How many records make the pass complete; None where the API gives no total of records."""
        return count.told

    def says_more(self, page: Page) -> bool | None:
        """Whether an answer says that more records follow; None where it does not say.

        Raises:
            BadAnswer: the answer lacks what the source file names.
        """
        place = getattr(self.paginator, "has_more_path", None)
        if place is None or page.body is None:
            return None if page.claims.more is None else page.claims.more[1]
        said = first_at(spelled(place), page.body)
        if said is MISSING:
            raise BadAnswer(
                f"the answer has no `{spelled(place)}`, so it does not tell where the next page is, "
                "or whether there is one"
            )
        return flag_of(said)

    def _copy_of_request(self) -> Any:
        # requests allows its fields to be almost anything; here they are what `Endpoint.request` made
        request: Any = copy(self._request)
        request.params = dict(request.params)
        request.json = deepcopy(request.json)
        return request
