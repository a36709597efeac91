"""What a run tells Dagster of itself."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import dagster as dg

from invoices_assets.refresh.result import RefreshResult
from invoices_assets.source.columns import Column

NO_CURSOR = "none"
"""What metadata say where there is no cursor, no total or no load."""


def declared_schema(columns: Mapping[str, Column]) -> dg.TableSchema:
    """The declared columns, as Dagster shows them."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=name,
                type=column.kind or "inferred",
                description=column.description,
                constraints=dg.TableColumnConstraints(nullable=column.nullable),
            )
            for name, column in columns.items()
        ]
    )


def schema_metadata(columns: Mapping[str, str], declared: Mapping[str, Column]) -> dict[str, dg.TableSchema]:
    """The columns of the main table as they are in the warehouse.

    Parameters:
        columns: name -> DuckDB type.
        declared: for their descriptions.
    """
    described = {name: column.description for name, column in declared.items()}
    return {
        "dagster/column_schema": dg.TableSchema(
            columns=[
                dg.TableColumn(name=name, type=kind, description=described.get(name)) for name, kind in columns.items()
            ]
        )
    }


def sentence_of(done: RefreshResult, name: str, table: str) -> str:
    """What a refresh did, for the event log.

    Parameters:
        name: of the resource.
        table: with its schema.
    """
    swept, loaded = done.swept, done.loaded
    if loaded is None:
        said = f"a dry run fetched {swept.rows:,} rows and loaded none"
    else:
        counts = {
            "new": loaded.new,
            "changed": loaded.changed,
            "returned": loaded.returned,
            "deleted": loaded.deleted,
            "rejected": loaded.rejected,
            "missed by incremental": loaded.missed,
        }
        shown = [f"{count:,} {what}" for what, count in counts.items() if count or what in ("new", "changed")]
        said = f"{', '.join(shown)}, {loaded.table_rows:,} rows in {table}"
    trial = "" if swept.complete else ", a trial that did not read everything"
    return f"{name}: {said}; {_counted(swept.pages, 'page')}, {done.seconds['total']:.1f} s{trial}"


def metadata_of(done: RefreshResult, relation: str) -> dict[str, Any]:
    """What a materialization says of itself; true also for a run that had nothing to load.

    Parameters:
        done: the refresh.
        relation: the table's full name in the warehouse.
    """
    swept, stats, loaded = done.swept, done.stats, done.loaded
    metadata: dict[str, Any] = {
        "dagster/table_name": relation,
        "rows_fetched": swept.rows,
        "pages": swept.pages,
        "passes": swept.passes,
        "requests": stats.requests,
        "retries": stats.retries,
        "seconds_waited": round(stats.seconds_waited, 3),
        "bytes": stats.bytes_received,
        "api_total": swept.total,
        "complete": swept.complete,
        "end": swept.end,
        "end_proven": swept.proven,
        "cursor_before": done.cursor_before,
        "cursor_after": done.cursor_after,
        "seconds": {stage: round(value, 3) for stage, value in done.seconds.items()},
        "remarks": done.remarks,
        "loaded": loaded is not None,
    }
    if done.misfits is not None:
        metadata["misfits"] = done.misfits
    if loaded is not None:
        metadata |= {
            "dagster/row_count": loaded.table_rows,
            "rows_new": loaded.new,
            "rows_changed": loaded.changed,
            "rows_unchanged": loaded.unchanged,
            "rows_deleted": loaded.deleted,
            "rows_returned": loaded.returned,
            "rows_rejected": loaded.rejected,
            "table_rows": loaded.table_rows,
            "load_id": loaded.load_id,
        }
        if loaded.versions is not None:
            metadata["history_versions"] = loaded.versions
        if loaded.missed is not None:
            metadata["missed_by_incremental"] = loaded.missed
    return {key: _shown(value) for key, value in metadata.items()}


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _shown(value: Any) -> Any:
    """A value that Dagster can keep."""
    if value is None:
        return NO_CURSOR
    return str(value) if isinstance(value, Decimal) else value
