"""What a person wants to see of a table at once: open amounts, amounts by month, the newest rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

import duckdb

from invoices_assets.load.reports import amounts
from invoices_assets.load.sql import ident
from invoices_assets.load.tables import LOAD_ID, is_live, qualified
from invoices_assets.source.columns.meaning import MASK, is_personal
from invoices_assets.source.resource import ResourceSpec

NEWEST_ROWS = 10
_MOST_COLUMNS = 4
"""As many as a page of 1280 pixels has room for: with a wider table Dagster cuts off the summary and the chart, too."""
_LONGEST_TEXT = 24
_FIRST = ("number", amounts.TOTAL, amounts.CURRENCY, amounts.DUE)
"""What is shown first."""


@dataclass
class Amounts:
    """The live rows of one currency.

    Parameters:
        currency: as the API writes it; None where rows have none.
        rows: how many.
        open: the sum of `amount_due`; None where the table has none.
        by_age: the same by days since it was due, under the names of `AGES`; empty without a due date.
        by_month: the sum of `total` by the first day of the month of issue; rows without one are in none.
    """

    currency: str | None
    rows: int
    open: Decimal | None
    by_age: dict[str, Decimal] = field(default_factory=dict)
    by_month: dict[date, Decimal] = field(default_factory=dict)

    @property
    def overdue(self) -> Decimal | None:
        """What is open and was due before today."""
        return sum(self.by_age.values(), Decimal()) - self.by_age["not_due"] if self.by_age else None


@dataclass(frozen=True)
class Overview:
    """A table at a glance; the rows that are marked as deleted are not in it.

    Parameters:
        amounts: by currency, that with the most rows first; empty for a table without amounts.
        newest: the last rows by their change stamp: declared column -> value as text, those of persons masked.
    """

    amounts: list[Amounts]
    newest: list[dict[str, str | None]]


def overview_of(
    connection: duckdb.DuckDBPyConnection, dataset: str, root: str, columns: Mapping[str, str], spec: ResourceSpec
) -> Overview:
    """Look at the main table of a resource.

    Parameters:
        columns: of the table: name -> DuckDB type.

    Raises:
        duckdb.Error: the amounts cannot be added up.
    """
    live = f"FROM {qualified(dataset, root)} WHERE {is_live(columns)}"
    return Overview(_amounts(connection, live, columns), _newest(connection, live, columns, spec))


def _amounts(connection: duckdb.DuckDBPyConnection, live: str, columns: Mapping[str, str]) -> list[Amounts]:
    total, due = (amounts.amount(name, columns) for name in (amounts.TOTAL, amounts.DUE))
    due_date, issued = (amounts.day(name, columns) for name in (amounts.DUE_DATE, amounts.ISSUED))
    if total is None and due is None:
        return []
    taken = {
        "currency": amounts.text(amounts.CURRENCY, columns) or "CAST(NULL AS VARCHAR)",
        "month": f"date_trunc('month', {issued or 'CAST(NULL AS DATE)'})",
        "total": total or "CAST(NULL AS DECIMAL)",
        "due": due or "CAST(NULL AS DECIMAL)",
        "due_date": due_date or "CAST(NULL AS DATE)",
    }
    ages = amounts.by_age("due", "due_date") if due and due_date else {}
    sums = ", ".join(["count(*)", "sum(total)", "sum(due)", *ages.values()])
    rows = connection.execute(
        f"SELECT currency, CAST(month AS DATE), grouping(month), {sums} "
        f"FROM (SELECT {', '.join(f'{value} AS {name}' for name, value in taken.items())} {live}) "
        "GROUP BY GROUPING SETS ((currency), (currency, month))"
    ).fetchall()
    found: dict[str | None, Amounts] = {}
    months: dict[str | None, dict[date, Decimal]] = defaultdict(dict)
    for currency, month_of, is_all, count, invoiced, is_open, *aged in rows:
        if is_all:
            found[currency] = Amounts(currency, count, is_open, dict(zip(ages, aged, strict=True)), months[currency])
        elif month_of is not None and invoiced is not None:
            months[currency][month_of] = invoiced
    return sorted(found.values(), key=lambda each: (-each.rows, str(each.currency)))


def _newest(
    connection: duckdb.DuckDBPyConnection, live: str, columns: Mapping[str, str], spec: ResourceSpec
) -> list[dict[str, str | None]]:
    shown = [name for name in dict.fromkeys((*_FIRST, *spec.columns)) if name in spec.columns and name in columns]
    shown = shown[:_MOST_COLUMNS]
    if not shown:
        return []
    stamp = spec.column_of(spec.cursor.path).name if spec.cursor else None
    order = [ident(name) for name in (stamp, LOAD_ID, *spec.primary_key) if name and name in columns]
    values = ", ".join(
        f"CASE WHEN {ident(name)} IS NOT NULL THEN '{MASK}' END"
        if is_personal(spec.columns, name)
        else _as_text(name, columns[name])
        for name in shown
    )
    rows = connection.execute(
        f"SELECT {values} {live} ORDER BY {', '.join(f'{name} DESC NULLS LAST' for name in order)} LIMIT {NEWEST_ROWS}"
    ).fetchall()
    return [dict(zip(shown, row, strict=True)) for row in rows]


def _as_text(column: str, kind: str) -> str:
    """A value as short as it can be read: an amount without the zeros behind it, a stamp to the second."""
    text = f"CAST({ident(column)} AS VARCHAR)"
    if kind.startswith("DECIMAL"):
        text = f"rtrim(rtrim({text}, '0'), '.')" if not kind.endswith(",0)") else text
    elif kind.startswith("TIMESTAMP"):
        text = f"strftime({ident(column)}, '%Y-%m-%d %H:%M:%S')"
    return f"left({text}, {_LONGEST_TEXT})"
