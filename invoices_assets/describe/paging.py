"""How the pages prove that they are all: their size, their order, and what the API says of the whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dlt.sources.helpers.rest_client.paginators import SinglePagePaginator

from invoices_assets.describe.evidence import Evidence
from invoices_assets.describe.finding import Finding, ok, unproven, wrong
from invoices_assets.errors import IncompleteSweep
from invoices_assets.extract.claims import Claims
from invoices_assets.extract.page import Page
from invoices_assets.extract.sweep import page_size
from invoices_assets.source.values.paths import MISSING, first_at, spelled

STABLE = "Give a stable sort in `params`, if the API has one."
_PLACES = ("next_url_path", "cursor_path", "has_more_path")
"""What a paginator of dlt reads of an answer, by the name of its setting."""


def on_paging(seen: Evidence) -> Iterator[Finding]:
    """Size, order, places and end of the pages."""
    if seen.first.outline:
        yield from _on_size(seen)
        yield _on_order(seen)
    yield from _on_places(seen)
    yield _on_end(seen)


def _on_size(seen: Evidence) -> Iterator[Finding]:
    asked, got = page_size(seen.spec, seen.asking.endpoint.request(None, seen.asking.parent_values)), _size(seen.first)
    if asked is None:
        return
    if got == asked:
        yield ok("page size", f"The API gives the {asked} records a page that it is asked for.")
    elif got > asked:
        yield unproven(
            "page size", f"The API gives {got} records a page, though {asked} were asked for.", "Another parameter?"
        )
    elif len(seen.pages) > 1:
        sentence = f"The API caps its pages: {asked} records were asked for, and {got} come. Nothing is lost by it."
        yield ok("page size", sentence) if _told_total(seen) else unproven("page size", sentence, f"Ask for {got}.")


def _on_order(seen: Evidence) -> Finding:
    first, again = seen.keys(seen.first.records), seen.keys(seen.again.records)
    if first != again:
        return wrong("order", "The first page has other records, or another order, when it is asked for again.", STABLE)
    return ok("order", "The first page is the same when it is asked for again.")


def _on_places(seen: Evidence) -> Iterator[Finding]:
    """What the source file names in an answer, and no answer has."""
    pages = [seen.first, *seen.pages]
    claims = seen.first.claims
    if isinstance(seen.spec.paginator, SinglePagePaginator):
        unused = claims.next or (claims.more and claims.more[0])
        unused = unused or next((told[0] for told in (claims.pages, claims.total) if told and told[1] > 1), None)
        if unused and seen.swept is not None:
            yield unproven(
                "paging", f"`single_page` reads one page only, and the answer has `{unused}`.", _unused_remedy(claims)
            )
    for setting in _PLACES:
        place = getattr(seen.spec.paginator, setting, None)
        if place is None or not any(page.outline for page in pages) or _is_anywhere(place, pages):
            continue
        sentence = f"No answer has `{spelled(place)}`, which `{setting}` names"
        if claims.next or (claims.more and claims.more[1]):
            yield wrong("paging", f"{sentence}; it has `{claims.next or claims.more}`.", _unused_remedy(claims))
        else:
            yield unproven("paging", f"{sentence}.", "All records seen fit into one page, so nothing shows its place.")
    total = seen.spec.total_path
    # dlt's paginators look for `total` unless they are told otherwise
    if total not in (None, "total") and not _is_anywhere(total, pages) and seen.first.total is None:
        known = f"; `{claims.total[0]}` is there" if claims.total else ""
        yield unproven("paging", f"No answer has `{total}`, which `total_path` names{known}.", "`total_path: null`.")


def _on_end(seen: Evidence) -> Finding:
    swept, claims = seen.swept, seen.first.claims
    if seen.fault is not None:
        remedy = STABLE if isinstance(seen.fault, IncompleteSweep) and "moved" in str(seen.fault) else ""
        return wrong("paging", f"A run would fail: {seen.fault}", remedy)
    assert swept is not None
    if swept.complete:
        if swept.proven:
            return ok("paging", f"All {swept.distinct} records came, and the end is proven: {swept.end}.")
        return unproven(
            "paging", f"{swept.distinct} records came; {swept.end}.", "`total_path`, where the API has one."
        )
    read = f"{len(seen.pages)} pages fit together"
    if swept.total is not None:
        return ok("paging", f"{read}; the API's total of {swept.total} will prove the end.")
    told = claims.total or claims.pages or claims.more
    if told is not None:
        return ok("paging", f"{read}; `{told[0]}` of the answers will prove the end.")
    if claims.next is not None:
        return ok("paging", f"{read}; an answer without `{claims.next}` will prove the end.")
    return unproven("paging", f"{read}; only an empty or a short page will show the end, for no answer has a total.")


def _unused_remedy(claims: Claims) -> str:
    if claims.next is not None:
        return f"`json_link`, `header_link`, `cursor` or `header_cursor`, by what `{claims.next}` holds."
    return "`offset`, `page_number` or `cursor`, by what the API takes."


def _told_total(seen: Evidence) -> bool:
    return seen.first.total is not None or seen.first.claims.total is not None


def _is_anywhere(place: Any, pages: list[Page]) -> bool:
    return any(page.body is not None and first_at(spelled(place), page.body) is not MISSING for page in pages)


def _size(page: Page) -> int:
    return len(page.outline) + page.skipped
