"""What of a row is compared: a column by itself, or a hash of those that are long."""

from __future__ import annotations

from collections.abc import Container, Sequence

from invoices_assets.load.sql import ident
from invoices_assets.load.tables import ROW_ID, TablePlan

_LONG_TYPES = ("VARCHAR", "JSON", "BLOB")
_MOST_EXACT = 32
_DIGEST = ident("_dlt_digest")


def _compared(table: TablePlan) -> tuple[list[str], list[str]]:
    """The columns of the API that are compared value by value, and those of which only a hash is.

    A join in which whole rows meet takes more memory than any limit where rows are wide, or their texts long.
    Numbers, dates and the like are compared as they are. Of texts it is DuckDB's hash of 64 bits: two rows
    that differ in a text look equal once in 18,446,744,073,709,551,616 times.
    """
    exact = [c for c in table.data_columns if table.columns[c] not in _LONG_TYPES][:_MOST_EXACT]
    return exact, [c for c in table.data_columns if c not in exact]


def comparable(table: TablePlan, source: str, there: Container[str], keys: Sequence[str]) -> str:
    """SQL that reads what is compared of the rows of `source`; a column that is not `there` is null."""
    exact, hashed = _compared(table)

    def value(column: str) -> str:
        return ident(column) if column in there else f"CAST(NULL AS {table.columns[column]})"

    columns = [f"{value(c)} AS {ident(c)}" for c in dict.fromkeys((ROW_ID, *keys, *exact))]
    digest = f"hash({', '.join(map(value, hashed))})" if hashed else "0"
    return f"SELECT {', '.join(columns)}, {digest} AS {_DIGEST} FROM {source}"


def differs(table: TablePlan) -> str:
    """SQL that is true when the spooled row `s` and the stored row `e` differ in a column of the API."""
    exact, _ = _compared(table)
    parts = [f"s.{ident(c)} IS DISTINCT FROM e.{ident(c)}" for c in exact]
    return f"({' OR '.join([*parts, f's.{_DIGEST} <> e.{_DIGEST}'])})"
