"""Pages that each answer leads on from: by a link or a cursor, in the body or in a header; and a single page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar
from urllib.parse import SplitResult, urlsplit, urlunsplit

from dlt.common import jsonpath
from dlt.sources.helpers.rest_client.paginators import (
    HeaderCursorPaginator,
    HeaderLinkPaginator,
    JSONLinkPaginator,
    JSONResponseCursorPaginator,
    SinglePagePaginator,
)

from invoices_assets.errors import ApiStatusError, BadAnswer, IncompleteSweep
from invoices_assets.extract.completeness import End
from invoices_assets.extract.endpoint import PageRequest
from invoices_assets.extract.http.link_header import links_of
from invoices_assets.extract.http.origins import linked
from invoices_assets.extract.page import Page
from invoices_assets.extract.pagination.positions import counting_parameter, counts
from invoices_assets.extract.pagination.style import IGNORED, Style
from invoices_assets.extract.pass_count import PassCount
from invoices_assets.source.paginator import HeaderAddressPaginator
from invoices_assets.source.values.paths import MISSING, first_at, spelled


class Linked(Style):
    """Pages found one after the other. A style says where an answer has the next one, and how to ask for it."""

    shows_changes_again = True

    in_body: ClassVar[str] = ""
    """The setting of the paginator that names the place in the body; empty for a style that looks elsewhere."""

    @property
    def place(self) -> str:
        """Where the next page stands in an answer, for sentences."""
        return f"`{spelled(getattr(self.paginator, self.in_body))}`"

    def reference(self, page: Page) -> Any:
        """What leads to the next page; None where its place says that there is none, MISSING where that is absent."""
        return first_at(spelled(getattr(self.paginator, self.in_body)), page.body)

    def follow(self, request: Any, reference: Any) -> None:
        """Makes the request one for the next page, whose address the reference is unless a style says otherwise.

        Raises:
            BadAnswer: the reference leads nowhere.
        """
        if not isinstance(reference, str):
            raise BadAnswer(f"{self.place} is no address of a next page")
        origin = urlsplit(request.url)
        request.url = _stay_with(origin, linked(self._at or request.url, reference))
        request.params = {}
        self._at = request.url
        self.sees_moves = self.sees_moves and counting_parameter(request.url) is None

    def first(self) -> PageRequest:
        return self.endpoint.page(self._copy_of_request())

    def pages(self, count: PassCount, window: int) -> Iterator[Page]:
        request = self._copy_of_request()
        asked: set[str] = set()
        while True:
            asked.add(_spelled(request))
            try:
                page = self.endpoint.page(request).get(self._contradiction)
            except ApiStatusError as error:
                if not self.endpoint.is_ignored(error):
                    raise
                self.end = IGNORED
                return
            count.note(page)
            if page.outline:
                if count.is_repetition(page):
                    raise count.repetition_error()
                count.add(page)
                yield page
            reference = self._next_of(page)
            if page.shape == "unmodified":
                self.end = End("the API says that nothing changed")
            elif reference is None or reference is MISSING:
                self.end = self._end(reference, count)
            if self.end is not None:
                return
            request = self._copy_of_request()
            self.follow(request, reference)
            if _spelled(request) in asked:
                raise IncompleteSweep(f"The API's next page, after {count.rows} records, is one that was read before.")

    def _next_of(self, page: Page) -> Any:
        """The reference of a page, unless the answer itself says that nothing follows."""
        if getattr(self.paginator, "stop_after_empty_page", False) and not page.outline:
            return None
        if getattr(self.paginator, "has_more_path", None) is not None and not self.says_more(page):
            return None
        reference = self.reference(page)
        return reference if reference is MISSING else reference or None

    def _contradiction(self, came: Page | ApiStatusError) -> str | None:
        if isinstance(came, ApiStatusError) or not self.says_more(came) or self.is_one_page:
            return None
        if self._next_of(came) not in (None, MISSING):
            return None
        return f"{self.place} leads to no next page, though the API says that there is more"

    def _end(self, reference: Any, count: PassCount) -> End:
        if reference is None:
            # a page without records, or the word of no more, is an end whatever else the answer names
            is_last_word = count.ends_empty or count.claims.more is not None
            return End(f"{self.place} says that there is no next page", next_is_unread=not is_last_word)
        if count.pages > 1:
            return End(f"the last answer has no {self.place}, and those before had one")
        return End(f"the only answer has no {self.place}", proven=None, next_is_unread=True)

    def _send_back(self, request: Any, parameter: str, cursor: Any) -> None:
        request.params[parameter] = cursor
        self.sees_moves = self.sees_moves and not counts(parameter, cursor)

    _at: str | None = None
    """The address of the page before, which relative links start at."""


class SinglePage(Linked):
    """One page holds everything; nothing leads on."""

    paginator_class = SinglePagePaginator
    is_one_page = True
    place = "`single_page`"

    def reference(self, page: Page) -> Any:
        return MISSING

    def _end(self, reference: Any, count: PassCount) -> End:
        why = f"`single_page` reads one page only, and it has {count.rows} records, as many as a full page may have"
        return End(why, proven=None, next_is_unread=True)


class JsonLink(Linked):
    """`"next": "https://api.vendor.example/v1/invoices?page=2"` in the body."""

    paginator_class = JSONLinkPaginator
    in_body = "next_url_path"


class HeaderLink(Linked):
    """`Link: </v1/invoices?page=2>; rel="next"` in the headers."""

    paginator_class = HeaderLinkPaginator
    place = "`Link` header with a next page"

    def reference(self, page: Page) -> Any:
        links = links_of(page.headers.get("Link", ""))
        return links.get(self.paginator.links_next_key.lower(), MISSING)


class Cursor(Linked):
    """`"next": "aW52XzEwMA"` in the body, sent back as a parameter."""

    paginator_class = JSONResponseCursorPaginator
    in_body = "cursor_path"

    def follow(self, request: Any, reference: Any) -> None:
        if self.paginator.cursor_body_path:
            request.json = request.json or {}
            jsonpath.set_value_at_path(request.json, self.paginator.cursor_body_path, reference)
            self.sees_moves = self.sees_moves and not counts(self.parameter.rpartition(".")[2], reference)
        else:
            self._send_back(request, self.parameter, reference)


class HeaderCursor(Linked):
    """`NextPageToken: 123456` in the headers, sent back as a parameter, or an address there where one is declared."""

    paginator_class = HeaderCursorPaginator

    @property
    def place(self) -> str:
        return f"`{self.paginator.cursor_key}` header"

    def reference(self, page: Page) -> Any:
        return page.headers.get(self.paginator.cursor_key, MISSING)

    def follow(self, request: Any, reference: Any) -> None:
        if isinstance(self.paginator, HeaderAddressPaginator):
            super().follow(request, reference)
            return
        if "://" in reference or reference.startswith("<") or (reference.startswith("/") and "?" in reference):
            raise BadAnswer(
                f"the header `{self.paginator.cursor_key}` holds an address and no cursor; `header_cursor` sends what "
                "it holds as a parameter; with `x-link: true` it follows the address, and `header_link` follows a "
                "`Link` header"
            )
        self._send_back(request, self.parameter, reference)


def _spelled(request: Any) -> str:
    return repr((request.url, request.params, request.json))


def _stay_with(origin: SplitResult, url: str) -> str:
    """Keeps a next link on the host and scheme of the API: the key goes nowhere else.

    Raises:
        IncompleteSweep: the link leads to another host.
    """
    link = urlsplit(url)
    if link.hostname != origin.hostname:
        raise IncompleteSweep(f"The API's next link leads to another host, {link.hostname}; the key is not sent there.")
    return urlunsplit((origin.scheme, origin.netloc, link.path, link.query, ""))
