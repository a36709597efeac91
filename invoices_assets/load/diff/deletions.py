"""Records that the API no longer has, and when not to believe it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from invoices_assets.errors import DeletionRefused
from invoices_assets.load.spool import SpooledSweep
from invoices_assets.load.sql import ident
from invoices_assets.load.tables import DELETED_AT, ROW_ID, TablePlan, qualified
from invoices_assets.load.types import text_of


def refuse_empty_sweep(
    connection: duckdb.DuckDBPyConnection, dataset: str, sweep: SpooledSweep, root: TablePlan
) -> None:
    """A sweep of everything that is empty, where rows are, is an error: the key may have lost its rights.

    Raises:
        DeletionRefused: in that case.
    """
    if sweep.rows or sweep.rejected:
        return
    total = _live(connection, dataset, root)
    if total:
        raise DeletionRefused(
            f"the API shows no records though the warehouse has {total:,} in {dataset}.{root.name}; "
            "nothing was changed, for some APIs answer a wrong key with an empty list"
        )


def find_deleted(
    connection: duckdb.DuckDBPyConnection,
    dataset: str,
    sweep: SpooledSweep,
    root: TablePlan,
    key: Sequence[str],
    *,
    spool: str,
    into: str,
    limit: float,
) -> int:
    """Put the row ids of the live records that a complete sweep does not have into the table `into`.

    Records of the sweep that were rejected are there, though not as rows, and so not gone.

    Parameters:
        spool: the view of the sweep's rows.
        limit: the largest believable share of the live rows, 0 to 1.

    Returns:
        How many they are.

    Raises:
        DeletionRefused: they are more than `limit`.
    """
    live = f"e.{ident(DELETED_AT)} IS NULL" if DELETED_AT in root.existing else "true"
    same = " AND ".join(f"s.{ident(k)} = e.{ident(k)}" for k in key)
    rejected = _rejected_keys(connection, sweep, len(key))
    kept = ""
    if rejected:
        texts = [text_of(f"e.{ident(k)}", root.columns[k]) for k in key]
        matches = " AND ".join(f"r.k{i} = {text}" for i, text in enumerate(texts))
        kept = f"AND NOT EXISTS (SELECT 1 FROM {rejected} r WHERE {matches})"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {into} AS SELECT DISTINCT e.{ident(ROW_ID)} AS id "
        f"FROM {qualified(dataset, root.name)} e "
        f"WHERE {live} AND NOT EXISTS (SELECT 1 FROM {spool} s WHERE {same}) {kept}"
    )
    gone = _count(connection, f"SELECT count(*) FROM {into}")
    total = _live(connection, dataset, root) if gone else 0
    if gone > limit * total:
        raise DeletionRefused(
            f"{gone:,} of {total:,} records in {dataset}.{root.name} ({gone / total:.0%}) are missing from "
            f"the API, more than the limit of {limit:.0%}; nothing was marked as deleted; "
            "if it is right, raise max_deleted_share in the run config"
        )
    return gone


def _rejected_keys(connection: duckdb.DuckDBPyConnection, sweep: SpooledSweep, width: int) -> str | None:
    """A table of the keys of the rejected records as texts `k0` to `kn`; None when no record has one."""
    keys: set[tuple[str, ...]] = set()
    for path in sweep.rejected_files:
        for key in pq.read_table(path, columns=["key"])["key"].to_pylist():
            keys |= key_spellings(key, width)
    if not keys:
        return None
    table = "temp.main._delta_rejected_keys"
    columns = {f"k{i}": pa.array([key[i] for key in keys], pa.string()) for i in range(width)}
    connection.register("_delta_rejected_keys_arrow", pa.table(columns))
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT * FROM _delta_rejected_keys_arrow")
    connection.unregister("_delta_rejected_keys_arrow")
    return table


def key_spellings(key: str | None, width: int) -> set[tuple[str, ...]]:
    """How the key of a rejected record, of so many columns, may read as texts of the main table's columns."""
    if key is None:
        return set()
    parts = [key] if width == 1 else _parts(key)
    return {tuple(parts), tuple(map(_plain, parts))} if len(parts) == width else set()


def _parts(key: str) -> list[str]:
    values = json.loads(key, parse_float=str, parse_int=str)
    return [value if isinstance(value, str) else json.dumps(value) for value in values]


def _plain(text: str) -> str:
    """A number as the warehouse's own text of it would be; any other text as it is."""
    try:
        plain = format(Decimal(text), "f")
    except InvalidOperation:
        return text
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def _live(connection: duckdb.DuckDBPyConnection, dataset: str, root: TablePlan) -> int:
    live = f" WHERE {ident(DELETED_AT)} IS NULL" if DELETED_AT in root.existing else ""
    return _count(connection, f"SELECT count(*) FROM {qualified(dataset, root.name)}{live}")


def _count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0
