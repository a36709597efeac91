"""Whether change stamps can be read, and whether the API can be asked by them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from invoices_assets.describe.evidence import Evidence
from invoices_assets.describe.finding import Finding, ok, unproven, wrong
from invoices_assets.describe.records import on_tombstones
from invoices_assets.errors import ExtractError
from invoices_assets.extract.page import Page
from invoices_assets.extract.partition import DateWindow, OutsideCount
from invoices_assets.extract.watermark import stamp_reader_of
from invoices_assets.source.incremental import CursorSpec
from invoices_assets.source.timestamps import TimestampFormat, is_later

FILTER, STAMPS, WINDOW = "change filter", "change stamp", "date window"
_A_DAY = timedelta(days=1)


def on_changes(seen: Evidence) -> Iterator[Finding]:
    """The change stamps of the records seen, and what a filter by them brings."""
    cursor = seen.spec.cursor
    if cursor is None:
        yield unproven(
            FILTER, "None is declared, so each refresh asks for everything.", "`incremental`, if there is one."
        )
    elif seen.records:
        stamps = _Stamps(seen, cursor.path)
        yield from _on_stamps(stamps, cursor)
        if cursor.filters and stamps.moments:
            yield from _on_filter(seen, stamps, cursor)
    if seen.spec.window is not None and seen.records:
        yield from _on_window(seen, seen.spec.window.path)


class _Stamps:
    """The stamps of one field of the records seen, with the moments that they stand for."""

    def __init__(self, seen: Evidence, path: str) -> None:
        self.format = TimestampFormat(seen.spec, path)
        self.path = path
        self._stamp = stamp_reader_of(seen.spec, path)
        self.all = list(map(self._stamp, seen.records))
        self.given = [stamp for stamp in self.all if stamp not in (None, "")]
        self.moments: dict[Any, Any] = {
            stamp: moment for stamp in self.given if (moment := self.format.moment(stamp)) is not None
        }

    def of(self, page: Page) -> list[Any]:
        """The moments of a page; None for a record without one."""
        return [self.format.moment(self._stamp(record)) for record in page.records]


def _on_stamps(stamps: _Stamps, cursor: CursorSpec) -> Iterator[Finding]:
    path, count = stamps.path, len(stamps.all)
    if not stamps.given:
        yield wrong(STAMPS, f"No record has `{path}`.", "`incremental.cursor_path`: the field of the last change.")
        return
    unread = [stamp for stamp in stamps.given if stamp not in stamps.moments]
    if unread:
        sentence = f"{len(unread)} of {count} records have a `{path}` that cannot be read, such as {unread[0]!r}."
        yield wrong(STAMPS, sentence, "`x-format` of its column: epoch_s, epoch_ms or a strptime format.")
    without = count - len(stamps.given)
    if without:
        yield unproven(
            STAMPS,
            f"{without} of {count} records have no `{path}`; a filter by it may hide them, so refreshes then ask for "
            "everything.",
            "`on_cursor_value_missing: include`, if the API shows them all the same.",
        )
    if not unread:
        yield _on_notation(stamps)


def _on_notation(stamps: _Stamps) -> Finding:
    stamp, moment = next(iter(stamps.moments.items()))
    if not isinstance(moment, datetime):
        sentence = f"`{stamps.path}` is a bare number such as {stamp}, compared as one."
        return unproven(STAMPS, sentence, "`x-format: epoch_s` or `epoch_ms` of its column, if it counts time.")
    read = f"`{stamps.path}` such as {stamp} is read as {moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if any(is_later(moment, datetime.now(UTC) + _A_DAY) for moment in stamps.moments.values()):
        return unproven(STAMPS, f"{read}, and some lie in the future.", "`x-timezone` or `x-format` of its column.")
    if stamps.format.is_zone_assumed(stamp):
        return unproven(
            STAMPS, f"{read}, for neither it nor the source file names a zone.", "`x-timezone: Europe/Berlin`"
        )
    return ok(STAMPS, f"{read}.")


@dataclass(frozen=True)
class _Cut:
    """A stamp to ask from, with the records seen before it and at it, by key."""

    stamp: Any
    moment: Any
    before: dict[Any, Any]
    at: set[Any]
    has_later: bool


def _cut_of(seen: Evidence, stamps: _Stamps) -> _Cut | None:
    """The stamp in the middle of those seen; None where all are the same."""
    in_order = sorted(set(stamps.moments.values()))
    if len(in_order) < 2:
        return None
    moment = in_order[len(in_order) // 2]
    moments = dict(zip(map(repr, seen.keys(seen.records)), map(stamps.moments.get, stamps.all), strict=True))
    return _Cut(
        stamp=next(stamp for stamp, other in stamps.moments.items() if other == moment),
        moment=moment,
        before={key: other for key, other in moments.items() if is_later(moment, other)},
        at={key for key, other in moments.items() if other == moment},
        has_later=moment < in_order[-1],
    )


def _on_filter(seen: Evidence, stamps: _Stamps, cursor: CursorSpec) -> Iterator[Finding]:
    """Asks from a stamp in the middle of those seen, and looks at which of them come."""
    cut = _cut_of(seen, stamps)
    if cut is None:
        yield unproven(FILTER, f"All records seen have the same `{cursor.path}`, which cannot tell.")
        return
    asked = f"since {cut.stamp}"
    try:
        page = seen.asking.first_page(cut.stamp)
    except ExtractError as error:
        yield wrong(FILTER, f"Asked for what changed {asked}, the API does not answer: {error}", _param(cursor))
        return
    yield _on_changed(seen, stamps, cursor, cut, page)
    # some APIs show what is deleted only to those who ask for changes
    yield from on_tombstones(seen, page.records)


def _on_changed(seen: Evidence, stamps: _Stamps, cursor: CursorSpec, cut: _Cut, page: Page) -> Finding:
    asked = f"since {cut.stamp}"
    if not page.outline:
        return _on_nothing(cut, cursor, asked)
    keys = set(map(repr, seen.keys(page.records)))
    still = {key: cut.before[key] for key in keys & cut.before.keys()}
    if still and len(still) == len(set(cut.before) & set(map(repr, seen.keys(seen.first.records)))):
        if isinstance(cut.moment, datetime) and cut.moment - min(still.values()) < _A_DAY:
            return unproven(FILTER, f"Asked {asked}, records of less than a day before come, too; by day only?")
        return wrong(FILTER, f"The API ignores it: asked {asked}, it shows what changed before, too.", _param(cursor))
    older = [moment for moment in stamps.of(page) if is_later(cut.moment, moment)]
    if older:
        return ok(FILTER, f"It is heeded, more widely than asked: asked {asked}, {len(older)} older records come, too.")
    return _on_heeded(cut, cursor, keys, asked, is_whole=_is_whole(seen, page))


def _on_nothing(cut: _Cut, cursor: CursorSpec, asked: str) -> Finding:
    if cut.has_later:
        sentence = f"Asked {asked}, nothing comes, though records changed later: the API does not understand the stamp."
        return wrong(FILTER, sentence, f"{_param(cursor)} `x-format` beside it says how it is written.")
    return _exclusive(cursor, asked)


def _on_heeded(cut: _Cut, cursor: CursorSpec, keys: set[Any], asked: str, *, is_whole: bool) -> Finding:
    if cut.at & keys:
        return ok(FILTER, f"It is heeded, and inclusive: asked {asked}, the record of that moment comes.")
    if is_whole:
        return _exclusive(cursor, asked)
    return ok(FILTER, f"It is heeded: asked {asked}, nothing older comes. One page does not show if it is inclusive.")


def _exclusive(cursor: CursorSpec, asked: str) -> Finding:
    sentence = f"It is heeded, and exclusive: asked {asked}, the record of that moment does not come"
    if cursor.lag:
        return ok(FILTER, f"{sentence}; `lag: {cursor.lag:g}` makes up for it.")
    return unproven(
        FILTER, f"{sentence}, so one written late with the last stamp would be missed.", "`lag: 1`, or more."
    )


def _is_whole(seen: Evidence, page: Page) -> bool:
    """Whether an answer has all records that were asked for: it is shorter than a page has here."""
    size = len(seen.first.outline)
    return len(page.outline) < size if len(seen.pages) > 1 else page.claims.next is None


def _param(cursor: CursorSpec) -> str:
    if cursor.start_param is None:
        return "`{incremental.start_value}` in `params`, or the name of that parameter."
    return f"`start_param: {cursor.start_param}`: is that how the API calls it?"


def _on_window(seen: Evidence, path: str) -> Iterator[Finding]:
    """Asks for the month of a record seen, and for one in which there is none."""
    stamps = _Stamps(seen, path)
    found = [moment for moment in stamps.moments.values() if isinstance(moment, datetime)]
    if not found:
        yield wrong(WINDOW, f"No record has a moment in `{path}`.", "`cursor_path` of the window.")
        return
    month = _month_of(sorted(found)[len(found) // 2])
    try:
        page = seen.asking.first_page(dates=month)
        before = seen.asking.first_page(dates=_month_of(datetime(1971, 1, 15, tzinfo=UTC)))
    except ExtractError as error:
        yield wrong(WINDOW, f"Asked for {month.start:%Y-%m}, the API does not answer: {error}")
        return
    reader = OutsideCount(seen.spec, month)
    reader.read(page.records)
    if reader.outside or before.outline:
        count = reader.outside or len(before.outline)
        yield wrong(WINDOW, f"The API ignores it: {count} records of other months come.", "`start_param`, `end_param`.")
    elif not page.outline:
        yield wrong(WINDOW, f"Asked for {month.start:%Y-%m}, nothing comes, though there are records of that month.")
    else:
        yield ok(WINDOW, f"It is heeded: asked for {month.start:%Y-%m}, only records of that month come.")


def _month_of(moment: datetime) -> DateWindow:
    start = moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return DateWindow(start, (start + timedelta(days=32)).replace(day=1))
