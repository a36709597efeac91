"""The records of a list in the order in which they come, as far as they are known, and a small page of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from invoices_assets.describe.draft.asking import Listing
from invoices_assets.describe.draft.names import SIZES, snake
from invoices_assets.describe.draft.parameters import find_parameter
from invoices_assets.describe.draft.records import Keys, Listed
from invoices_assets.extract.claims import claims_of
from invoices_assets.extract.http.link_header import links_of

_SIZE_WORDS = frozenset(snake(name) for name in SIZES) | {"perpage", "max", "limit_value"}


@dataclass(frozen=True)
class Sample:
    """What is known of a list.

    Parameters:
        listing: the list.
        first: its first page, with the server's own size.
        small: its first page, as small as it could be had; the same where no size is heeded.
        size: the parameter for the size of a page; None where none is heeded.
        named: tells records apart.
    """

    listing: Listing
    first: Listed
    small: Listed
    size: str | None
    named: Callable[[Sequence[Any]], list[str]]

    @property
    def few(self) -> int:
        """Records of a small page."""
        return len(self.small.records)

    @property
    def asked_small(self) -> Listing:
        """The list, asked for in small pages."""
        return self.listing.with_params({self.size: self.few}) if self.size else self.listing

    def position(self, page: Listed | None) -> int | None:
        """Where a page begins in the known order; None where that does not tell."""
        if page is None or not page.records:
            return None
        known, shown = self.named(self.first.records), self.named(page.records)
        if len(set(known)) < len(known) or shown[0] not in known:
            return None
        at = known.index(shown[0])
        overlap = known[at : at + len(shown)]
        return at if shown[: len(overlap)] == overlap else None

    def is_next(self, page: Listed | None) -> bool:
        """Whether a page follows the small one."""
        if page is None or not page.records:
            return False
        if len(self.first.records) > self.few:
            return self.position(page) == self.few
        return not set(self.named(page.records)) & set(self.named(self.small.records))

    def is_first(self, page: Listed) -> bool:
        """Whether a page is the small one again."""
        return self.named(page.records) == self.named(self.small.records)

    def claimed(self, which: str) -> Iterator[tuple[Keys, Any]]:
        """Where the small page claims something, with its value.

        Parameters:
            which: `total`, `pages`, `more` or `next`.
        """
        for keys, value in self.small.around():
            if getattr(claims_of({keys[-1]: value}, ("",), {}, totals=True), which) is not None:
                yield keys, value


def sample_of(listing: Listing, first: Listed, named: Callable[[Sequence[Any]], list[str]]) -> Sample:
    """Finds the parameter for the size of a page by asking for a very small one."""
    wanted = 2 if len(first.records) > 2 else 1
    known = named(first.records)
    found: list[Listed] = []

    def heeded(page: Listed) -> bool:
        is_small = named(page.records) == known[:wanted]
        if is_small:
            found[:] = [page]
        return is_small

    size = None
    if len(known) > wanted:
        names = dict.fromkeys((*_echoed_sizes(first), *SIZES))
        size = find_parameter(listing, list(names), wanted, heeded, lambda page: named(page.records) == known)
    return Sample(listing, first, found[-1] if size else first, size, named)


def _echoed_sizes(page: Listed) -> Iterator[str]:
    """Parameters that an answer names itself: beside its records, or in a link to its next page."""
    for keys, value in page.around():
        if snake(keys[-1]) in _SIZE_WORDS and isinstance(value, int) and value >= len(page.records):
            yield keys[-1]
            if len(keys) > 1:
                yield f"{keys[-2]}[{keys[-1]}]"
    for name, value in query_of_links(page):
        if snake(name.rpartition("[")[2]) in _SIZE_WORDS and value.isdecimal():
            yield name


def query_of_links(page: Listed) -> Iterator[tuple[str, str]]:
    """The parameters of the links to a next page that an answer has."""
    links = [links_of(page.headers.get("Link", "")).get("next", "")]
    links += [value for _, value in page.around() if isinstance(value, str) and "?" in value]
    for link in links:
        yield from parse_qsl(urlsplit(link).query)
