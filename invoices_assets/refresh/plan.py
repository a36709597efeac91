"""The plan of a refresh: where its sweep starts, what it covers, and where the cursor is afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from invoices_assets.errors import SourceError
from invoices_assets.extract.partition import DateWindow
from invoices_assets.extract.sweep import SweepRequest, SweepResult
from invoices_assets.load.request import KnownState, LoadRequest, Scope, Stretch
from invoices_assets.load.saved_state import cursor_state
from invoices_assets.refresh.origin import Origin
from invoices_assets.source.resource import ResourceSpec
from invoices_assets.source.timestamps import TimestampFormat, is_later, parse_since

Mode = Literal["incremental", "full", "reconcile"]
UNSTAMPED = "unstamped"
"""In dlt's state: the last sweep of everything met records without a change stamp, such as those that were
never edited. A filter by change shows neither them nor new ones of their kind, so refreshes ask for
everything."""
GAP = "overlap_gone"
"""In dlt's state: the cursor at which a sweep of everything has shown that the known records of the overlap are gone,
so that their absence alone is no reason to ask for everything again."""


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
    """What a request means for a resource, given what dlt's state holds of it.

    Parameters:
        origin: how the resource is read now.
        before: the stored cursor, in the API's notation; None where there is none to rely on.
        start: where the sweep starts on the cursor, in the API's notation; None for no such filter.
        seen: what was known when the plan was made, with what dlt's state holds of the resource.
        doubt: why the stored cursor must not be used; None where it may.
        missing: how many known records an incremental sweep should have brought again and did not; None where it
            was not so.
    """

    spec: ResourceSpec
    request: RefreshRequest
    origin: Origin
    before: Any
    start: Any
    seen: KnownState
    doubt: str | None = None
    missing: int | None = None

    @classmethod
    def of(cls, spec: ResourceSpec, request: RefreshRequest, known: KnownState, origin: Origin) -> RefreshPlan:
        """The plan for a request.

        Raises:
            SourceError: the request contradicts itself or the source, or the rows are those of another address.
        """
        if request.dates is not None and (request.since is not None or request.mode == "reconcile"):
            raise SourceError(
                "A run for a partition loads one stretch of the history; it takes neither `since` nor the "
                "mode `reconcile`, which belong to a run without partition."
            )
        doubt = known.doubt or _changed(spec, request, known.state, origin)
        trusted = {} if doubt else known.state
        path = spec.cursor.path if spec.cursor is not None else None
        before = trusted.get("incremental", {}).get(path, {}).get("last_value")
        start = _start(spec, request, before, bool(trusted.get(UNSTAMPED)))
        return cls(spec, request, origin, before, start, known, doubt)

    def of_everything(self, missing: int) -> RefreshPlan:
        """The plan after an incremental sweep that did not bring the known records of its overlap."""
        first = self.spec.cursor.initial_value if self.spec.cursor is not None else None
        return replace(self, start=first, missing=missing)

    @property
    def remarks(self) -> list[str]:
        """Why the sweep asks for more than the request does."""
        if self.missing is not None:
            return [f"{absence(self.missing)}, so everything was asked for"]
        return [f"the stored cursor was not relied on: {self.doubt}"] if self.doubt and self.spec.cursor else []

    def unproven(self, swept: SweepResult) -> list[str]:
        """What a sweep could not prove, and what is left undone for that."""
        if not swept.complete or swept.proven:
            return swept.remarks
        if not swept.rows:
            return [*swept.remarks, swept.end]
        left = ["the cursor stays where it was"] if self.spec.cursor is not None else []
        left += ["no record was marked as deleted"] if self.request.mode == "reconcile" else []
        return [*swept.remarks, "; so ".join([swept.end, " and ".join(left)] if left else [swept.end])]

    @property
    def sweep_request(self) -> SweepRequest:
        """What the sweep is to ask for."""
        request = self.request
        return SweepRequest(self.start, request.dates, request.limit, confirm=request.mode == "reconcile")

    @property
    def covers_everything(self) -> bool:
        """Whether a complete sweep has every record of the API."""
        first = self.spec.cursor.initial_value if self.spec.cursor is not None else None
        return self.request.dates is None and self.start in (None, first)

    @property
    def covers(self) -> str:
        """What a complete sweep has, see `RefreshResult`."""
        dates, since = self.request.dates, self.request.since
        if dates is not None:
            return f"{dates.start:%Y-%m-%d} to {dates.end:%Y-%m-%d}"
        if self.covers_everything:
            return "everything"
        began, held = map(TimestampFormat(self.spec).moment, (self.start, self.before))
        has_gap = since is not None and (held is None or is_later(began, held))
        return f"what changed since {since}" if has_gap else "changes"

    def cursor_after(self, swept: SweepResult) -> Any:
        """The cursor moves forward only, and only over what a complete sweep has covered without a gap."""
        if not swept.proven or swept.cursor is None or self.request.dates is not None:
            return self.before
        if self.doubt and not self.covers_everything:
            return None
        timestamp_format = TimestampFormat(self.spec)
        furthest = swept.cursor.last_value if swept.cursor.last_value is not None else self._given_start()
        reached, held, began = (timestamp_format.moment(value) for value in (furthest, self.before, self.start))
        if reached is None:
            return self.before
        if held is not None and not is_later(reached, held):
            return self.before
        return self.before if is_later(began, held) else furthest

    def load_request(self, last_value: Any, swept: SweepResult) -> LoadRequest:
        """What is to be done with the rows of a sweep.

        Parameters:
            last_value: the cursor afterwards.
        """
        state = self._state(last_value, swept)
        is_everything = self.covers_everything and (swept.proven or (swept.complete and self.missing is not None))
        if not is_everything:
            return LoadRequest(state=state, overlap=self._overlap(swept), seen=self.seen)
        marks = self.request.mode == "reconcile" and swept.proven
        return LoadRequest(
            scope=Scope.EVERYTHING_MARK_DELETED if marks else Scope.EVERYTHING,
            state=state,
            max_deleted_share=self.request.max_deleted_share if marks or self.missing is not None else None,
            asked=self._asked(swept),
            refreshed=self._refreshed,
            seen=self.seen,
        )

    def _state(self, last_value: Any, swept: SweepResult) -> dict[str, Any]:
        """dlt's state with this cursor, after a sweep.

        A cursor that was not relied on is taken back by a sweep that does not set it anew: when the sweep has
        filled the table in part, nothing would tell any more that it says nothing.
        """
        cursor, everything = self.spec.cursor, swept.complete and self.covers_everything
        state: dict[str, Any] = {}
        if cursor is not None and (last_value is not None or self.doubt):
            state = cursor_state(cursor.path, cursor.initial_value, last_value)
            if everything and swept.cursor is not None:
                hidden = swept.cursor.without_stamp > 0 and not cursor.shows_unstamped
                if hidden or UNSTAMPED in self.seen.state:
                    state[UNSTAMPED] = hidden
        if self.missing is not None:
            state[GAP] = self.before
        if everything or not self.origin.is_known_to(self.seen.state):
            state |= self.origin.state
        return state

    def _overlap(self, swept: SweepResult) -> Stretch | None:
        """What the sweep has asked for again; None where it did not, or where its absence is known."""
        asked = swept.complete and self.request.dates is None and self.request.since is None
        if (
            not asked
            or self.before is None
            or swept.is_unmodified
            or (self.seen.state.get(GAP) == self.before and swept.rows == 0)
        ):
            return None
        stretch = self._stretch(self.start)
        end = TimestampFormat(self.spec).local(self.before)
        return replace(stretch, end=end) if stretch is not None and is_later(end, stretch.start) else None

    def _asked(self, swept: SweepResult) -> Stretch | None:
        """What a sweep of everything was asked for; None where that is all."""
        stretch = self._stretch(self.start)
        if stretch is None or self.spec.cursor is None or swept.cursor is None:
            return None
        return replace(stretch, unstamped=self.spec.cursor.shows_unstamped or swept.cursor.without_stamp > 0)

    @property
    def _refreshed(self) -> Stretch | None:
        """What an incremental refresh would have asked for; None where that tells nothing."""
        timestamp_format = TimestampFormat(self.spec)
        if self.request.mode == "incremental" or timestamp_format.moment(self.before) is None:
            return None
        return self._stretch(timestamp_format.start_after(self.before))

    def _stretch(self, start: Any) -> Stretch | None:
        """All that changed since `start`; None where the API is not asked by that, or it cannot be compared."""
        if self.spec.cursor is None or not self.spec.cursor.filters:
            return None
        moment = TimestampFormat(self.spec).local(start)
        return None if moment is None else Stretch(self.spec.column_of(self.spec.cursor.path).name, moment)

    def _given_start(self) -> Any:
        """The `since` of the run, if it has passed: an answer without a stamp covers everything up to it."""
        moment = TimestampFormat(self.spec).as_datetime(self.start) if self.request.since is not None else None
        if moment is None or moment > datetime.now(UTC):
            return None
        return self.start


def absence(missing: int) -> str:
    """What is missing from the overlap, as the beginning of a sentence."""
    return f"none of the {missing} known records that the API was asked for again came back"


def _changed(spec: ResourceSpec, request: RefreshRequest, stored: Mapping[str, Any], origin: Origin) -> str | None:
    """Why a cursor says nothing of the resource as it is read now.

    Raises:
        SourceError: the rows are those of another address, and the request does not accept the new one.
    """
    before = origin.other_address(stored)
    if before is not None:
        if request.mode == "incremental" or request.since is not None or request.dates is not None:
            raise SourceError(
                f"`{spec.name}` was loaded from {before} so far, and the address now is {origin.address}: the rows of "
                "two APIs would be mixed. If it is the same API that has moved, one run with `mode: full` or "
                "`mode: reconcile` accepts the new address."
            )
        return f"it was made with {before}"
    parts = origin.changed_parts(stored)
    return f"the declaration of `{spec.name}` has changed since ({', '.join(parts)})" if parts else None


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
    return spec.cursor.initial_value
