"""Every version of the main rows, in `<resource>_history`, as dlt's merge strategy `scd2` would write them.

A version lasts from `valid_from` until `valid_to`, which is null for the present one. dlt tells versions
apart by a hash of the row, kept in `_dlt_id`. It is made of the texts of all values that are there, so that a
column that is added later, or widened, does not make new versions of rows that did not change.

Versions come from the rows that a load writes anyway. Where the main table was written without its history,
all its rows are compared once more; so the history can be switched on, off and on again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb

from invoices_assets.errors import TableRefused
from invoices_assets.load.diff.changes import GONE, IDS, UNCHANGED, Delta, spool_view
from invoices_assets.load.diff.schema_evolution import merged
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.sql import ident, literal
from invoices_assets.load.tables import (
    DELETED_AT,
    LOAD_ID,
    ROW_ID,
    LoadPlan,
    TablePlan,
    qualified,
    stored_tables,
)
from invoices_assets.load.types import TIMESTAMPTZ, VARCHAR, text_of
from invoices_assets.source.naming import history_table
from invoices_assets.source.resource import ResourceSpec

VALID_FROM, VALID_TO = "valid_from", "valid_to"
RECORD_KEY = "record_key"
HISTORY_KEY = "history"
"""In dlt's state of a resource: the last load that wrote its history, too."""


def plan_history(
    connection: duckdb.DuckDBPyConnection, settings: WarehouseSettings, plan: LoadPlan, resource: ResourceSpec
) -> TablePlan | None:
    """The history table as it will be, with the columns of the main table; None where it is not asked for.

    Raises:
        TableRefused: the table cannot take the rows.
    """
    root = plan.root
    if not resource.history or not root.columns:
        return None
    for column in (VALID_FROM, VALID_TO):
        if column in root.columns:
            raise TableRefused(
                f"the API has a field `{column}`, the name of a column of the history; give it another one "
                f"in the source YAML, for example `columns: {{api_{column}: {{x-from: {column}}}}}`"
            )
    name = history_table(root.name)
    stored = stored_tables(connection, settings, name).get(name, {})
    if stored and VALID_TO not in stored:
        raise TableRefused(
            f"the table {settings.dataset}.{name} has no column {VALID_TO} and so is no history; {settings.way_out}"
        )
    came = {column: kind for column, kind in root.columns.items() if column != ROW_ID}
    history = merged(settings, name, stored, came, resource.columns, [])
    history.columns |= {VALID_FROM: TIMESTAMPTZ, VALID_TO: TIMESTAMPTZ, ROW_ID: VARCHAR}
    if len(resource.primary_key) > 1:
        history.columns[RECORD_KEY] = VARCHAR
    return history


def is_behind(connection: duckdb.DuckDBPyConnection, dataset: str, plan: LoadPlan, state: Mapping[str, Any]) -> bool:
    """Whether the main table has rows that were written without their history.

    Parameters:
        state: dlt's state of the resource, which names the last load that wrote both.
    """
    if plan.history is None or not plan.root.exists:
        return False
    query = f"SELECT max({ident(LOAD_ID)}) FROM {qualified(dataset, plan.root.name)}"
    row = connection.execute(query).fetchone()
    last = row[0] if row else None
    known = state.get(HISTORY_KEY, {}).get("load_id") if plan.history.exists else None
    return last is not None and (known is None or known < last)


def versions_to_load(delta: Delta, load_id: str, *, behind: bool) -> str:
    """SQL for the rows that may be new versions.

    Parameters:
        behind: take every row of the main table, not only what the load changes.
    """
    root, history = delta.plan.root, delta.plan.history
    assert history is not None
    columns = [c for c in root.columns if c not in (ROW_ID, LOAD_ID)]
    parts = []
    if delta.counts.main:
        parts.append(f"SELECT {_list(columns)} FROM ({_changed_rows(delta)})")
    if behind:
        parts.append(_other_rows(delta, columns, parts))
    kinds = {column: root.columns[column] for column in columns}
    selected = [f"CAST({ident(c)} AS {history.columns[c]}) AS {ident(c)}" for c in columns]
    selected += [f"{literal(load_id)} AS {ident(LOAD_ID)}", f"{_hash(kinds)} AS {ident(ROW_ID)}"]
    if RECORD_KEY in history.columns:
        selected.append(f"{_hash({column: kinds[column] for column in delta.key})} AS {ident(RECORD_KEY)}")
    return f"SELECT {', '.join(selected)} FROM ({' UNION ALL '.join(parts)})"


def _changed_rows(delta: Delta) -> str:
    """The rows of the main table that the load changes, as they will be."""
    root, row_id = delta.plan.root, ident(ROW_ID)
    columns = [c for c in root.columns if c not in (LOAD_ID, DELETED_AT)]
    alive = f"CAST(NULL AS {TIMESTAMPTZ}) AS {ident(DELETED_AT)}"
    select = f"SELECT {', '.join(map(ident, columns))}, {alive} FROM {spool_view(root)}"
    if not delta.all_new:
        select += f" WHERE {row_id} IN (SELECT id FROM {IDS} WHERE kind <> {UNCHANGED})"
    if delta.counts.deleted:
        stored = [ident(c) if c in root.existing else f"CAST(NULL AS {root.columns[c]}) AS {ident(c)}" for c in columns]
        select += (
            f" UNION ALL SELECT {', '.join(stored)}, {delta.now} AS {ident(DELETED_AT)} "
            f"FROM {delta.table(root)} WHERE {row_id} IN (SELECT id FROM {GONE})"
        )
    return select


def _other_rows(delta: Delta, columns: Sequence[str], fed: Sequence[str]) -> str:
    """The stored rows that the load does not touch; one of each id, for plain dlt may append several."""
    root = delta.plan.root
    stored = [ident(c) if c in root.existing else f"CAST(NULL AS {root.columns[c]}) AS {ident(c)}" for c in columns]
    untouched = "".join(f" WHERE NOT EXISTS (SELECT 1 FROM ({select}) s WHERE {delta.same})" for select in fed)
    return (
        f"SELECT {', '.join(stored)} FROM {delta.table(root)} e{untouched} "
        f"QUALIFY row_number() OVER (PARTITION BY {_list(delta.key)} ORDER BY {ident(LOAD_ID)} DESC) = 1"
    )


def _hash(kinds: Mapping[str, str]) -> str:
    texts = {column: text_of(ident(column), kinds[column]) for column in sorted(kinds)}
    parts = [f"coalesce({literal(c + '=')} || length({text}) || ':' || {text}, '')" for c, text in texts.items()]
    return f"md5({' || '.join(parts)})"


def _list(columns: Sequence[str]) -> str:
    return ", ".join(map(ident, columns))
