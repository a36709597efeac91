"""Pages that are asked for by an offset or by their number, proven by a page that is another one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from invoices_assets.describe.draft.names import alike, snake
from invoices_assets.describe.draft.paging.sample import Sample, query_of_links
from invoices_assets.describe.draft.parameters import FIRST, find_parameter
from invoices_assets.describe.draft.records import Listed
from invoices_assets.extract.pagination.positions import OFFSETS, PAGES

_OFFSET_WORDS = frozenset(map(snake, OFFSETS))


@dataclass(frozen=True)
class Counting:
    """How a position is counted.

    Parameters:
        name: of the parameter.
        is_offset: records are counted, else pages.
        base: the position of the first page.
    """

    name: str
    is_offset: bool
    base: int

    def paginator(self, size_parameter: str | None, size: int) -> dict[str, Any]:
        """As in the YAML; the size of a page is a setting of `offset` only."""
        if self.is_offset:
            names: dict[str, Any] = {} if self.name == "offset" else {"offset_param": self.name}
            names |= {"limit_param": size_parameter} if size_parameter not in (None, "limit") else {}
            return {"type": "offset", "limit": size, **names, **({"offset": self.base} if self.base else {})}
        return {"type": "page_number", "base_page": self.base, "page_param": self.name}


def by_counting(sample: Sample) -> Counting | None:
    """How pages are counted; None where no usual parameter brings another page."""
    likely = (*_echoed(sample), *alike(sample.size, (*OFFSETS, *PAGES)))
    names = list(dict.fromkeys((*likely, *OFFSETS[:FIRST], *PAGES[:FIRST])))
    for name in names:
        if (found := counting_by(sample, name)) is not None:
            return found

    def is_another(page: Listed) -> bool:
        return bool(page.records) and not sample.is_first(page)

    for others in (OFFSETS[FIRST:], PAGES[FIRST:]):
        rest = [name for name in others if name not in names]
        moved = find_parameter(sample.asked_small, rest, 2, is_another, sample.is_first, alone=0)
        if moved is not None:
            return counting_by(sample, moved)
    return None


def _echoed(sample: Sample) -> Iterator[str]:
    """Names that the answers have themselves: in their links, or beside their records."""
    usual = {snake(name): name for name in (*PAGES, *OFFSETS)}
    yield from (name for name, _ in query_of_links(sample.small) if snake(name) in usual)
    for keys, value in sample.small.around():
        name = snake(keys[-1]).removeprefix("current_")
        if name in usual and isinstance(value, int):
            if keys[-1] in (*OFFSETS, *PAGES):
                yield keys[-1]
            if len(keys) > 1:
                yield f"{keys[-2]}[{keys[-1]}]"
            yield usual[name]


def counting_by(sample: Sample, name: str) -> Counting | None:
    """What a parameter counts, by where the pages begin that it brings; None where it brings no other page."""
    known, few = len(sample.first.records), sample.few
    if known == few:
        return _counting_unseen(sample, name)
    is_offset = snake(name.rpartition("[")[2].rstrip("]")) in _OFFSET_WORDS
    if known > 3 * few:
        position = sample.position(_page(sample, name, 3))
        if position == 3:
            return Counting(name, is_offset=True, base=0)
        if position == 2 * few:
            return Counting(name, is_offset=False, base=1)
        if position == 3 * few:
            return Counting(name, is_offset=False, base=0)
        return _rounded_or_from_one(sample, name) if position == 2 and few == 2 else None
    position = sample.position(_page(sample, name, 1))
    if position in (1, few):
        return Counting(name, is_offset=position == 1 and (is_offset or few > 1), base=0)
    if position == 0 and sample.position(_page(sample, name, 2)) == few:
        return Counting(name, is_offset=is_offset, base=0 if is_offset else 1)
    return None


def _rounded_or_from_one(sample: Sample, name: str) -> Counting:
    """An offset of 3 that shows the third record: it is rounded down to a multiple of 2, or counted from 1."""
    position = sample.position(_page(sample, name, 2))
    return Counting(name, is_offset=True, base=1 if position == 1 else 0)


def _counting_unseen(sample: Sample, name: str) -> Counting | None:
    """As `counting_by`, where no page is smaller than the first, so that what follows is not known."""
    page = _page(sample, name, 1)
    if page is None:
        return None
    if sample.few > 1 and sample.position(page) == 1:
        return Counting(name, is_offset=True, base=0)
    if sample.is_next(page):
        return Counting(name, is_offset=False, base=0)
    if sample.is_first(page) and sample.is_next(_page(sample, name, 2)):
        return Counting(name, is_offset=False, base=1)
    return None


def _page(sample: Sample, name: str, value: int) -> Listed | None:
    return sample.asked_small.page({name: value})
