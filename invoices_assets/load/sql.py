"""Names and texts as SQL, and the name under which a warehouse is attached."""

from __future__ import annotations

CATALOG = "warehouse"


def ident(name: str) -> str:
    """`name` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """`value` as an SQL string."""
    return "'" + value.replace("'", "''") + "'"
