"""What a refresh did, in the words of a bookkeeper: the first lines of an asset's page, and the line in the log."""

from __future__ import annotations

from collections.abc import Sequence

from invoices_assets.load.load import LoadResult
from invoices_assets.load.reports.overview import Amounts
from invoices_assets.metadata.markdown import sentence
from invoices_assets.metadata.money import code, money
from invoices_assets.refresh.result import RefreshResult

_MOST_CURRENCIES = 3
_MOST_REMARKS = 4
_LONGEST_REMARK = 160
_LONGEST = 990
"""Characters; Dagster shows Markdown in place only below 1,000."""
_MORE = "⚠ {} more remarks, see `remarks`"


def summary_of(done: RefreshResult) -> str:
    """One sentence as Markdown, and what is to be looked at, a line each.

    For example: **14,712 invoices**, all that the API has; 31 new, 5 changed, none rejected; EUR 1,204,331.20 open,
    9 % overdue.
    """
    loaded, name = done.loaded, done.spec.name
    if loaded is None:
        return f"**A dry run**: {done.swept.rows:,} {name} fetched, nothing loaded."
    parts = [f"**{loaded.live_rows:,} {name}**, {_coverage(done)}", _changes(loaded)]
    if loaded.overview is not None and loaded.overview.amounts:
        parts.append(_open(loaded.overview.amounts))
    lines = [f"{'; '.join(part for part in parts if part)}."]
    wrong = [f"{loaded.rejected:,} rejected, see `{name}_rejected`"] if loaded.rejected else []
    wrong += [] if done.swept.proven else [done.swept.end]
    return "\n\n".join([*lines, *_remarks([*wrong, *done.remarks], _LONGEST - len(lines[0]))])


def log_line(done: RefreshResult, name: str, table: str) -> str:
    """What a refresh did, for the event log.

    Parameters:
        name: of the resource.
        table: with its schema.
    """
    swept, loaded = done.swept, done.loaded
    if loaded is None:
        said = f"a dry run fetched {swept.rows:,} rows and loaded none"
    else:
        counts = {**_counts(loaded), "rejected": loaded.rejected, "missed by incremental": loaded.missed}
        shown = [f"{count:,} {what}" for what, count in counts.items() if count or what in ("new", "changed")]
        said = f"{', '.join(shown)}, {loaded.table_rows:,} rows in {table}"
    trial = "" if swept.complete else ", a trial that did not read everything"
    return f"{name}: {said}; {_counted(swept.pages, 'page')}, {done.seconds['total']:.1f} s{trial}"


def _coverage(done: RefreshResult) -> str:
    if not done.swept.complete:
        return "of which a trial read only some"
    if not done.swept.proven:
        return "and nothing that the API said proves that these are all"
    return {"everything": "all that the API has", "changes": "up to date with the API"}.get(
        done.covers, f"with all of {done.covers}"
    )


def _counts(loaded: LoadResult) -> dict[str, int | None]:
    return {"new": loaded.new, "changed": loaded.changed, "returned": loaded.returned, "deleted": loaded.deleted}


def _changes(loaded: LoadResult) -> str:
    shown = [f"{count:,} {what}" for what, count in _counts(loaded).items() if count]
    rejected = f"{loaded.rejected:,} rejected" if loaded.rejected else "none rejected"
    return f"{', '.join(shown) or 'nothing new'}, {rejected}"


def _open(amounts: Sequence[Amounts]) -> str:
    shown = [text for each in amounts[:_MOST_CURRENCIES] if (text := _open_in(each))]
    rest = len(amounts) - _MOST_CURRENCIES
    more = f" (and {_counted(rest, 'more currency', 'more currencies')})" if shown and rest > 0 else ""
    return f"{', '.join(shown)}{more}"


def _open_in(amounts: Amounts) -> str:
    """`EUR 1,204,331.20 open, 9 % overdue`; empty where nobody can say."""
    if amounts.open is None:
        return ""
    late = amounts.overdue
    # with credit notes, what is late may be more than what is open
    is_share = late is not None and amounts.open > 0 and 0 <= late <= amounts.open
    share = f", {round(100 * late / amounts.open)} % overdue" if late is not None and is_share else ""
    return f"{code(amounts.currency)} {money(amounts.open, amounts.currency)} open{share}".strip()


def _remarks(told: Sequence[str], room: int) -> list[str]:
    """The first of what has to be told, a line each, and how many more there are.

    Parameters:
        room: for all lines, in characters.
    """
    lines: list[str] = []
    for remark in told[:_MOST_REMARKS]:
        line = f"⚠ {_short(remark)}"
        room -= len(line) + 2
        if room < len(_MORE) + 8:
            break
        lines.append(line)
    rest = len(told) - len(lines)
    return [*lines, _MORE.format(rest)] if rest else lines


def _short(remark: str) -> str:
    text = sentence(remark if len(remark) <= _LONGEST_REMARK else f"{remark[:_LONGEST_REMARK]}…")
    return text if text.endswith((".", "…")) else f"{text}."


def _counted(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one}" if count == 1 else f"{count:,} {many or f'{one}s'}"
