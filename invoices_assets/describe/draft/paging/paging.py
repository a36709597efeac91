"""How the pages of a list are found: the first way that brings a second page."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from invoices_assets.describe.draft.paging.counting import Counting, by_counting, counting_by
from invoices_assets.describe.draft.paging.links import by_cursor, by_last_record, by_link
from invoices_assets.describe.draft.paging.sample import Sample
from invoices_assets.describe.draft.records import path_of
from invoices_assets.extract.claims import count_of
from invoices_assets.extract.pagination.positions import OFFSETS, PAGES, counting_parameter
from invoices_assets.source.values.paths import at_keys

USUAL_SIZES = (100, 50, 25, 10)
"""Of a page, asked for in turn until the API takes one."""
LARGE_SIZES = (1000, 500, *USUAL_SIZES)
"""Where one page is all that there is."""


@dataclass(frozen=True)
class Paging:
    """A way from page to page.

    Parameters:
        size: the parameter for the size of a page; None where none is heeded.
        own_size: records of a page where none is asked for.
        way: as in the YAML, or how pages are counted; None where nothing leads to a second page.
        total: where the answers tell how many records there are; None where they do not.
        notes: what was not proven, in sentences.
    """

    size: str | None
    own_size: int
    way: dict[str, Any] | Counting | None
    total: str | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sizes of a page to try."""
        if self.size is None:
            return (self.own_size,)
        return LARGE_SIZES if self.way is None else (*USUAL_SIZES, self.own_size)

    def paginator(self, size: int, *, has_totals: bool = True) -> dict[str, Any]:
        """As in the YAML.

        Parameters:
            has_totals: False where what looks like a total counts something else.
        """
        way = self.way.paginator(self.size, size) if isinstance(self.way, Counting) else self.way
        total = {"total_path": self.total if has_totals else None} if self.total or not has_totals else {}
        return {**(way or {"type": "single_page"}), **total}

    def params(self, size: int) -> dict[str, Any]:
        """What asks for the size, where the paginator does not."""
        if self.size is None or (isinstance(self.way, Counting) and self.way.is_offset):
            return {}
        return {self.size: size}


def paging_of(sample: Sample, key: str) -> Paging:
    """Follows what the answers show; where they show nothing, tries the usual names.

    Parameters:
        key: the field of the primary key.
    """
    total, notes = _total_of(sample)
    way = _way_of(sample, key)
    return Paging(sample.size, len(sample.first.records), way, total, notes)


def _way_of(sample: Sample, key: str) -> dict[str, Any] | Counting | None:
    linked = by_link(sample)
    if linked is not None:
        name = counting_parameter(linked[1])
        return (counting_by(sample, name) if name else None) or linked[0]
    cursor = by_cursor(sample)
    if cursor is not None:
        name = cursor["cursor_param"]
        return (counting_by(sample, name) if name in (*OFFSETS, *PAGES) else None) or cursor
    return by_last_record(sample, key) or by_counting(sample)


def _total_of(sample: Sample) -> tuple[str | None, list[str]]:
    """Where the total of all records stands, by what a page and a smaller one say."""
    notes: list[str] = []
    for keys, value in sample.claimed("total"):
        count, other = count_of(value), count_of(at_keys(sample.first.document, keys))
        if count is None or other is None:
            continue
        place = path_of(keys, sample.small.document)
        if count == other and count >= len(sample.first.records):
            return place, notes
        if count == sample.few and other == len(sample.first.records):
            notes.append(f"`{place}` is no total: it counts the records of its page")
    return None, notes
