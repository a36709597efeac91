"""Names and texts as SQL, and the name under which a warehouse is attached."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import duckdb

CATALOG = "warehouse"


def ident(name: str) -> str:
    """`name` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def written(name: str) -> str:
    """`name` as a person writes it in SQL: in quotes only where DuckDB would read it as something else."""
    is_plain = [kind for _, kind in duckdb.tokenize(name)] == [duckdb.token_type.identifier]
    return name if is_plain else ident(name)


def catalog_name(file: str) -> str:
    """What DuckDB calls the catalog of a database file that is opened by itself.

    Parameters:
        file: its name, without the folder. What stands behind its first dot is left out, and names of DuckDB's own
            catalogs get another end (DuckDB 2.0, `FileSystem::ExtractBaseName` and `AttachedDatabase`).
    """
    name = next(part for part in file.split(".") if part)
    return f"{name}_db" if name.lower() in ("main", "system", "temp") else name


def parquet(paths: Iterable[Path]) -> str:
    """SQL that reads Parquet files; a folder named `env=prod` above them is no column."""
    return f"read_parquet([{', '.join(literal(str(path)) for path in paths)}], hive_partitioning = false)"


def literal(value: str) -> str:
    """`value` as an SQL string."""
    return "'" + value.replace("'", "''") + "'"
