"""Finds the stamp of the last change, and the parameter by which the API shows only what changed since."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from invoices_assets.describe.draft.asking import Listing
from invoices_assets.describe.draft.moments import column_of
from invoices_assets.describe.draft.names import STAMPS, TOMBSTONES, WRAPPERS, by_name, filters_of
from invoices_assets.describe.draft.parameters import find_parameter
from invoices_assets.describe.draft.records import Listed
from invoices_assets.describe.draft.trial import Ground, spec_of
from invoices_assets.extract.watermark import stamp_of
from invoices_assets.source.record_key import keys_of
from invoices_assets.source.resource import ResourceSpec
from invoices_assets.source.timestamps import TimestampFormat

LAG_SECONDS = 600
"""As in the default source file: for records that are written late with an older stamp."""
_DAY, _MOST_BY_DAY = "%Y-%m-%d", 6
"""The other notation in which a start is sent, under so many names."""


@dataclass(frozen=True)
class Changes:
    """How an API is asked for changes.

    Parameters:
        incremental: as in the YAML; None where no parameter was found.
        tombstone: the column that marks deleted records, with its hints; None where none was seen.
        notes: what was not proven, in sentences.
    """

    incremental: Mapping[str, Any] | None
    tombstone: tuple[str, Mapping[str, Any]] | None = None
    notes: list[str] = field(default_factory=list)


def changes_of(
    ground: Ground, listing: Listing, records: Sequence[Any], columns: Mapping[str, Mapping[str, Any]], size: int
) -> Changes:
    """Asks from a stamp in the middle of those seen, under the usual names.

    Parameters:
        ground: the draft so far.
        listing: asked for in pages of that size.
        records: that were seen.
        columns: as they are declared.
        size: of a page.
    """
    stamps = _stamps_of(records)
    if not stamps:
        return Changes(
            None, notes=["no field has one of the usual names of a change stamp, so each run asks for everything"]
        )
    notes: list[str] = []
    for name in stamps[:2]:
        cut = _cut_of(_spec(ground, name, columns), records, name, size)
        if cut is None:
            notes.append(f"`{name}` is the same, or cannot be read, in all records seen, so no filter could be tried")
            continue
        names = filters_of(name.rpartition(".")[2], listing.params)
        for asked in (cut, *cut.by_day()):
            found = find_parameter(listing, names, asked.sent(cut.moment), cut.is_heeded, cut.is_ignored)
            if found is not None:
                return _changes(listing, asked, found, records)
            names = names[:_MOST_BY_DAY]
        notes.append(f"no usual parameter selects by `{name}` (names and `filter[...]` forms were tried, no header, no")
        notes[-1] += " expression), so each run asks for everything"
    return Changes(None, notes=notes)


def _stamps_of(records: Sequence[Any]) -> list[str]:
    """The paths of fields that have the name of a change stamp."""
    fields = {name: value for record in records for name, value in record.items()}
    wrapped = {
        key: f"{name}.{key}"
        for name, value in fields.items()
        if name in WRAPPERS and isinstance(value, dict)
        for key in value
    }
    return [{**wrapped, **{name: name for name in fields}}[name] for name in by_name({**wrapped, **fields}, STAMPS)]


def _spec(ground: Ground, name: str, columns: Mapping[str, Mapping[str, Any]]) -> ResourceSpec:
    config = ground.config({"type": "single_page"}, {})
    config["resources"][0]["columns"] = {path: dict(hints) for path, hints in columns.items()}
    config["resources"][0]["endpoint"]["incremental"] = {"cursor_path": name}
    return spec_of(config)


@dataclass(frozen=True)
class _Cut:
    """A stamp to ask from.

    Parameters:
        spec: with this cursor.
        name: of the field.
        stamp: as the API writes it.
        moments: key of each record seen -> its moment.
        first: the keys of the first page without a filter.
        size: of a page.
        form: how the stamp is sent; None for as the API writes it.
    """

    spec: ResourceSpec
    name: str
    stamp: Any
    moments: Mapping[Any, Any]
    first: list[Any]
    size: int
    form: str | None = None

    def by_day(self) -> Iterator[_Cut]:
        """The same, sent as a day, where that is another notation."""
        if isinstance(self.moment, datetime) and self.spec.column_of(self.name).kind != "date":
            yield replace(self, form=_DAY)

    def sent(self, moment: Any) -> Any:
        """A moment as it is sent."""
        stamped = TimestampFormat(self.spec, self.name, self.form)
        return stamped.write(moment, self.stamp) if isinstance(moment, datetime) else moment

    @property
    def moment(self) -> Any:
        return TimestampFormat(self.spec).moment(self.stamp)

    @property
    def _starts(self) -> Iterator[Any]:
        """The moment, and the beginning of its day, for some filters know days only."""
        moment = self.moment
        yield moment
        if isinstance(moment, datetime):
            yield moment.replace(hour=0, minute=0, second=0, microsecond=0)

    def is_ignored(self, page: Listed) -> bool:
        """Whether the first page came as it comes without a filter."""
        return self._keys(page)[: len(self.first)] == self.first[: len(page.records)] and bool(page.records)

    def is_heeded(self, page: Listed) -> bool:
        """Whether an answer has records of that moment or later only, and all of those seen."""
        shown, later = set(self._keys(page)), self._since(self.moment, is_after=True)
        stamps = [TimestampFormat(self.spec).moment(stamp_of(record, self.name)) for record in page.records]
        for start in self._starts if shown and None not in stamps else ():
            due = self._since(start)
            if len(due) < len(self.moments) and all(stamp >= start for stamp in stamps):
                known = shown & set(self.moments)
                return later <= shown if len(page.records) < self.size else known <= due
        return False

    def _since(self, start: Any, *, is_after: bool = False) -> set[Any]:
        """The records seen of a moment or later."""
        return {key for key, other in self.moments.items() if other > start or (other == start and not is_after)}

    def is_inclusive(self, page: Listed) -> bool:
        """Whether a record of that very moment came."""
        return bool((self._since(self.moment) - self._since(self.moment, is_after=True)) & set(self._keys(page)))

    def _keys(self, page: Listed) -> list[Any]:
        return keys_of(self.spec)(page.records)


def _cut_of(spec: ResourceSpec, records: Sequence[Any], name: str, size: int) -> _Cut | None:
    """The stamp to ask from: with later records, but not more than a page has, and with earlier ones."""
    stamped = TimestampFormat(spec)
    stamps = [stamp_of(record, name) for record in records]
    keys = keys_of(spec)(records)
    moments = {
        key: moment for key, one in zip(keys, stamps, strict=True) if (moment := stamped.moment(one)) is not None
    }
    if len({type(moment) for moment in moments.values()}) != 1:
        return None
    in_order = sorted(set(moments.values()))
    if len(in_order) < 2:
        return None
    latest = sorted(moments.values(), reverse=True)
    at = latest[min(len(latest) // 2, size // 2)]
    chosen = min(max(at, in_order[1]), in_order[-2]) if len(in_order) > 2 else in_order[-1]
    stamp = next(one for key, one in zip(keys, stamps, strict=True) if moments.get(key) == chosen)
    return _Cut(spec, name, stamp, moments, keys[:size], size)


def _changes(listing: Listing, cut: _Cut, found: str, records: Sequence[Any]) -> Changes:
    is_time, is_day = isinstance(cut.moment, datetime), cut.spec.column_of(cut.name).kind == "date"
    notes = [f"how late records may come; `lag` asks again for the last {'day' if is_day else '10 minutes'}"]
    lag = {"lag": 1 if is_day else LAG_SECONDS} if is_time else {}
    tombstone, earliest = None, min(cut.moments.values())
    for moment in (cut.moment, earliest):
        page = listing.page({found: cut.sent(moment)})
        if page is None:
            continue
        tombstone = tombstone or _tombstone(page.records, records)
        if moment == cut.moment and len(page.records) < cut.size and not cut.is_inclusive(page):
            notes.append("the filter leaves out the moment itself, which `lag` makes up for")
    if tombstone is None:
        notes.append("no deleted record was seen; if such come, `hard_delete: true` on the column that marks them")
    form = {"x-format": cut.form} if cut.form else {}
    return Changes({"cursor_path": cut.name, "start_param": found, **form, **lag}, tombstone, notes)


def _tombstone(changed: Sequence[Any], records: Sequence[Any]) -> tuple[str, Mapping[str, Any]] | None:
    """The field that marks deleted records: it is set in what changed, and in no record of the list."""
    for name in TOMBSTONES:
        values = [record[name] for record in changed if record.get(name)]
        if values and not any(record.get(name) for record in records):
            stamps = [value for value in values if isinstance(value, str)]
            is_stamp = len(stamps) == len(values)
            hints = (column_of([name], stamps)[0] if is_stamp else {}) or {"data_type": "text" if is_stamp else "bool"}
            return name, {**hints, "hard_delete": True}
    return None
