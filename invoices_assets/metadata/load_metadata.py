"""What a materialization tells: first the story, then its proof, then numbers to plot, then the ledger.

Dagster shows metadata in the order in which they come, Markdown of less than 1,000 characters where it stands, and a
plot over time for each number. What there is nothing to say of is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import dagster as dg

from invoices_assets.load.load import LoadResult
from invoices_assets.load.reports.overview import Overview
from invoices_assets.metadata.chart import large_chart, small_chart
from invoices_assets.metadata.markdown import bullets
from invoices_assets.metadata.money import code
from invoices_assets.metadata.summary import summary_of
from invoices_assets.refresh.result import RefreshResult
from invoices_assets.source.columns.column import Column
from invoices_assets.source.naming import normalized

_MOST_CURRENCIES = 10
Entries = Iterator[tuple[str, Any]]


def metadata_of(done: RefreshResult, relation: str) -> dict[str, Any]:
    """What a materialization says of itself; true also for a run that had nothing to load.

    Parameters:
        done: the refresh.
        relation: the table's full name in the warehouse.
    """
    overview = done.loaded.overview if done.loaded else None
    told = [*_story(done, overview), *_proof(done), *_numbers(done, overview), *_ledger(done, relation)]
    if overview is not None:
        told.append(("chart_by_currency", _markdown(large_chart(overview.amounts))))
    return {name: str(value) if isinstance(value, Decimal) else value for name, value in told if value is not None}


def table_metadata(
    relation: str, columns: Mapping[str, str], rows: int | None, declared: Mapping[str, Column] | None = None
) -> dict[str, Any]:
    """What is to be said of any table: name, columns, rows.

    Parameters:
        relation: the table's full name in the warehouse.
        columns: name -> DuckDB type; none for a table that is not there yet.
        rows: how many; None where `table_rows` says it.
        declared: normalized name -> Column, for descriptions.
    """
    query = dg.MetadataValue.md(f"`FROM {relation} LIMIT 100`")
    told: dict[str, Any] = {"dagster/table_name": relation, "query": query}
    if rows is not None:
        told = {"dagster/row_count": rows, **told}
    if columns:
        hints = declared or {}
        told["dagster/column_schema"] = dg.TableSchema(
            [
                dg.TableColumn(name, kind, description=hints[name].description if name in hints else None)
                for name, kind in columns.items()
            ]
        )
    return told


def remarks_metadata(remarks: Sequence[str]) -> dict[str, dg.MetadataValue]:
    """What has to be told, as a list; nothing where there is nothing."""
    return {"remarks": dg.MetadataValue.md(bullets(remarks))} if remarks else {}


def declared_schema(columns: Mapping[str, Column]) -> dg.TableSchema:
    """The declared columns, as Dagster shows them."""
    return dg.TableSchema(
        [
            dg.TableColumn(
                name=name,
                type=column.kind or "inferred",
                description=column.description,
                constraints=dg.TableColumnConstraints(nullable=column.nullable),
            )
            for name, column in columns.items()
            if not column.x_table
        ]
    )


def _story(done: RefreshResult, overview: Overview | None) -> Entries:
    yield "summary", _markdown(summary_of(done))
    yield from remarks_metadata(done.remarks).items()
    if overview is not None:
        yield "chart", _markdown(small_chart(overview.amounts))
        yield "newest", _table(overview.newest)


def _proof(done: RefreshResult) -> Entries:
    swept = done.swept
    yield "complete", swept.complete
    yield "end", swept.end
    yield "end_proven", swept.proven
    yield "api_total", swept.total
    yield "rows_fetched", swept.rows
    yield "passes", swept.passes


def _numbers(done: RefreshResult, overview: Overview | None) -> Entries:
    if done.loaded is not None:
        yield from _counts(done.loaded)
    shown = overview.amounts[:_MOST_CURRENCIES] if overview else []
    codes = Counter(code(each.currency) for each in shown)
    for each in shown:
        if codes[code(each.currency)] > 1:
            continue  # a number under a name that several currencies have would be that of none
        # to be plotted; to the cent it is in the summary and in `receivables`
        yield f"amount_open_{code(each.currency)}".removesuffix("_"), None if each.open is None else float(each.open)
    yield "requests", done.stats.requests
    yield "seconds_total", round(done.seconds["total"], 3)


def _counts(loaded: LoadResult) -> Entries:
    for count in ("new", "changed", "deleted", "rejected", "returned", "unchanged"):
        yield f"rows_{count}", getattr(loaded, count)
    yield "table_rows", loaded.table_rows
    yield "missed_by_incremental", loaded.missed
    yield "history_versions", loaded.versions


def _ledger(done: RefreshResult, relation: str) -> Entries:
    swept, stats, loaded = done.swept, done.stats, done.loaded
    yield "covers", done.covers
    yield "cursor_before", done.cursor_before
    yield "cursor_after", done.cursor_after
    yield "pages", swept.pages
    yield "retries", stats.retries
    yield "seconds_waited", round(stats.seconds_waited, 3)
    yield "bytes", stats.bytes_received
    yield "seconds", _table([{"stage": stage, "seconds": round(value, 3)} for stage, value in done.seconds.items()])
    yield "misfits", _markdown(bullets(done.misfits or []))
    yield "loaded", loaded is not None
    yield "load_id", loaded.load_id if loaded else None
    columns = loaded.columns.get(normalized(done.spec.name), {}) if loaded else {}
    yield from table_metadata(relation, columns, None, done.spec.columns).items()


def _markdown(text: str | None) -> dg.MetadataValue | None:
    return dg.MetadataValue.md(text) if text else None


def _table(rows: Sequence[Mapping[str, Any]]) -> dg.MetadataValue | None:
    if not rows:
        return None
    return dg.MetadataValue.table([dg.TableRecord(dict(row)) for row in rows])
