"""What is open, by customer and currency, and by days since it was due."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from invoices_assets.errors import TableRefused
from invoices_assets.load.reports.amounts import AGES, CURRENCY, CUSTOMERS, DUE, DUE_DATE, amount, by_age, day, text
from invoices_assets.load.reports.made_table import MadeTable, make_table, table_columns
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.sql import ident
from invoices_assets.load.tables import is_live, qualified
from invoices_assets.load.warehouses.catalogs import catalog_of
from invoices_assets.load.warehouses.connection import writing

RECEIVABLES = "receivables"


def receivables(settings: WarehouseSettings, invoices: str, columns: Mapping[str, str], by: Mapping[str, str]) -> str:
    """A SELECT of open amounts.

    Parameters:
        invoices: a table with `currency`, `amount_due` and `due_date`, which may be a text as in ISO 8601; rows that
            are marked as deleted do not count.
        columns: of the table: name -> DuckDB type.
        by: further columns to group by: name -> SQL.

    Raises:
        TableRefused: one of these is not there, or of a type that does not tell what is open.
    """

    def needed(name: str, found: str | None, what: str) -> str:
        if found is None:
            raise TableRefused(
                f"`{name}` of {settings.dataset}.{invoices} is {columns.get(name, 'missing')}, and what is open needs "
                f"{what} there; declare it so in the source file; where its table is there already, "
                f"{settings.way_out}"
            )
        return found

    currency = needed(CURRENCY, ident(CURRENCY) if CURRENCY in columns else None, "a code")
    due = needed(DUE, amount(DUE, columns), "an exact number")
    as_text = f"CAST({ident(DUE_DATE)} AS DATE)" if text(DUE_DATE, columns) else None
    due_date = needed(DUE_DATE, day(DUE_DATE, columns) or as_text, "a day")
    named = {**by, CURRENCY: currency}
    sums = {"invoices": "count(*)", DUE: f"sum({due})", **by_age(due, due_date)}
    selected = ", ".join(f"{value} AS {ident(name)}" for name, value in {**named, **sums}.items())
    rows = f"{qualified(settings.dataset, invoices)} WHERE {due} <> 0 AND {is_live(columns)}"
    return f"SELECT {selected} FROM {rows} GROUP BY {', '.join(named.values())}"


def make_receivables(
    settings: WarehouseSettings, root: str, working_dir: Path, log: Callable[[str], None] = lambda _: None
) -> tuple[MadeTable, str | None]:
    """Fill the table `receivables` of a dataset anew, in one transaction, from its rows that are not deleted.

    Parameters:
        root: the main table, with the columns of `RECEIVABLE`.
        working_dir: of this run.
        log: told when another run has to be waited for.

    Returns:
        What was made, and the column that has the customers; None where there is none, or no main table yet.

    Raises:
        TableRefused: there is a table of this name that somebody else has made, or the main table cannot tell it.
        WarehouseError: the warehouse cannot be reached or written.
    """
    dataset = settings.dataset
    with writing(catalog_of(settings), working_dir, log) as connection:
        columns = table_columns(connection, dataset, root)
        customer = next((column for column in CUSTOMERS if column in columns), None)
        by = {"customer": ident(customer) if customer else "CAST(NULL AS VARCHAR)"}
        select = receivables(settings, root, columns, by) if columns else _none()
        made = make_table(connection, dataset, RECEIVABLES, select)
    return made, customer


def _none() -> str:
    amounts = ", ".join(f"CAST(NULL AS DECIMAL(38,9)) AS {ident(name)}" for name in (DUE, *AGES))
    return (
        "SELECT CAST(NULL AS VARCHAR) AS customer, CAST(NULL AS VARCHAR) AS currency, CAST(0 AS BIGINT) AS invoices, "
        f"{amounts} WHERE false"
    )
