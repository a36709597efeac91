"""The plan of a refresh: where its sweep starts, what it covers, and where the cursor is afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from invoices_assets.errors import SourceError
from invoices_assets.extract.partition import DateWindow
from invoices_assets.extract.sweep import SweepResult
from invoices_assets.load.diff.missed import RefreshStart
from invoices_assets.load.inspect import ReliableState
from invoices_assets.load.saved_state import cursor_state
from invoices_assets.source.resource import ResourceSpec
from invoices_assets.source.timestamps import TimestampFormat, is_later, parse_since

Mode = Literal["incremental", "full", "reconcile"]
UNSTAMPED = "unstamped"
"""In dlt's state: the last sweep of everything met records without a change stamp, such as those that were
never edited. A filter by change shows neither them nor new ones of their kind, so refreshes ask for
everything."""


@dataclass(frozen=True)
class RefreshRequest:
    """What a run is asked to do.

    Parameters:
        mode: `incremental` asks for what changed, `full` for everything, `reconcile` for everything and marks
            what the API no longer has as deleted.
        since: ask for what changed since this moment instead of the stored cursor; ISO 8601.
        limit: stop after about so many records, for a trial; the cursor stays where it is.
        dry_run: fetch and report, load nothing.
        max_deleted_share: fail instead of marking more than this share of the rows as deleted, 0 to 1.
        dates: ask for this stretch of the history only; nothing is marked as deleted and the cursor stays.
    """

    mode: Mode = "incremental"
    since: str | None = None
    limit: int | None = None
    dry_run: bool = False
    max_deleted_share: float = 0.2
    dates: DateWindow | None = None


@dataclass(frozen=True)
class RefreshPlan:
    """What a request means for a resource, given its stored cursor.

    Parameters:
        before: the stored cursor, in the API's notation; None where there is none.
        start: where the sweep starts on the cursor, in the API's notation; None for no such filter.
        stored: what dlt's state holds of the resource.
        doubtful: the warehouse is not what a stored cursor says of it, so that one must not be used.
    """

    spec: ResourceSpec
    request: RefreshRequest
    before: Any
    start: Any
    stored: Mapping[str, Any] = field(default_factory=dict)
    doubtful: bool = False

    @classmethod
    def of(cls, spec: ResourceSpec, request: RefreshRequest, trusted: ReliableState) -> RefreshPlan:
        """The plan for a request, by what dlt's state holds of the resource.

        Raises:
            SourceError: the request contradicts itself or the source.
        """
        if request.dates is not None and (request.since is not None or request.mode == "reconcile"):
            raise SourceError(
                "A run for a partition loads one stretch of the history; it takes neither `since` nor the "
                "mode `reconcile`, which belong to a run without partition."
            )
        path = spec.cursor.path if spec.cursor is not None else None
        stored = trusted.state
        before = stored.get("incremental", {}).get(path, {}).get("last_value")
        start = _start(spec, request, before, bool(stored.get(UNSTAMPED)))
        return cls(spec, request, before, start, stored, trusted.doubt is not None)

    @property
    def covers_everything(self) -> bool:
        """Whether a complete sweep has every record of the API."""
        first = self.spec.cursor.initial_value if self.spec.cursor is not None else None
        return self.request.dates is None and self.start in (None, first)

    def cursor_after(self, swept: SweepResult) -> Any:
        """The cursor moves forward only, and only over what a complete sweep has covered without a gap."""
        if not swept.complete or swept.cursor is None or self.request.dates is not None:
            return self.before
        if self.doubtful and not self.covers_everything:
            return None
        notation = TimestampFormat(self.spec)
        furthest = swept.cursor.last_value if swept.cursor.last_value is not None else self._given_start()
        reached, held, began = (notation.moment(value) for value in (furthest, self.before, self.start))
        if reached is None:
            return self.before
        if held is not None and not is_later(reached, held):
            return self.before
        return self.before if is_later(began, held) else furthest

    def state(self, last_value: Any, swept: SweepResult) -> dict[str, Any] | None:
        """dlt's state with this cursor, after a sweep; None where it stays as it is.

        A cursor that was not relied on is taken back by a sweep that does not set it anew: when the sweep has
        filled the table in part, nothing would tell any more that it says nothing.
        """
        if self.spec.cursor is None or (last_value is None and not self.doubtful):
            return None
        state = cursor_state(self.spec.cursor.path, self.spec.cursor.initial_value, last_value)
        if swept.complete and self.covers_everything and swept.cursor is not None:
            hidden = swept.cursor.without_stamp > 0 and not self.spec.cursor.shows_unstamped
            if hidden or UNSTAMPED in self.stored:
                state[UNSTAMPED] = hidden
        return state

    @property
    def watermark(self) -> RefreshStart | None:
        """Where an incremental refresh would have started; None where that tells nothing."""
        cursor = self.spec.cursor
        if cursor is None or not cursor.filters or self.request.mode == "incremental":
            return None
        notation = TimestampFormat(self.spec)
        if not self.covers_everything or notation.moment(self.before) is None:
            return None
        start = notation.local(notation.start_after(self.before))
        return None if start is None else RefreshStart(self.spec.column_of(cursor.path).name, start)

    def _given_start(self) -> Any:
        """The `since` of the run, if it has passed: an answer without a stamp covers everything up to it."""
        moment = TimestampFormat(self.spec).as_datetime(self.start) if self.request.since is not None else None
        if moment is None or moment > datetime.now(UTC):
            return None
        return str(self.start) if isinstance(self.start, str) else self.start


def _start(spec: ResourceSpec, request: RefreshRequest, before: Any, some_unstamped: bool) -> Any:
    if spec.cursor is None or not spec.cursor.filters:
        if request.since is not None:
            raise SourceError(f"`since` needs an API that filters by change, and `{spec.name}` declares no cursor.")
        return None
    if request.since is not None:
        return parse_since(spec, request.since, like=before or spec.cursor.initial_value)
    filtered = request.mode == "incremental" and request.dates is None and not some_unstamped
    if filtered and before is not None:
        return TimestampFormat(spec).start_after(before)
    return TimestampFormat(spec).as_text(spec.cursor.initial_value)
