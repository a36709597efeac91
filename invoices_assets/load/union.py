"""The invoices of several APIs as one table, and what is open of them by age.

Both are tables and no views: PostgreSQL refuses to change a column that a view shows, and so would refuse loads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from invoices_assets.errors import TableRefused
from invoices_assets.load.reports.amounts import CUSTOMERS
from invoices_assets.load.reports.made_table import make_table, table_columns
from invoices_assets.load.reports.receivables import RECEIVABLES, receivables
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.sql import ident, literal
from invoices_assets.load.tables import is_live, qualified
from invoices_assets.load.types import TIMESTAMPTZ
from invoices_assets.load.warehouses.catalogs import catalog_of
from invoices_assets.load.warehouses.connection import writing

ALL_INVOICES = "all_invoices"
_AMOUNT = "DECIMAL(38,9)"
_BY = {"source": "source", "customer": "customer"}
NEUTRAL = {
    **dict.fromkeys(("id", "number", "status", "currency"), "VARCHAR"),
    **dict.fromkeys(("issue_date", "due_date"), "DATE"),
    **dict.fromkeys(("total", "amount_paid", "amount_due"), _AMOUNT),
    "customer": "VARCHAR",
    **dict.fromkeys(("created_at", "updated_at"), TIMESTAMPTZ),
}
"""The columns that all APIs share, as the default source file declares them; the type is that of one that none has."""


@dataclass(frozen=True)
class Member:
    """The invoices of one API: the dataset, and the main table in it."""

    dataset: str
    table: str


@dataclass
class United:
    """What was made.

    Parameters:
        rows: table -> its rows.
        columns: table -> column -> DuckDB type.
        origins: column of `all_invoices` -> dataset -> the column it comes from.
        remarks: what has to be told, a sentence each.
    """

    rows: dict[str, int] = field(default_factory=dict)
    columns: dict[str, dict[str, str]] = field(default_factory=dict)
    origins: dict[str, dict[str, str]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def unite(
    settings: WarehouseSettings,
    members: Sequence[Member],
    working_dir: Path,
    log: Callable[[str], None] = lambda _: None,
) -> United:
    """Fill `all_invoices` and `receivables` anew, in one transaction.

    A row that is marked as deleted is in neither. A column that an API lacks is null.

    Parameters:
        settings: of the warehouse in which all members are; its dataset gets the two tables.
        working_dir: of this run.
        log: told when another run has to be waited for.

    Raises:
        TableRefused: a column has one type here and another one there, or one that does not tell what is open.
        WarehouseError: the warehouse cannot be reached or written.
    """
    done, catalog = United(), catalog_of(settings)
    catalog.sees_all_datasets = True
    with writing(catalog, working_dir, log) as connection:
        found = {member: table_columns(connection, member.dataset, member.table) for member in members}
        done.remarks = [f"`{member.dataset}` has no table yet" for member, columns in found.items() if not columns]
        united = make_table(connection, settings.dataset, ALL_INVOICES, _union(found, done))
        is_open = receivables(settings, ALL_INVOICES, united.columns, _BY)
        summed_up = make_table(connection, settings.dataset, RECEIVABLES, is_open)
    for table, made in {ALL_INVOICES: united, RECEIVABLES: summed_up}.items():
        done.columns[table], done.rows[table] = made.columns, made.rows
    return done


def _union(found: Mapping[Member, Mapping[str, str]], done: United) -> str:
    types = {column: _type_of(column, found, done) for column in NEUTRAL}
    selects = []
    for member, columns in found.items():
        if not columns:
            continue
        values = ", ".join(
            f"CAST({_value(done.origins[column].get(member.dataset))} AS {kind}) AS {ident(column)}"
            for column, kind in types.items()
        )
        live = f"{qualified(member.dataset, member.table)} WHERE {is_live(columns)}"
        selects.append(f"SELECT {literal(member.dataset)} AS source, {values} FROM {live}")
    if not selects:
        nothing = ", ".join(f"CAST(NULL AS {kind}) AS {ident(column)}" for column, kind in types.items())
        return f"SELECT CAST(NULL AS VARCHAR) AS source, {nothing} WHERE false"
    return " UNION ALL ".join(selects)


def _value(column: str | None) -> str:
    return ident(column) if column else "NULL"


def _type_of(column: str, found: Mapping[Member, Mapping[str, str]], done: United) -> str:
    """The one type of a column; `done` learns where it comes from.

    Raises:
        TableRefused: there are several.
    """
    types: dict[str, str] = {}
    origins = done.origins[column] = {}
    for member, columns in found.items():
        for place in CUSTOMERS if column == "customer" else (column,):
            if place in columns:
                types[f"{member.dataset}.{member.table}.{place}"] = columns[place]
                origins[member.dataset] = place
                break
    if len(set(types.values())) > 1:
        told = " and ".join(f"{kind} in {place}" for place, kind in types.items())
        raise TableRefused(f"`{column}` is {told}, so they are no one column; declare it alike in the source files")
    return next(iter(types.values()), NEUTRAL[column])
