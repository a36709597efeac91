"""Counts what one pass over an API brought, and decides whether its end is to be believed.

The rule, in `believe_end`: an end is believed only if nothing that the API said contradicts it. Where nothing
contradicts it and nothing proves it either, the pass counts, and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from invoices_assets.errors import IncompleteSweep
from invoices_assets.extract.claims import NOTHING, Claims
from invoices_assets.extract.page import Page

UNPROVEN = "nothing proves that these are all"
USUAL_SIZES = frozenset((10, 20, 25, 30, 40, 50))
"""Page sizes that servers have, besides multiples of 100 and 250; such a page may be a full one."""


class RecordsMoved(Exception):
    """Records were inserted, deleted or reordered during a pass; another pass may find them at rest."""


@dataclass(frozen=True)
class End:
    """Where a walk stopped.

    Parameters:
        why: what proves that nothing lies behind, or why nothing does, as the end of a sentence.
        proven: which of the two; None where the walk itself saw neither, and what the API said may still prove it.
        next_is_unread: whether the source file names no place for the next page, or one that the answers do not have.
    """

    why: str
    proven: bool | None = True
    next_is_unread: bool = False

    @property
    def sentence(self) -> str:
        """For people."""
        return self.why if self.proven else f"{UNPROVEN}: {self.why}"


class PassCount:
    """The running count of one pass.

    A total that always equals the rows of its own page is the count of that page, and so no total.

    Parameters:
        identities: gives the identity of each record of a page, None where one has none.
        position: the parameter that asks for a page, for sentences.
        asked: how many records a page is asked to have; None where that is not known.
        stamp: gives the change stamp of a record; None where the source file names none.
    """

    def __init__(
        self,
        identities: Callable[[Sequence[Any]], list[Any]],
        position: str,
        asked: int | None = None,
        stamp: Callable[[Any], Any] | None = None,
    ) -> None:
        self._identities = identities
        self._read: tuple[Page, list[Any]] | None = None
        self._position = position
        self._stamp = stamp
        self._ids: dict[int, Any] = {}
        self._fingerprints: set[int] = set()
        self._last_fingerprint: int | None = None
        self._last: Any = None
        self._said = _Total()
        self._claimed = _Total()
        self.asked = asked
        self.claims: Claims = NOTHING
        self.rows = 0
        self.pages = 0
        self.without_key = 0
        self.pages_without_key = 0
        self.renewed = 0
        self.sizes: tuple[int, int] = (0, 0)

    @property
    def distinct(self) -> int:
        """Distinct records: ids, and each record without an id."""
        return len(self._ids) + self.without_key

    @property
    def total(self) -> int | None:
        """The API's total, as far as it is one."""
        return self._said.value

    @property
    def total_may_be_a_page_count(self) -> bool:
        """Whether only one more request can tell the total from the count of the first page."""
        return self._said.is_of_its_page and self.pages == 1 and bool(self._said.last)

    @property
    def claimed_total(self) -> tuple[str, int] | None:
        """A total at a place that the source file does not name, as far as it is one; with that place."""
        value = self._claimed.value
        return None if self.claims.total is None or value is None else (self.claims.total[0], value)

    @property
    def last_is_short(self) -> bool:
        """Whether the last page has fewer records than a page has here."""
        first, last = self.sizes
        if self.pages > 1 and last < first:
            return True
        usual = last in USUAL_SIZES or last % 100 == 0 or last % 250 == 0
        return not usual and self.asked is not None and last < self.asked

    def note(self, page: Page) -> None:
        """Notes what a page claims, also an empty one.

        Raises:
            RecordsMoved: the total is another one than before.
        """
        said = page.claims
        self.claims = replace(said, total=said.total or self.claims.total, pages=said.pages or self.claims.pages)
        rows = len(page.outline) + page.skipped
        before = self._said.last
        self._said.note(page.total, rows, self.pages)
        self._claimed.note(said.total[1] if said.total else None, rows, self.pages)
        if None not in (before, page.total) and before != self._said.last and not self._said.is_of_its_page:
            raise RecordsMoved(f"the total went from {before} to {page.total}")

    def is_repetition(self, page: Page) -> bool:
        """Whether this very page came before."""
        return self._fingerprint(page) in self._fingerprints

    def is_last_page_again(self, page: Page) -> bool:
        """Whether this page is the one before, and that one was shorter than a full page."""
        first, last = self.sizes
        return self._fingerprint(page) == self._last_fingerprint and self.pages > 1 and last < first

    def begins_with_the_last(self, page: Page) -> bool:
        """Whether a page begins with the record that the page before ended with."""
        one, other = self._last, page.outline[0]
        first, second = self._identities([one, other])
        return one == other if first is None else first == second

    def knows(self, page: Page) -> bool:
        """Whether every record of a page came before."""
        return all(hash(key) in self._ids for key in self._keys(page))

    def knows_any_of(self, page: Page) -> bool:
        """Whether a record of a page came before."""
        return any(hash(key) in self._ids for key in self._keys(page))

    def has_same_records(self, other: PassCount) -> bool:
        """Whether another pass brought the same ids."""
        return self._ids.keys() == other._ids.keys() and self.without_key == other.without_key

    def add(self, page: Page) -> None:
        """Counts a page that has records.

        Raises:
            IncompleteSweep: an object stands in the place of the list, and it has no key, so that it is no record.
        """
        keys = self._keys(page)
        named = [hash(key) for key in keys if key is not None]
        self.pages_without_key += not named
        if not named and page.shape == "object":
            raise _nameless()
        self._last_fingerprint = self._fingerprint(page)
        self._fingerprints.add(self._last_fingerprint)
        self._last = page.outline[-1]
        if self._stamp is None:
            self._ids |= dict.fromkeys(named)
        else:
            self._add_with_stamps(page, keys)
        self.without_key += len(keys) - len(named)
        self.pages += 1
        self.rows += len(keys)
        size = len(keys) + page.skipped
        self.sizes = (self.sizes[0] or size, size)

    def repetition_error(self) -> IncompleteSweep:
        """What to say of a page that came twice."""
        if self.pages == 1:
            return IncompleteSweep(
                f"The API ignores `{self._position}`: it answered the first page again, so only {self.rows} records "
                "can be read. Its paging may be another one: `single_page` if it has no pages, `page_number` if it "
                "counts them."
            )
        return IncompleteSweep(
            f"The same page came twice after {self.rows} records (the last page comes again, or "
            f"`{self._position}` is ignored), so what lies behind it cannot be proven."
        )

    def capped(self) -> str:
        """That pages are smaller than asked for, as a part of a sentence; empty where they are not."""
        first = self.sizes[0]
        if self.asked is None or first >= self.asked:
            return ""
        return f" (it gives {first} records a page, though {self.asked} were asked for)"

    def prove(self, expected: int | None) -> None:
        """Raises unless the distinct records are exactly as many as expected, and none came twice.

        Raises:
            RecordsMoved: they are not.
        """
        if expected is not None and self.distinct != expected:
            raise RecordsMoved(f"the API says {expected} records, and {self.distinct} distinct ones came")
        if self.rows - self.renewed != self.distinct:
            twice = self.rows - self.renewed - self.distinct
            raise RecordsMoved(f"{twice} of {self.rows} records came twice")

    def _add_with_stamps(self, page: Page, keys: Sequence[Any]) -> None:
        assert self._stamp is not None
        stamps = map(hash, map(self._stamp, page.outline))
        found = {hash(key): stamp for key, stamp in zip(keys, stamps, strict=True) if key is not None}
        if not self._ids.keys().isdisjoint(found):
            # a keyset in the order of change shows what changes meanwhile once more, in its later version
            self.renewed += sum(key in self._ids and self._ids[key] != stamp for key, stamp in found.items())
        self._ids |= found

    def _fingerprint(self, page: Page) -> int:
        """The same for the same records, whether or not the first of them is left out for it came before."""
        keys, records = self._keys(page), page.outline
        if page.skipped:
            keys, records = [*self._identities([self._last]), *keys], [self._last, *records]
        if None not in keys:
            return hash(tuple(keys))
        return hash(tuple(repr(record) if key is None else key for key, record in zip(keys, records, strict=True)))

    def _keys(self, page: Page) -> list[Any]:
        if self._read is None or self._read[0] is not page:
            self._read = page, self._identities(page.outline)
        return self._read[1]


class _Total:
    """A total as the pages of a pass give it."""

    def __init__(self) -> None:
        self.last: int | None = None
        self.is_of_its_page = True
        self._told = 0

    def note(self, total: int | None, rows: int, pages: int) -> None:
        """Takes the total of a page with so many rows, after so many pages."""
        if total is None:
            return
        if rows or pages == 0:
            self.is_of_its_page = self.is_of_its_page and total == rows
            self._told += 1
        elif total == 0 and self.is_of_its_page:
            return
        self.last = total

    @property
    def value(self) -> int | None:
        """The total, unless it was the count of each of several pages."""
        return None if self.is_of_its_page and self._told > 1 else self.last


def believe_end(count: PassCount, end: End, expected: int | None, *, is_one_page: bool = False) -> End:
    """THE rule: believes an end unless something that the API said contradicts it.

    Parameters:
        count: the pass.
        end: how its walk ended.
        expected: the API's total of records; None where it gives none.
        is_one_page: the source file says that there is one page only, so that another pass cannot help.

    Returns:
        the end with what proves it, or with why nothing does.

    Raises:
        IncompleteSweep: the API says that there is more.
        RecordsMoved: the records received contradict the total, or each other.
    """
    more = _says_more(count, end)
    short = _falls_short(count, expected)
    if is_one_page and (more or short):
        raise IncompleteSweep(
            f"`single_page` reads one page only, and the API says that there is more: {more or short}, and "
            f"{count.distinct} records came{count.capped()}. Name the paginator that this API has. {_UNLESS}"
        )
    if more:
        raise IncompleteSweep(f"Behind the last of {count.rows} records, the API says that there is more: {more}.")
    count.prove(expected)
    if count.pages_without_key and expected is None:
        raise _nameless()
    if short:
        raise RecordsMoved(f"the API says {short}, and {count.distinct} distinct ones came{count.capped()}. {_UNLESS}")
    if end.proven is not None:
        return end
    proof = _proof(count, expected)
    return End(end.why, proven=False) if proof is None else End(proof)


def _nameless() -> IncompleteSweep:
    return IncompleteSweep(
        "No record of a page has its key, so what the API sends is no record, or not what the source file describes "
        "(`primary_key`, `data_selector`)."
    )


_UNLESS = "If that number counts something else, `total_path: null` in the paginator switches it off"


def _says_more(count: PassCount, end: End) -> str | None:
    """Where the last answer says that more records follow."""
    claims = count.claims
    if claims.more is not None and claims.more[1]:
        return f"`{claims.more[0]}` is true"
    if end.next_is_unread and claims.next is not None:
        return f"`{claims.next}` leads to a next page, and the source file does not name it"
    return None


def _falls_short(count: PassCount, expected: int | None) -> str | None:
    """What the API says of records or pages, where fewer came."""
    if expected is not None:
        return f"{expected} records" if expected > count.distinct else None
    if count.claimed_total is not None and count.claimed_total[1] > count.distinct:
        return f"{count.claimed_total[1]} records (`{count.claimed_total[0]}`)"
    pages = count.claims.pages
    if pages is not None and count.rows and (pages[1] - 1) * count.sizes[0] >= count.rows:
        return f"{pages[1]} pages (`{pages[0]}`)"
    return None


def _proof(count: PassCount, expected: int | None) -> str | None:
    """What of the API's own words proves that all came."""
    claims, claimed = count.claims, count.claimed_total
    if expected is not None:
        return f"the API's total of {expected} was reached"
    if not count.rows:
        return "the API shows no record"
    if claims.more is not None:
        return f"`{claims.more[0]}` says that there is no more"
    if claimed is not None and claimed[1] == count.distinct and (count.pages > 1 or claimed[0].lower() != "count"):
        return f"the API's total of {claimed[1]} was reached (`{claimed[0]}`)"
    if claims.pages is not None and claims.pages[1] == count.pages:
        return f"it was the last of {count.pages} pages (`{claims.pages[0]}`)"
    if count.last_is_short:
        return f"the last page has {count.sizes[1]} records only"
    return None
