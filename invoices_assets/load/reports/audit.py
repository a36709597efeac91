"""What asset checks look at in the tables, by one query for each resource."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import duckdb

from invoices_assets.load.reports import amounts
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.sql import ident, literal
from invoices_assets.load.tables import (
    PARENT_ID,
    ROOT_ID,
    ROW_ID,
    is_live,
    parent_of,
    qualified,
    stored_tables,
    table_exists,
)
from invoices_assets.load.warehouses.catalogs import catalog_of
from invoices_assets.load.warehouses.connection import reading
from invoices_assets.source.columns.meaning import MASK, Sum, is_personal, sums_of
from invoices_assets.source.naming import normalized, rejected_table
from invoices_assets.source.resource import ResourceSpec


@dataclass(frozen=True)
class Count:
    """How many rows are wrong in one way, and the key of one of them; None where there is none."""

    rows: int
    example: str | None = None


@dataclass(frozen=True)
class Audit:
    """What was found in the tables of a resource.

    Parameters:
        repeated: keys that more than one row has.
        orphans: rows of child tables without a parent.
        rejected: records that wait, by reason.
        overpaid: rows with more paid than their total; None where the columns are not there.
        due_too_early: rows that are due before they were issued; None likewise.
        sums: column with `x-sum-of` -> rows where the parts add up to something else; a column whose parts have no
            table is not in it, and None stands for parts that are too large to be added up.
    """

    repeated: Count = Count(0)
    orphans: Count = Count(0)
    rejected: Mapping[str, int] = field(default_factory=dict)
    overpaid: Count | None = None
    due_too_early: Count | None = None
    sums: Mapping[str, Count | None] = field(default_factory=dict)


Tables = Mapping[str, Mapping[str, str]]
"""Table -> column -> DuckDB type; the main one among them."""


def audit(settings: WarehouseSettings, spec: ResourceSpec, log: Callable[[str], None] = lambda _: None) -> Audit:
    """Look at the tables of a resource; nothing is written.

    Parameters:
        log: told when another process holds the warehouse and has to be waited for.

    Raises:
        WarehouseError: the warehouse cannot be read.
    """
    with reading(catalog_of(settings), log) as connection:
        stored = stored_tables(connection, settings, normalized(spec.name))
        tables = {name: {column: kind for column, (kind, _) in columns.items()} for name, columns in stored.items()}
        return audit_in(connection, settings.dataset, tables, spec)


def audit_in(connection: duckdb.DuckDBPyConnection, dataset: str, tables: Tables, spec: ResourceSpec) -> Audit:
    """The same, in an open warehouse; no transaction may be under way, for one does not go on after an error.

    Parameters:
        tables: the main table and its child tables, as far as they are there.
    """
    root = normalized(spec.name)
    rejected: dict[str, int] = {}
    if table_exists(connection, dataset, rejected_table(root)):
        waiting = qualified(dataset, rejected_table(root))
        query = f"SELECT reason, count(*) FROM {waiting} GROUP BY reason ORDER BY 2 DESC, 1"
        rejected = dict(connection.execute(query).fetchall())
    if root not in tables:
        return Audit(rejected=rejected)
    found = _answers(connection, dict(_questions(dataset, root, tables, spec)))
    orphans = [count for name, count in found.items() if count and name.startswith("orphans of ")]
    return Audit(
        found["repeated"] or Count(0),
        Count(sum(count.rows for count in orphans), next((each.example for each in orphans if each.rows), None)),
        rejected,
        found.get("overpaid"),
        found.get("due_too_early"),
        {each.column: found[f"sum {each.column}"] for each in sums_of(spec.columns) if f"sum {each.column}" in found},
    )


def _answers(connection: duckdb.DuckDBPyConnection, questions: Mapping[str, str]) -> dict[str, Count | None]:
    """What each question found; None where a sum in it is larger than any number that DuckDB has."""
    try:
        answers = ", ".join(f"({question})" for question in questions.values())
        row = connection.execute(f"SELECT {answers}").fetchone() or ()
    except duckdb.OutOfRangeException:
        if len(questions) == 1:
            return dict.fromkeys(questions)
        return {name: _answers(connection, {name: question})[name] for name, question in questions.items()}
    return {name: Count(found["n"], found["example"]) for name, found in zip(questions, row, strict=True)}


def _questions(dataset: str, root: str, tables: Tables, spec: ResourceSpec) -> Iterator[tuple[str, str]]:
    """Name -> SQL of a struct `{n, example}`."""
    columns, table = tables[root], qualified(dataset, root)
    key = " || ', ' || ".join(
        literal(MASK) if is_personal(spec.columns, name) else f"CAST({ident(name)} AS VARCHAR)"
        for name in spec.primary_key
    )
    live = is_live(columns)
    names = ", ".join(map(ident, spec.primary_key))
    yield "repeated", _counted(key, f"(SELECT {names} FROM {table} GROUP BY {names} HAVING count(*) > 1)")
    total, paid = (amounts.amount(name, columns) for name in (amounts.TOTAL, amounts.PAID))
    if total and paid:
        # of a credit note both are negative
        too_much = f"CASE WHEN {total} < 0 THEN {paid} < {total} ELSE {paid} > {total} END"
        yield "overpaid", _counted(key, table, f"{live} AND {too_much}")
    issued, due = (amounts.day(name, columns) for name in (amounts.ISSUED, amounts.DUE_DATE))
    if issued and due:
        yield "due_too_early", _counted(key, table, f"{live} AND {due} < {issued}")
    for name, child in tables.items():
        if PARENT_ID in child:
            parent = qualified(dataset, parent_of(name, tables))
            # a row that names no parent is not IN anything, and not NOT IN anything either
            lost = f"({ident(PARENT_ID)} IN (SELECT {ident(ROW_ID)} FROM {parent})) IS NOT TRUE"
            yield f"orphans of {name}", _counted(ident(ROW_ID), qualified(dataset, name), lost)
    for each in sums_of(spec.columns):
        child = tables.get(f"{root}__{each.child}", {})
        if amounts.amount(each.column, columns) and amounts.amount(each.part, child):
            yield f"sum {each.column}", _differing(dataset, root, each, key, live)


def _differing(dataset: str, root: str, declared: Sum, key: str, live: str) -> str:
    """Rows whose parts add up to something else; a row without parts has the sum 0."""
    child = qualified(dataset, f"{root}__{declared.child}")
    parts = f"SELECT {ident(ROOT_ID)} AS root, sum({ident(declared.part)}) AS added FROM {child} GROUP BY root"
    rows = f"{qualified(dataset, root)} LEFT JOIN ({parts}) ON root = {ident(ROW_ID)}"
    difference = f"abs({ident(declared.column)} - coalesce(added, 0))"
    return _counted(key, rows, f"{live} AND {difference} > {declared.tolerance:f}")


def _counted(key: str, rows: str, where: str = "true") -> str:
    return f"SELECT {{'n': count(*), 'example': min({key})}} FROM {rows} WHERE {where}"
