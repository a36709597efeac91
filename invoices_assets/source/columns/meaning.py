"""What a declaration says of the meaning of its columns: which are lists, which add up, which are of persons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from invoices_assets.source.columns.column import Column

MASK = "•••"
"""Stands for a value of a person."""


@dataclass(frozen=True)
class Sum:
    """A column of the main table that is the sum of one of a child table.

    In the source file:

        total: {data_type: decimal, x-sum-of: line_items.amount, x-tolerance: 0.01}

    Parameters:
        column: of the main table.
        child: normalized path of the child table below the main one.
        part: the column of the child table.
        tolerance: by how much the sum may be off, in the unit of the column.
    """

    column: str
    child: str
    part: str
    tolerance: Decimal


def sums_of(columns: Mapping[str, Column]) -> list[Sum]:
    """The sums that are declared by `x-sum-of`."""
    lists = _declared_lists(columns)
    sums = []
    for name, column in columns.items():
        if column.x_sum_of:
            inside = [place for place in lists if column.x_sum_of.startswith(f"{place}__")]
            child = max(inside, key=len, default=column.x_sum_of.rpartition("__")[0])
            sums.append(Sum(name, child, column.x_sum_of[len(child) + 2 :], column.x_tolerance))
    return sums


def child_tables(columns: Mapping[str, Column]) -> dict[str, str | None]:
    """The child tables that are declared, by `x-table` or as what adds up: path below the main table -> description."""
    found = {place: columns[place].description for place in _declared_lists(columns)}
    return {**{each.child: None for each in sums_of(columns)}, **found}


def columns_below(columns: Mapping[str, Column], place: str) -> dict[str, Column]:
    """The columns that are declared for a child table, by their names in it.

    Parameters:
        place: normalized path of the child table below the main one.
    """
    beginning = f"{place}__"
    return {name.removeprefix(beginning): each for name, each in columns.items() if name.startswith(beginning)}


def is_personal(columns: Mapping[str, Column], name: str) -> bool:
    """Whether the values of a column are of persons, by its `x-pii` or by that of an object around it."""
    parts = name.split("__")
    around = ("__".join(parts[:count]) for count in range(1, len(parts) + 1))
    return any(place in columns and columns[place].x_pii for place in around)


def _declared_lists(columns: Mapping[str, Column]) -> list[str]:
    return [name for name, column in columns.items() if column.x_table]
