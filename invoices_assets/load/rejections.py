"""Reads which rejected records are still waiting: those that no later load has brought in."""

from __future__ import annotations

from dataclasses import dataclass

from invoices_assets.load.connection import CATALOG, ident, open_warehouse
from invoices_assets.load.settings import WarehouseSettings


@dataclass(frozen=True)
class Rejections:
    """How many records wait in the table of rejected ones, and why: reason to count."""

    count: int = 0
    reasons: dict[str, int] | None = None


def open_rejections(settings: WarehouseSettings, resource: str) -> Rejections:
    """The rejected records of a resource that were not loaded since.

    Raises:
        WarehouseError: the warehouse cannot be read.
    """
    if not settings.path.exists():
        return Rejections()
    with open_warehouse(settings, read_only=True) as connection:
        found = connection.execute(
            "SELECT count(*) FROM duckdb_tables() WHERE database_name = ? AND schema_name = ? AND table_name = ?",
            [CATALOG, settings.dataset, f"{resource}_rejected"],
        ).fetchone()
        if found == (0,):
            return Rejections()
        dataset = f"{ident(CATALOG)}.{ident(settings.dataset)}"
        rows = connection.execute(
            f"SELECT reason, count(DISTINCT coalesce(key, raw)) FROM {dataset}.{ident(resource + '_rejected')} "
            "GROUP BY reason ORDER BY 2 DESC, 1"
        ).fetchall()
        return Rejections(sum(count for _, count in rows), dict(rows))
