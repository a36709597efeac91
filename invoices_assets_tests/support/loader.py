"""Refreshes a warehouse from a sandbox without Dagster; only the clock of the retries is fake."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from invoices_assets.extract.api import Api
from invoices_assets.extract.http.client import HttpClient
from invoices_assets.extract.http.retry import DEFAULT_POLICY, RetryPolicy
from invoices_assets.load.load import LoadResult
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.working_folder import working_folder
from invoices_assets.redaction.redactor import Redactor
from invoices_assets.refresh.plan import RefreshRequest
from invoices_assets.refresh.refresh import refresh
from invoices_assets.refresh.result import RefreshResult
from invoices_assets.refresh.source import Sweeping
from invoices_assets.source.file import DEFAULT_SOURCE, Source
from invoices_assets.source.resource import ResourceSpec
from invoices_assets_tests.support.fake_clock import FakeClock
from invoices_assets_tests.support.state import read_state
from invoices_assets_tests.support.sweep_helpers import config
from invoices_assets_tests.vendor import SANDBOX_KEY


@dataclass(frozen=True)
class ImpatientApi(Api):
    """Waits before retries pass on a clock that stands still otherwise."""

    clock: FakeClock = field(default_factory=FakeClock)

    def client(self, spec: ResourceSpec, policy: RetryPolicy = DEFAULT_POLICY) -> HttpClient:
        return HttpClient(auth=spec.auth, redactor=self.redactor, policy=policy, pool=self.window, clock=self.clock)


def loaded(done: RefreshResult) -> LoadResult:
    """What a refresh that was no dry run has loaded."""
    assert done.loaded is not None
    return done.loaded


@dataclass
class Loader:
    """One API and one warehouse.

    Parameters:
        folder: for the warehouse.
        url: base URL of the API.
        content: the source file's; None for the default one.
        window: pages in flight together.
        key: the one it is asked with.
        clock: by which it waits.
        has_fixed_address: False lets the API move to another port.
        dataset: its tables in the warehouse.
    """

    folder: Path
    url: str
    content: dict[str, Any] | None = None
    window: int = 8
    key: str = SANDBOX_KEY
    clock: FakeClock = field(default_factory=FakeClock)
    has_fixed_address: bool = True
    dataset: str = "invoicing"
    settings: WarehouseSettings = field(init=False)

    def __post_init__(self) -> None:
        self.settings = WarehouseSettings(self.dataset, duckdb_path=self.folder / "invoices.duckdb")

    def refresh(self, mode: Any = "incremental", **request: Any) -> RefreshResult:
        """Runs `refresh` on `invoices`; `request` has further fields of `RefreshRequest`."""
        source = Source(DEFAULT_SOURCE, self.content or config())
        api = ImpatientApi(
            self.url,
            self.key,
            Redactor([self.key]),
            self.window,
            has_fixed_address=self.has_fixed_address,
            clock=self.clock,
        )
        specs = api.resources(source)
        with working_folder() as folder:
            todo = RefreshRequest(mode, **request)
            return refresh(Sweeping(specs["invoices"], specs, api, todo), self.settings, folder)

    def load(self, mode: Any = "incremental", **request: Any) -> LoadResult:
        """As `refresh`, of which it gives what was loaded."""
        return loaded(self.refresh(mode, **request))

    @property
    def warehouse(self) -> Path:
        return self.settings.path

    @property
    def state(self) -> dict[str, Any]:
        """dlt's state of `invoices` in the warehouse."""
        return read_state(self.settings, "invoices")

    @property
    def cursor(self) -> Any:
        """The cursor on `updated_at` in dlt's state in the warehouse."""
        cursors = self.state.get("incremental", {})
        return cursors.get("updated_at", {}).get("last_value")

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Asks the warehouse; tables are named without schema."""
        connection = duckdb.connect()
        try:
            connection.execute(f"ATTACH '{self.settings.path}' AS warehouse (READ_ONLY)")
            connection.execute(f"SET search_path = 'warehouse.{self.dataset}'")
            connection.execute("SET TimeZone = 'UTC'")
            return connection.execute(sql).fetchall()
        finally:
            connection.close()
