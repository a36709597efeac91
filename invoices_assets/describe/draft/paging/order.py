"""Whether records come in the same order each time, and the parameter that makes them."""

from __future__ import annotations

from invoices_assets.describe.draft.asking import Listing
from invoices_assets.describe.draft.records import Listed, identities

_SORTS = ("sort", "order_by", "ordering", "sort_by", "_sort", "orderby", "$orderby", "order", "sortBy", "orderBy")


def in_order(listing: Listing, first: Listed, key: str) -> tuple[Listing, Listed, list[str]]:
    """The list in a stable order, its first page, and what of that was not proven.

    Parameters:
        listing: as it was asked for until now.
        first: its first page.
        key: the field of the primary key, which it is sorted by where its own order does not hold.
    """
    named = identities(key)
    again = listing.page({})
    if again is None or named(again.records) == named(first.records):
        return listing, first, []
    for name in _SORTS:
        one, other = listing.page({name: key}), listing.page({name: key})
        if one is not None and other is not None and one.records and named(one.records) == named(other.records):
            return listing.with_params({name: key}), one, []
    return listing, first, ["the first page comes in another order each time, and no usual parameter sorts it"]
