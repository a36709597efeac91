"""Which kind of warehouse the settings name."""

from __future__ import annotations

from invoices_assets.errors import WarehouseUnusable
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.warehouses.catalog import Catalog
from invoices_assets.load.warehouses.duckdb_file import DuckDbFile


def catalog_of(settings: WarehouseSettings) -> Catalog:
    """The warehouse that the settings name; nothing is connected to.

    Raises:
        WarehouseUnusable: the destination is none of those that load exactly, or its settings are incomplete.
    """
    match settings.destination:
        case "duckdb":
            return DuckDbFile(settings)
        case "postgres":
            from invoices_assets.load.warehouses.postgres import PostgresCatalog

            return PostgresCatalog(settings)
        case "ducklake":
            from invoices_assets.load.warehouses.ducklake import DuckLakeCatalog

            return DuckLakeCatalog(settings)
        case "motherduck":
            from invoices_assets.load.warehouses.motherduck import MotherDuck

            return MotherDuck(settings)
    raise WarehouseUnusable(
        f"the destination {settings.destination} is refused, for a load there is not one transaction; use duckdb, "
        "postgres, motherduck, or ducklake, a lake of Parquet files that Snowflake, BigQuery and Spark can read"
    )
