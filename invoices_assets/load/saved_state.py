"""What dlt keeps beside the rows, as it lies in the warehouse: state, schema and loads."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import duckdb
from dlt.common.storages.load_package import create_load_id
from dlt.common.utils import compressed_b64decode
from dlt.common.versioned_state import decompress_state

from invoices_assets.errors import TableRefused
from invoices_assets.load.tables import qualified, table_exists


def pipeline_state(connection: duckdb.DuckDBPyConnection, dataset: str) -> dict[str, Any]:
    """The state of the pipeline that has the name of the dataset; empty where there is none.

    Raises:
        TableRefused: it is none.
    """
    states, loads = qualified(dataset, "_dlt_pipeline_state"), qualified(dataset, "_dlt_loads")
    if not all(table_exists(connection, dataset, name) for name in ("_dlt_pipeline_state", "_dlt_loads")):
        return {}
    # the query of dlt's SqlJobClientBase.get_stored_state
    row = connection.execute(
        f"SELECT s.state FROM {states} AS s JOIN {loads} AS l "
        "ON l.load_id = s._dlt_load_id WHERE s.pipeline_name = ? AND l.status = 0 "
        "ORDER BY l.load_id DESC LIMIT 1",
        [dataset],
    ).fetchone()
    if row is None:
        return {}
    with _readable(dataset, "_dlt_pipeline_state"):
        return dict(decompress_state(row[0]))


def resource_state(connection: duckdb.DuckDBPyConnection, dataset: str, resource: str) -> dict[str, Any]:
    """The state of a resource; empty where there is none."""
    source = pipeline_state(connection, dataset).get("sources", {}).get(dataset, {})
    state: dict[str, Any] = source.get("resources", {}).get(resource, {})
    return state


def stored_schema(connection: duckdb.DuckDBPyConnection, dataset: str) -> dict[str, Any] | None:
    """The schema that dlt has stored last, as a dict; None where there is none.

    Raises:
        TableRefused: it is none.
    """
    if not table_exists(connection, dataset, "_dlt_version"):
        return None
    row = connection.execute(
        f"SELECT schema FROM {qualified(dataset, '_dlt_version')} WHERE schema_name = ? "
        "ORDER BY inserted_at DESC LIMIT 1",
        [dataset],
    ).fetchone()
    if row is None:
        return None
    text = row[0]
    with contextlib.suppress(ValueError):
        # no base64: dlt compresses only what a destination has no room for (SqlJobClientBase._row_to_schema_info)
        text = compressed_b64decode(text).decode()
    with _readable(dataset, "_dlt_version"):
        schema: dict[str, Any] = json.loads(text)
        return schema


@contextlib.contextmanager
def _readable(dataset: str, table: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise TableRefused(
            f"the last row of {dataset}.{table} holds what dlt cannot read ({type(error).__name__}); put back a copy "
            "of the warehouse, or drop that table and run a load of everything"
        ) from None


def load_ids(connection: duckdb.DuckDBPyConnection, dataset: str) -> frozenset[str]:
    """The ids of all loads."""
    if not table_exists(connection, dataset, "_dlt_loads"):
        return frozenset()
    rows = connection.execute(f"SELECT load_id FROM {qualified(dataset, '_dlt_loads')}").fetchall()
    return frozenset(row[0] for row in rows)


def next_load_id(connection: duckdb.DuckDBPyConnection, dataset: str, proposed: str) -> str:
    """The id of a load that is about to commit, higher than that of any before it.

    dlt makes one when it begins to extract, and takes the highest for the latest, so that the state of a run that took
    long would never be read.

    Parameters:
        proposed: dlt's, seconds since 1970 with a fraction.
    """
    latest = max(load_ids(connection, dataset), default="")
    if proposed > latest:
        return proposed
    now = create_load_id()
    return now if now > latest else str(Decimal(latest) + Decimal("0.000001"))


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
