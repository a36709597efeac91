"""Whether a total counts these records: what it says of the last page is asked for once."""

from __future__ import annotations

from dataclasses import replace

from invoices_assets.describe.draft.asking import Listing
from invoices_assets.describe.draft.paging.counting import Counting
from invoices_assets.describe.draft.paging.paging import Paging
from invoices_assets.describe.draft.trial import Trial


def with_proven_total(listing: Listing, paging: Paging, trial: Trial) -> Trial:
    """The trial, without its total where the last page is not where that says.

    A reading to the end has proven it already, and pages that are linked cannot be asked for by their position.

    Parameters:
        listing: asked for in pages of the size of the trial.
    """
    way, swept = paging.way, trial.swept
    if not isinstance(way, Counting) or not paging.total or not trial.has_totals:
        return trial
    if swept is None or swept.complete or not swept.total:
        return trial
    pages = -(-swept.total // trial.size)
    position, due = (swept.total - 1, 1) if way.is_offset else (pages - 1, swept.total - (pages - 1) * trial.size)
    page = listing.page({way.name: way.base + position})
    if page is not None and len(page.records) == due:
        return trial
    return replace(trial, has_totals=False)
