"""The invoices of several APIs as one table, and what is open of them by age.

Both are tables and no views: PostgreSQL refuses to change a column that a view shows, and so would refuse loads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from invoices_assets.errors import TableRefused
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.sql import ident, literal
from invoices_assets.load.tables import DELETED_AT, qualified, table_exists
from invoices_assets.load.warehouses.catalogs import catalog_of
from invoices_assets.load.warehouses.connection import explained, open_warehouse

ALL_INVOICES, RECEIVABLES = "all_invoices", "receivables"
_STAMP = "TIMESTAMP WITH TIME ZONE"
_AMOUNT = "DECIMAL(38,9)"
NEUTRAL = {
    "id": "VARCHAR",
    "number": "VARCHAR",
    "status": "VARCHAR",
    "currency": "VARCHAR",
    "issue_date": "DATE",
    "due_date": "DATE",
    "total": _AMOUNT,
    "amount_paid": _AMOUNT,
    "amount_due": _AMOUNT,
    "customer": "VARCHAR",
    "created_at": _STAMP,
    "updated_at": _STAMP,
}
"""The columns that all APIs share, as the default source file declares them; the type is that of one that none has."""

_CUSTOMERS = ("customer", "customer_name", "customer__name")
"""Where the name of a customer may be; the last one is `name` of an object `customer`."""

AGES = {"not_due": None, "days_1_30": 1, "days_31_60": 31, "days_61_90": 61, "days_over_90": 91}
"""Column -> days after the due date from which an open amount is in it; None where there is none, or it is to come."""


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
        TableRefused: a column has one type here and another one there.
        WarehouseError: the warehouse cannot be reached or written.
    """
    catalog, done = catalog_of(settings), United()
    with (
        catalog.turn(log),
        open_warehouse(catalog, working_dir=working_dir, log=log) as connection,
        explained(catalog),
    ):
        catalog.begin(connection)
        found = {member: _columns(connection, member) for member in members}
        done.remarks = [f"`{member.dataset}` has no table yet" for member, columns in found.items() if not columns]
        for table, select in (
            (ALL_INVOICES, _union(found, done)),
            (RECEIVABLES, _receivables(qualified(settings.dataset, ALL_INVOICES))),
        ):
            done.columns[table] = _fill(connection, settings.dataset, table, select)
            (done.rows[table],) = connection.execute(
                f"SELECT count(*) FROM {qualified(settings.dataset, table)}"
            ).fetchall()[0]
        connection.commit()
    return done


def _columns(connection: duckdb.DuckDBPyConnection, member: Member) -> dict[str, str]:
    """The columns of a main table and their types; none where there is no table yet."""
    if not table_exists(connection, member.dataset, member.table):
        return {}
    return _described(connection, f"FROM {qualified(member.dataset, member.table)}")


def _described(connection: duckdb.DuckDBPyConnection, query: str) -> dict[str, str]:
    return dict(connection.execute(f"SELECT column_name, column_type FROM (DESCRIBE {query})").fetchall())


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
        live = f" WHERE {ident(DELETED_AT)} IS NULL" if DELETED_AT in columns else ""
        table = qualified(member.dataset, member.table)
        selects.append(f"SELECT {literal(member.dataset)} AS source, {values} FROM {table}{live}")
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
        for place in _CUSTOMERS if column == "customer" else (column,):
            if place in columns:
                types[f"{member.dataset}.{member.table}.{place}"] = columns[place]
                origins[member.dataset] = place
                break
    if len(set(types.values())) > 1:
        told = " and ".join(f"{kind} in {place}" for place, kind in types.items())
        raise TableRefused(f"`{column}` is {told}, so they are no one column; declare it alike in the source files")
    return next(iter(types.values()), NEUTRAL[column])


def _receivables(invoices: str) -> str:
    """Open amounts by customer and currency, and by days since they were due."""
    late = "current_date - due_date"
    starts = [days for days in AGES.values() if days is not None]
    ends = dict(zip(starts, [*starts[1:], None], strict=True))
    buckets = []
    for name, start in AGES.items():
        inside = f"coalesce({late}, 0) <= 0" if start is None else f"{late} >= {start}"
        end = ends.get(start) if start is not None else None
        inside += f" AND {late} < {end}" if end else ""
        buckets.append(f"coalesce(sum(amount_due) FILTER ({inside}), 0) AS {name}")
    return (
        f"SELECT source, customer, currency, count(*) AS invoices, sum(amount_due) AS amount_due, {', '.join(buckets)} "
        f"FROM {invoices} WHERE amount_due <> 0 GROUP BY source, customer, currency"
    )


def _fill(connection: duckdb.DuckDBPyConnection, dataset: str, table: str, select: str) -> dict[str, str]:
    """Replaces the rows of a table, and the table itself only where its columns are others.

    Raises:
        TableRefused: the table is somebody else's.
    """
    name = qualified(dataset, table)
    wanted = _described(connection, select)
    present = _described(connection, f"FROM {name}") if table_exists(connection, dataset, table) else {}
    if present.keys() - wanted.keys():
        raise TableRefused(f"the table {dataset}.{table} was not made by this project; move it away")
    if present == wanted:
        connection.execute(f"DELETE FROM {name}")
    else:
        connection.execute(f"DROP TABLE IF EXISTS {name}")
        columns = ", ".join(f"{ident(column)} {kind}" for column, kind in wanted.items())
        connection.execute(f"CREATE TABLE {name} ({columns})")
    connection.execute(f"INSERT INTO {name} {select}")
    return wanted
