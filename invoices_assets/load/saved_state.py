"""dlt's state of a resource, as it lies in the warehouse beside the rows it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb

from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.sql import CATALOG, ident


def stored_state(connection: duckdb.DuckDBPyConnection, settings: WarehouseSettings, resource: str) -> dict[str, Any]:
    """The same over an open connection."""
    tables = connection.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE database_name = ? AND schema_name = ? "
        "AND table_name IN ('_dlt_pipeline_state', '_dlt_loads')",
        [CATALOG, settings.dataset],
    ).fetchone()
    if tables != (2,):
        return {}
    dataset = f"{ident(CATALOG)}.{ident(settings.dataset)}"
    # the query of dlt's SqlJobClientBase.get_stored_state
    row = connection.execute(
        f"SELECT s.state FROM {dataset}._dlt_pipeline_state AS s JOIN {dataset}._dlt_loads AS l "
        "ON l.load_id = s._dlt_load_id WHERE s.pipeline_name = ? AND l.status = 0 "
        "ORDER BY l.load_id DESC LIMIT 1",
        [settings.dataset],
    ).fetchone()
    if row is None:
        return {}
    from dlt.common.versioned_state import decompress_state

    sources: Any = decompress_state(row[0]).get("sources", {})
    return sources.get(settings.dataset, {}).get("resources", {}).get(resource, {})


def merged_state(state: Mapping[str, Any], update: Mapping[str, Any]) -> dict[str, Any]:
    """`state` with `update` on top, dicts within dicts merged likewise."""
    result = dict(state)
    for key, value in update.items():
        old = result.get(key)
        result[key] = merged_state(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result


def cursor_state(cursor_path: str, initial_value: Any, last_value: Any) -> dict[str, Any]:
    """A state update that sets the cursor the way dlt's Incremental keeps it (dlt/extract/incremental)."""
    return {
        "incremental": {cursor_path: {"initial_value": initial_value, "last_value": last_value, "unique_hashes": []}}
    }
