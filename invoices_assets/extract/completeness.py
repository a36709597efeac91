"""Counts what one pass over an API brought, and tells whether it adds up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from invoices_assets.errors import IncompleteSweep
from invoices_assets.extract.page import Page


class RecordsMoved(Exception):
    """Records were inserted, deleted or reordered during a pass; another pass may find them at rest."""


class PassCount:
    """The running count of one pass.

    A total that always equals the rows of its own page is the count of that page, and so no total.
    """

    def __init__(self, identities: Callable[[Sequence[Any]], list[str | None]], position: str) -> None:
        self._identities = identities
        self._read: tuple[Page, list[str | None]] | None = None
        self._position = position
        self._ids: set[int] = set()
        self._fingerprints: set[int] = set()
        self._last_fingerprint: int | None = None
        self._only_page_counts = True
        self._said: int | None = None
        self.rows = 0
        self.pages = 0
        self.without_key = 0
        self.sizes: tuple[int, int] = (0, 0)

    @property
    def distinct(self) -> int:
        """Distinct records: ids, and each record without an id."""
        return len(self._ids) + self.without_key

    @property
    def total(self) -> int | None:
        """The API's total, as far as it is one."""
        return None if self._only_page_counts and self.pages > 1 else self._said

    @property
    def total_may_be_a_page_count(self) -> bool:
        """Whether only one more request can tell the total from the count of the first page."""
        return self._only_page_counts and self.pages == 1 and self._said is not None and self._said > 0

    def note_total(self, page: Page) -> None:
        """Notes the total of a page, also of an empty one.

        Raises:
            RecordsMoved: the total is another one than before.
        """
        if page.total is None:
            return
        before = self._said
        if page.outline or self.pages == 0:
            self._only_page_counts = self._only_page_counts and page.total == len(page.outline)
        elif page.total == 0 and self._only_page_counts:
            return
        self._said = page.total
        if before is not None and before != page.total and not self._only_page_counts:
            raise RecordsMoved(f"the total went from {before} to {page.total}")

    def is_repetition(self, page: Page) -> bool:
        """Whether this very page came before."""
        return self._fingerprint(page) in self._fingerprints

    def is_last_page_again(self, page: Page) -> bool:
        """Whether this page is the one before, and that one was shorter than a full page."""
        first, last = self.sizes
        return self._fingerprint(page) == self._last_fingerprint and self.pages > 1 and last < first

    def are_same(self, one: Any, other: Any) -> bool:
        """Whether two records are one and the same."""
        first, second = self._identities([one, other])
        return one == other if first is None else first == second

    def add(self, page: Page) -> None:
        """Counts a page that has records."""
        self._last_fingerprint = self._fingerprint(page)
        self._fingerprints.add(self._last_fingerprint)
        keys = self._keys(page)
        self._ids.update(hash(key) for key in keys if key is not None)
        self.without_key += keys.count(None)
        self.pages += 1
        self.rows += len(page.outline)
        self.sizes = (self.sizes[0] or len(page.outline), len(page.outline))

    def repetition_error(self) -> IncompleteSweep:
        """What to say of a page that came twice."""
        if self.pages == 1:
            return IncompleteSweep(
                f"The API ignores `{self._position}`: it answered the first page again, "
                f"so only {self.rows} records can be read."
            )
        return IncompleteSweep(
            f"The same page came twice after {self.rows} records (the last page comes again, or "
            f"`{self._position}` is ignored), so what lies behind it cannot be proven."
        )

    def prove(self, expected: int | None) -> None:
        """Raises unless the distinct records are exactly as many as expected, and none came twice.

        Raises:
            RecordsMoved: they are not.
        """
        if expected is not None and self.distinct != expected:
            raise RecordsMoved(f"the API says {expected} records, and {self.distinct} distinct ones came")
        if self.rows != self.distinct:
            raise RecordsMoved(f"{self.rows - self.distinct} of {self.rows} records came twice")

    def _fingerprint(self, page: Page) -> int:
        keys = self._keys(page)
        if None not in keys:
            return hash(tuple(keys))
        return hash(tuple(repr(r) if key is None else key for key, r in zip(keys, page.records, strict=True)))

    def _keys(self, page: Page) -> list[str | None]:
        if self._read is None or self._read[0] is not page:
            self._read = page, self._identities(page.outline)
        return self._read[1]
