"""What the tests of the loader share: records, real spool, converter and load, and a look at the result."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from invoices_assets.extract.page import Page
from invoices_assets.load.load import LoadResult
from invoices_assets.load.request import LoadRequest, Scope
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.spool import Spool, SpooledSweep
from invoices_assets.load.working_folder import working_folder
from invoices_assets.normalize.batches import Batches
from invoices_assets.normalize.converter import Converter
from invoices_assets.source.resource import ResourceSpec
from invoices_assets_tests.support.column_helpers import declared
from invoices_assets_tests.support.load_sweep import load_sweep

COLUMNS: dict[str, dict[str, Any]] = {
    "id": {"data_type": "text", "nullable": False},
    "total": {"data_type": "decimal", "precision": 38, "scale": 9},
    "issue_date": {"data_type": "date"},
    "updated_at": {"data_type": "timestamp"},
}
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def invoice(number: int, lines: int = 2, **fields: Any) -> dict[str, Any]:
    """A record as the API would give it, with `lines` line items."""
    items = [{"sku": f"s{i}", "amount": Decimal(number) + Decimal(i) / 4} for i in range(lines)]
    record = {
        "id": f"i{number}",
        "total": Decimal(number) + Decimal("0.1"),
        "issue_date": "2026-02-03",
        "updated_at": "2026-02-03T04:05:06Z",
        "customer": {"name": f"Müller {number % 7}"},
        "line_items": items,
    }
    return {**record, **fields}


def exact(record: Any) -> Any:
    """A record after a trip over the wire, with exact numbers."""
    return json.loads(json.dumps(record, default=str), parse_float=Decimal)


@dataclass
class Loader:
    """Loads lists of records into one DuckDB file the way a run does."""

    path: Path
    dataset: str = "invoicing"
    name: str = "invoices"
    columns: dict[str, dict[str, Any]] = field(default_factory=lambda: dict(COLUMNS))
    primary_key: Sequence[str] = ("id",)
    batch_rows: int = 5000
    memory_limit: str = "256MB"

    @property
    def settings(self) -> WarehouseSettings:
        return WarehouseSettings(
            self.dataset, duckdb_path=self.path, memory_limit=self.memory_limit, open_wait_seconds=5
        )

    @property
    def resource(self) -> ResourceSpec:
        return declared(self.columns, self.primary_key, self.name, description="Invoices of the API.")

    def spool(self, folder: Path, pages: Iterable[list[dict[str, Any]]]) -> SpooledSweep:
        """The records as a run would have spooled them, page by page."""
        directory = folder / "spool"
        directory.mkdir()
        spool = Spool(directory, self.name)
        batches = Batches(Converter(self.resource), spool.append, batch_rows=self.batch_rows)
        for page in pages:
            batches.add(Page(page))
        batches.finish()
        return spool.finish()

    def load(
        self,
        records: Iterable[dict[str, Any]],
        *,
        page: int = 1000,
        scope: Scope = Scope.EVERYTHING_MARK_DELETED,
        state: dict[str, Any] | None = None,
        now: datetime = NOW,
        max_deleted_share: float | None = 0.2,
        log: Callable[[str], None] = print,
        **request: Any,
    ) -> LoadResult:
        """Load `records` as one sweep; `request` has further fields of `LoadRequest`."""
        source = iter(records)
        pages = iter(lambda: list(itertools.islice(source, page)), [])
        with working_folder() as folder:
            sweep = self.spool(folder, pages)
            share = max_deleted_share if scope is Scope.EVERYTHING_MARK_DELETED else None
            todo = LoadRequest(scope, state, share, now=now, **request)
            return load_sweep(sweep, self.resource, self.settings, todo, folder, log)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query over the finished warehouse; `{d}` in it stands for the dataset."""
        return rows(self.path, query.replace("{d}", f'w."{self.dataset}"'))

    def column(self, query: str) -> list[Any]:
        """The first column of a query."""
        return [row[0] for row in self.rows(query)]


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    """The rows of a query over the DuckDB file at `path`, attached as `w`."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"ATTACH '{path}' AS w (READ_ONLY)")
        return connection.execute(query).fetchall()
