"""Names and texts as SQL, and the name under which a warehouse is attached."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

CATALOG = "warehouse"


def ident(name: str) -> str:
    """`name` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def parquet(paths: Iterable[Path]) -> str:
    """SQL that reads Parquet files; a folder named `env=prod` above them is no column."""
    return f"read_parquet([{', '.join(literal(str(path)) for path in paths)}], hive_partitioning = false)"


def literal(value: str) -> str:
    """`value` as an SQL string."""
    return "'" + value.replace("'", "''") + "'"
