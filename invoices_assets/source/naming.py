"""Names of tables and columns: dlt's naming convention, made once, and the tables beside a main one."""

from __future__ import annotations

from dlt.common.normalizers.naming.snake_case import NamingConvention

NAMING = NamingConvention()
"""dlt's default naming. DuckDB takes names of 65,536 characters, so nothing is shortened here."""

RESERVED_PREFIX = "_dlt_"
"""Names that dlt keeps for its own columns."""


def normalized(name: str) -> str:
    """A field's name as dlt writes it; a name without a letter or digit is dlt's `_empty`."""
    return (NAMING.normalize_path(name) if name.strip() else "") or "_empty"


def rejected_table(root: str) -> str:
    """The table of the records that could not be stored as declared."""
    return f"{root}_rejected"


def history_table(root: str) -> str:
    """The table of the versions of the main rows."""
    return f"{root}_history"
