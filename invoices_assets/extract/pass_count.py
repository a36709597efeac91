"""Counts what one pass over the pages of an API brings, and what the API says of the whole meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from invoices_assets.errors import IncompleteSweep
from invoices_assets.extract.claims import NOTHING, Claims
from invoices_assets.extract.id_count import IdCount
from invoices_assets.extract.page import Page
from invoices_assets.extract.reading import RecordReaders

USUAL_SIZES = frozenset((10, 20, 25, 30, 40, 50))
"""Page sizes that servers have, besides multiples of 100 and 250; such a page may be a full one."""


class RecordsMoved(Exception):
    """Records were inserted, deleted or reordered during a pass; another pass may find them at rest."""


class EndInDoubt(RecordsMoved):
    """An answer that came as often as it may be asked for is a move or a fault; alike in two passes, it is a fault."""


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


@dataclass(eq=False)
class PassCount:
    """The running count of one pass.

    A total that always equals the rows of its own page is the count of that page, and so no total.

    Parameters:
        reading: of single records.
        position: the parameter that asks for a page, for sentences.
        ids: counts the identities; empty.
        tombstones: counts those that are marked as deleted; empty.
        asked: how many records a page is asked to have; None where that is not known.
        names_pages: whether the place of the total is named as one of a number of pages.

    Attributes:
        claims: what the last answer says of the whole.
        rows, pages: records received, and pages that had some.
        without_key, pages_without_key: records without an identity, and pages that had some.
        is_unmodified: an answer said that nothing has changed.
        ends_empty: the last page had no record.
        sizes: records of the first and of the last page.
    """

    reading: RecordReaders
    position: str
    ids: IdCount
    tombstones: IdCount
    asked: int | None
    names_pages: bool
    claims: Claims = NOTHING
    rows: int = 0
    pages: int = 0
    without_key: int = 0
    pages_without_key: int = 0
    is_unmodified: bool = False
    ends_empty: bool = False
    sizes: tuple[int, int] = (0, 0)
    _read: tuple[Page, list[Any]] | None = None
    _tombstone_rows: int = 0
    _fingerprints: set[int] = field(default_factory=set)
    _last_fingerprint: int | None = None
    _last: Any = None
    _said: _Total = field(default_factory=_Total)
    _claimed: _Total = field(default_factory=_Total)

    @property
    def distinct(self) -> int:
        """Distinct records: ids, and each record without an id."""
        return self.ids.distinct + self.without_key

    @property
    def told(self) -> int | None:
        """The API's total, as far as it is one."""
        return self._said.value

    @property
    def total(self) -> int | None:
        """The same where it tells how many rows come; it may leave out tombstones, or count versions as one."""
        return None if self.reading.is_tombstone or self.reading.version else self.told

    @property
    def total_is_of_records(self) -> bool:
        """Whether nothing shows that the total, where there is one, counts pages."""
        return not self.names_pages and (self.total is None or self.total >= self.distinct)

    @property
    def of_total(self) -> str:
        """How much of the total came, for sentences."""
        if self.total_is_of_records:
            return f"{self.rows} of {self.total} records"
        return f"{self.rows} records ({self.pages} of {self.total} pages)"

    def is_total(self, number: int) -> bool:
        """Whether so many came, by one of the ways in which APIs count versions and tombstones."""
        live = self.distinct - self.tombstones.distinct
        versions = (self.rows, self.rows - self._tombstone_rows) if self.reading.version else ()
        return number in (self.distinct, live, *versions)

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
        self.is_unmodified = page.shape == "unmodified"
        self.ends_empty = not page.outline
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
        first, second = self.reading.keys([one, other])
        return one == other if first is None else first == second and self._version(one) == self._version(other)

    def known(self, page: Page) -> list[bool]:
        """Which records of a page came before; of those without a key none did."""
        named = [key for key in self._keys(page) if key is not None]
        return self.ids.known(named) + [False] * (len(page.outline) - len(named))

    def has_same_records(self, other: PassCount) -> bool:
        """Whether another pass brought the same ids."""
        pairs = ((self.ids, other.ids), (self.tombstones, other.tombstones))
        return self.without_key == other.without_key and all(mine.is_same(theirs) for mine, theirs in pairs)

    def add(self, page: Page) -> None:
        """Counts a page that has records.

        Raises:
            IncompleteSweep: an object stands in the place of the list, and it has no key, so that it is no record.
        """
        keys = self._keys(page)
        named = [key for key in keys if key is not None]
        self.pages_without_key += not named
        if not named and page.shape == "object":
            raise nameless()
        self._last_fingerprint = self._fingerprint(page)
        self._fingerprints.add(self._last_fingerprint)
        self._last = page.outline[-1]
        stamp, is_tombstone = self.reading.stamp, self.reading.is_tombstone
        if stamp is None:
            self.ids.add(named)
        else:
            stamps = [stamp(record) for key, record in zip(keys, page.outline, strict=True) if key is not None]
            self.ids.add(named, stamps)
        if is_tombstone is not None:
            pairs = zip(keys, page.outline, strict=True)
            gone = [key for key, record in pairs if key is not None and is_tombstone(record)]
            self.tombstones.add(gone)
            self._tombstone_rows += len(gone)
        self.without_key += len(keys) - len(named)
        self.pages += 1
        self.rows += len(keys)
        size = len(keys) + page.skipped
        self.sizes = (self.sizes[0] or size, size)

    def repetition_error(self) -> IncompleteSweep:
        """What to say of a page that came twice."""
        if self.pages == 1:
            return IncompleteSweep(
                f"The API ignores `{self.position}`: it answered the first page again, so only {self.rows} records "
                "can be read. Its paging may be another one: `single_page` if it has no pages, `page_number` if it "
                "counts them, or its parameter has another name."
            )
        return IncompleteSweep(
            f"The same page came twice after {self.rows} records (the last page comes again, or "
            f"`{self.position}` is ignored), so what lies behind it cannot be proven."
        )

    def capped(self) -> str:
        """That pages are smaller than asked for, as a part of a sentence; empty where they are not."""
        first = self.sizes[0]
        if self.asked is None or first >= self.asked:
            return ""
        return f" (it gives {first} records a page, though {self.asked} were asked for)"

    def prove(self, expected: int | None) -> None:
        """Raises unless the records are exactly as many as expected, and none came twice that has one version.

        Raises:
            RecordsMoved: they are not.
        """
        if expected is not None and not self.is_total(expected):
            raise RecordsMoved(f"the API says {expected} records, and {self.distinct} distinct ones came{self._dead()}")
        if self.reading.version is not None:
            return
        # a keyset in the order of change shows what changes meanwhile once more, in its later version
        twice = self.rows - self.ids.renewed - self.distinct
        if twice:
            raise RecordsMoved(f"{twice} of {self.rows} records came twice")

    def _dead(self) -> str:
        gone = self.tombstones.distinct
        return f", {gone} of them marked as deleted" if gone else ""

    def _version(self, record: Any) -> Any:
        return None if self.reading.version is None else self.reading.version(record)

    def _fingerprint(self, page: Page) -> int:
        """The same for the same records, whether or not the first of them is left out for it came before."""
        keys, records = self._keys(page), page.outline
        if page.skipped:
            keys, records = [*self.reading.keys([self._last]), *keys], [self._last, *records]
        if self.reading.version is not None:
            return hash(tuple((key, repr(self._version(record))) for key, record in zip(keys, records, strict=True)))
        if None not in keys:
            return hash(tuple(keys))
        return hash(tuple(repr(record) if key is None else key for key, record in zip(keys, records, strict=True)))

    def _keys(self, page: Page) -> list[Any]:
        if self._read is None or self._read[0] is not page:
            self._read = page, self.reading.keys(page.outline)
        return self._read[1]


def nameless() -> IncompleteSweep:
    """What to say of a page whose records have no key."""
    return IncompleteSweep(
        "No record of a page has its key, so what the API sends is no record, or not what the source file describes "
        "(`primary_key`, `data_selector`)."
    )
