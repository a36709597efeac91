"""The columns with amounts and days that a table has, and open amounts by age."""

from __future__ import annotations

from collections.abc import Mapping

from invoices_assets.load.sql import ident

CURRENCY, TOTAL, PAID, DUE = "currency", "total", "amount_paid", "amount_due"
ISSUED, DUE_DATE = "issue_date", "due_date"
CUSTOMERS = ("customer", "customer_name", "customer__name")
"""Where the name of a customer may be; the last one is `name` of an object `customer`."""

RECEIVABLE = {CURRENCY: ("text", "bigint"), DUE: ("decimal", "bigint", "wei"), DUE_DATE: ("date", "timestamp", "text")}
"""The columns without which nobody can say what is open, and for how long -> dlt's data types that can tell it."""

AGES = {"not_due": None, "days_1_30": 1, "days_31_60": 31, "days_61_90": 61, "days_over_90": 91}
"""Column -> days after the due date from which an open amount is in it; None where there is none, or it is to come."""

_EXACT = ("DECIMAL", "BIGINT", "HUGEINT", "INTEGER", "SMALLINT", "TINYINT")
_DAYS = ("DATE", "TIMESTAMP")


def amount(column: str, columns: Mapping[str, str]) -> str | None:
    """An exact number as SQL; None where the table has no such column."""
    return ident(column) if columns.get(column, "").startswith(_EXACT) else None


def day(column: str, columns: Mapping[str, str]) -> str | None:
    """A day as SQL; None where the table has no such column."""
    return f"CAST({ident(column)} AS DATE)" if columns.get(column, "").startswith(_DAYS) else None


def text(column: str, columns: Mapping[str, str]) -> str | None:
    """A text as SQL; None where the table has no such column."""
    return ident(column) if columns.get(column) == "VARCHAR" else None


def by_age(amount: str, due: str) -> dict[str, str]:
    """Sums of an amount by the days since it was due: a name of `AGES` -> SQL.

    Parameters:
        amount, due: SQL of a number, and of a day.
    """
    late = f"(current_date - {due})"
    starts = [start for start in AGES.values() if start is not None]
    ends = dict(zip(starts, [*starts[1:], None], strict=True))
    sums = {}
    for name, start in AGES.items():
        inside = f"coalesce({late}, 0) <= 0" if start is None else f"{late} >= {start}"
        end = None if start is None else ends[start]
        inside += f" AND {late} < {end}" if end else ""
        sums[name] = f"coalesce(sum({amount}) FILTER ({inside}), 0)"
    return sums
