"""Records that the API no longer has, and when not to believe it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from invoices_assets.errors import DeletionRefused
from invoices_assets.load.spool import SpooledSweep
from invoices_assets.load.sql import ident
from invoices_assets.load.tables import DELETED_AT, ROW_ID, TablePlan, qualified
from invoices_assets.source.record_key import parts_of


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
    keys = chain.from_iterable(pq.read_table(f, columns=["key"])["key"].to_pylist() for f in sweep.rejected_files)
    rejected = key_table(connection, keys, root, key)
    kept = f"AND NOT EXISTS (SELECT 1 FROM {rejected} s WHERE {same})" if rejected else ""
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


def key_table(
    connection: duckdb.DuckDBPyConnection, keys: Iterable[str | None], root: TablePlan, names: Sequence[str]
) -> str | None:
    """A table of the keys of rejected records, as texts in `key` and by their parts in the columns' own types.

    Parameters:
        keys: as `invoices_rejected.key` has them.
        names: the columns of the primary key, and of the result.

    Returns:
        its name; None when no record has a key.
    """
    split = {key: parts_of(key, len(names)) for key in keys if key is not None}
    split = {key: parts for key, parts in split.items() if len(parts) == len(names)}
    if not split or not root.columns:
        return None
    texts = {
        f"k{index}": pa.array([parts[index] for parts in split.values()], pa.string()) for index in range(len(names))
    }
    cast = [f"TRY_CAST(k{index} AS {root.columns[name]}) AS {ident(name)}" for index, name in enumerate(names)]
    connection.register("_delta_keys_arrow", pa.table({"key": pa.array(split, pa.string()), **texts}))
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE _delta_keys AS SELECT key, {', '.join(cast)} FROM _delta_keys_arrow"
    )
    connection.unregister("_delta_keys_arrow")
    return "temp.main._delta_keys"


def _live(connection: duckdb.DuckDBPyConnection, dataset: str, root: TablePlan) -> int:
    live = f" WHERE {ident(DELETED_AT)} IS NULL" if DELETED_AT in root.existing else ""
    return _count(connection, f"SELECT count(*) FROM {qualified(dataset, root.name)}{live}")


def _count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0
