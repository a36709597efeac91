"""What each asset check holds a resource to. A rule that needs columns which are not there passes, and names them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import dagster as dg

from invoices_assets.checks.load_history import LoadHistory
from invoices_assets.load.reports.audit import Audit, Count
from invoices_assets.source.columns.meaning import sums_of
from invoices_assets.source.naming import rejected_table
from invoices_assets.source.resource import ResourceSpec

WARN, ERROR = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR
NOTHING_MISSED = "nothing_missed_by_incremental"
DAYS = 7
"""Whole days that the usual band of new rows is made of."""

_SPREAD = 3
"""How many times more, or less, than in any of these days is not usual."""

_MOST_REASONS = 20
"""A reason has the value in it, so that there may be as many reasons as records."""

_ALWAYS_USUAL = 10
"""New rows; so many, and one for each hundred that are there, surprise nobody."""


@dataclass(frozen=True)
class Seen:
    """What a check looks at.

    Parameters:
        spec: the resource.
        table: its main table, with the dataset.
        audit: of its tables.
        history: of its loads.
    """

    spec: ResourceSpec
    table: str
    audit: Audit
    history: LoadHistory


@dataclass(frozen=True)
class Verdict:
    """Whether a check passes, and what there is to say."""

    passed: bool
    said: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Rule:
    """A check.

    Parameters:
        name: as Dagster knows it.
        about: what it holds the rows to, and what to do where it fails.
        judge: takes what is seen.
        severity: of a failure.
        is_blocking: what is made of the rows is not made where it fails.
        of_invoices: it is one of amounts and days, which only the main resource has.
        applies: whether a resource has it.
    """

    name: str
    about: str
    judge: Callable[[Seen], Verdict]
    severity: dg.AssetCheckSeverity = WARN
    is_blocking: bool = False
    of_invoices: bool = False
    applies: Callable[[ResourceSpec], bool] = lambda _: True


def _unique(seen: Seen) -> Verdict:
    return _none_of(seen.audit.repeated, "keys have more than one row", "Each key has one row.")


def _has_parents(seen: Seen) -> Verdict:
    return _none_of(seen.audit.orphans, "rows of child tables have no parent", "Each row of a list has its record.")


def _none_rejected(seen: Seen) -> Verdict:
    reasons = dict(seen.audit.rejected)
    count = sum(reasons.values())
    said = f"{count} records cannot be stored as declared: {rejected_table(seen.table)}." if count else ""
    told: dict[str, Any] = {"rejected_records": count}
    shown = dict(list(reasons.items())[:_MOST_REASONS])
    rest = {"other reasons": count - sum(shown.values())} if len(reasons) > len(shown) else {}
    if reasons:
        told["reasons"] = dg.MetadataValue.table(
            [dg.TableRecord({"reason": reason, "records": records}) for reason, records in {**shown, **rest}.items()]
        )
    return Verdict(not count, said or "No record is waiting there.", told)


def _nothing_missed(seen: Seen) -> Verdict:
    last = seen.history.last
    if last is None or "missed_by_incremental" not in last:
        return _as_before(seen, NOTHING_MISSED)
    missed = int(last["missed_by_incremental"])
    said = f"{missed} records were missed by the refreshes before it." if missed else "Nothing was missed."
    return Verdict(missed == 0, said, {"missed_by_incremental": missed})


def _is_complete(seen: Seen) -> Verdict:
    last = seen.history.last
    if last is None:
        return Verdict(True, "Nothing was loaded yet.")
    return Verdict(bool(last.get("end_proven", True)), str(last.get("end", "")))


def _source_fits(seen: Seen) -> Verdict:
    last = seen.history.last or {}
    misfits = str(last.get("misfits") or "").removeprefix("- ").replace("\n- ", "; ")
    is_sweep = last.get("covers") == "everything" and last.get("complete") and last.get("rows_fetched")
    if not misfits and not is_sweep:
        return _as_before(seen, "source_fits")
    return Verdict(not misfits, misfits or "All that it names was met.")


def _adds_up(seen: Seen) -> Verdict:
    declared = sums_of(seen.spec.columns)
    found = [(each, seen.audit.sums[each.column]) for each in declared if each.column in seen.audit.sums]
    if not found:
        return Verdict(True, f"Not applicable: there are no rows of `{declared[0].child}` with `{declared[0].part}`.")
    said = [f"`{each.child}.{each.part}` is too large to be added up." for each, count in found if count is None]
    wrong = [(each, count) for each, count in found if count is not None and count.rows]
    said += [
        f"{count.rows:,} rows whose `{each.child}.{each.part}` add up to something else than `{each.column}`, "
        f"for example {count.example}."
        for each, count in wrong
    ]
    rows = sum(count.rows for _, count in wrong)
    return Verdict(not said, " ".join(said) or "All add up.", {"rows": rows})


def _paid_within_total(seen: Seen) -> Verdict:
    return _of_columns(seen.audit.overpaid, "amount_paid", "total", "rows have more paid than their total")


def _due_after_issued(seen: Seen) -> Verdict:
    return _of_columns(seen.audit.due_too_early, "issue_date", "due_date", "rows are due before they were issued")


def _same_schema(seen: Seen) -> Verdict:
    last, before = seen.history.last, seen.history.before_last
    if last is None or before is None:
        return Verdict(True, "There is no load before the last one.")
    now, then = _columns(last), _columns(before)
    if not now or not then:
        return Verdict(True, "One of the last two loads had no table.")
    changes = [f"`{name}` is new" for name in now.keys() - then.keys()]
    changes += [f"`{name}` is gone" for name in then.keys() - now.keys()]
    changes += [
        f"`{name}` was {then[name]} and is {now[name]}" for name in now if then.get(name, now[name]) != now[name]
    ]
    return Verdict(not changes, f"{'; '.join(sorted(changes)) or 'The columns are those of the load before'}.")


def _usual_volume(seen: Seen) -> Verdict:
    """Rows never leave the table, so what it grew by are the new ones."""
    last = seen.history.last
    if last is not None and "table_rows" not in last:
        return Verdict(True, "The last materialization was reported by hand, and tells nothing of its rows.")
    rows = [None if last is None else last["table_rows"]]
    for days_ago in range(1, DAYS + 2):
        rows.append(seen.history.rows_at_midnight(days_ago))
        if rows[-1] is None:
            return Verdict(
                True, f"The history is too short: it begins {days_ago - 1} days ago, and {DAYS} make a band."
            )
    known = [each for each in rows if each is not None]
    today, *days = [later - earlier for later, earlier in pairwise(known)]
    yesterday, *rest = days
    most, least = max(max(days) * _SPREAD, known[0] // 100, _ALWAYS_USUAL), min(rest) // _SPREAD
    said = f"{today:,} new rows today, {yesterday:,} yesterday; a day has {min(days):,} to {max(days):,}."
    return Verdict(
        today <= most and yesterday >= least, said, {"rows_new_today": today, "rows_new_yesterday": yesterday}
    )


def _as_before(seen: Seen, check: str) -> Verdict:
    """What the last evaluation said; the last load was of a part, and tells nothing of it."""
    before = seen.history.last_verdict(check)
    if before is None:
        return Verdict(True, "No sweep of everything has told yet.")
    return Verdict(before.passed, before.description or "", before.metadata)


def _none_of(count: Count, what: str, otherwise: str) -> Verdict:
    example = f", for example {count.example}" if count.example else ""
    return Verdict(
        not count.rows, f"{count.rows:,} {what}{example}." if count.rows else otherwise, {"rows": count.rows}
    )


def _of_columns(count: Count | None, first: str, second: str, what: str) -> Verdict:
    if count is None:
        return Verdict(True, f"Not applicable: declare `{first}` and `{second}` in `columns`.")
    return _none_of(count, what, "None is.")


def _columns(told: Mapping[str, Any]) -> dict[str, str]:
    schema = told.get("dagster/column_schema")
    return {column.name: column.type for column in schema.columns} if schema else {}


_LOOK = "Look at the example in the vendor's own pages, and ask them."
RULES = [
    Rule(
        "unique_key",
        "Each primary key has one row. If not, somebody else writes into the table: move it away, and reconcile.",
        _unique,
        ERROR,
        is_blocking=True,
    ),
    Rule(
        "children_have_parents",
        "Each row of a list belongs to a record. If not, somebody else writes into the tables: move them away, and "
        "reconcile.",
        _has_parents,
        ERROR,
        is_blocking=True,
    ),
    Rule(
        "no_rejected_records",
        "Every record that the API sent is in the table. If not, read the reasons in the table of the rejected ones; "
        "correct the declaration of the column in the source file, or have the vendor correct the record.",
        _none_rejected,
        ERROR,
    ),
    Rule(
        "complete",
        "Something that the API said proves that the last load has all that was asked for. If not, name a total or the "
        "next page in the `paginator` of the source file.",
        _is_complete,
    ),
    Rule(
        NOTHING_MISSED,
        "The last complete sweep found nothing that the refreshes before it should have found. If not, make `lag` "
        "longer, or reconcile more often.",
        _nothing_missed,
    ),
    Rule(
        "source_fits",
        "The last sweep of everything has met all that the source file names: fields, stamps, pages. If not, run "
        "`python -m invoices_assets.describe check`.",
        _source_fits,
    ),
    Rule(
        "lines_add_up",
        f"The parts of each record add up to it (`x-sum-of`, less than `x-tolerance` off). {_LOOK}",
        _adds_up,
        ERROR,
        applies=lambda spec: bool(sums_of(spec.columns)),
    ),
    Rule("paid_within_total", f"No more is paid than the total. {_LOOK}", _paid_within_total, of_invoices=True),
    Rule("due_after_issued", f"Nothing is due before it was issued. {_LOOK}", _due_after_issued, of_invoices=True),
    Rule(
        "schema_unchanged",
        "The columns are those of the load before. If not, the vendor has changed the records: see whether reports "
        "need the new ones.",
        _same_schema,
    ),
    Rule(
        "usual_volume",
        f"No more new rows today than {_SPREAD} times those of any of the {DAYS} days before, and no fewer yesterday "
        "than a third. If not, see what the vendor did, and whether the key is still that of the whole account.",
        _usual_volume,
    ),
]
"""All checks, in the order in which they matter."""
