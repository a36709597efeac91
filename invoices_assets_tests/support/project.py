"""Runs the real jobs in this process, against a server that the test started and a warehouse of its own."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
import yaml

from invoices_assets_tests.vendor import SANDBOX_KEY

ENVIRONMENT = ("INVOICES_API_BASE_URL", "INVOICES_API_KEY", "INVOICES_SOURCE", "INVOICES_DUCKDB_PATH")


@dataclass
class Project:
    """The project as deployed for one API: environment, Dagster instance and warehouse.

    Parameters:
        folder: for the warehouse and the source file.
        url: base URL of the API; None for the embedded sandbox.
        source: the content of the source file; None for the default one.
    """

    monkeypatch: pytest.MonkeyPatch
    folder: Path
    url: str | None = None
    key: str = SANDBOX_KEY
    source: dict[str, Any] | None = None
    instance: dg.DagsterInstance = field(default_factory=dg.DagsterInstance.ephemeral)
    _defs: tuple[Any, dg.Definitions] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.monkeypatch.chdir(self.folder)
        for name in ENVIRONMENT:
            self.monkeypatch.delenv(name, raising=False)
        if self.url is not None:
            self.monkeypatch.setenv("INVOICES_API_BASE_URL", self.url)
            self.monkeypatch.setenv("INVOICES_API_KEY", self.key)
        self.write_source()

    def write_source(self) -> None:
        """Puts `source` in force."""
        if self.source is not None:
            path = self.folder / "source.yaml"
            path.write_text(yaml.safe_dump(self.source, allow_unicode=True), encoding="utf-8")
            self.monkeypatch.setenv("INVOICES_SOURCE", str(path))

    @property
    def dataset(self) -> str:
        return "sandbox" if self.url is None else "invoicing"

    @property
    def warehouse(self) -> Path:
        return self.folder / "data" / ("sandbox.duckdb" if self.url is None else "invoices.duckdb")

    def definitions(self) -> dg.Definitions:
        """The definitions, loaded under the environment of this project, and anew where that has changed since."""
        from invoices_assets import definitions

        of = self._loaded_from()
        if self._defs is None or self._defs[0] != of:
            self._defs = of, importlib.reload(definitions).defs
        return self._defs[1]

    def _loaded_from(self) -> tuple[dict[str, str], dict[Path, bytes]]:
        """All that the definitions depend on: the settings, and the files that they may name."""
        settings = {name: value for name, value in os.environ.items() if name.startswith("INVOICES_")}
        return settings, {path: path.read_bytes() for path in self.folder.rglob("*.yaml")}

    def run(
        self,
        job: str = "refresh_invoices",
        *,
        partition: str | None = None,
        api: Mapping[str, Any] | None = None,
        **config: Any,
    ) -> dg.ExecuteInProcessResult:
        """Runs a job; `config` are fields of `RefreshConfig`, `api` of `InvoicesApi`.

        A failed run is returned, not raised.
        """
        run_config: dict[str, Any] = {}
        if config:
            run_config["ops"] = {f"{self.dataset}_resources": {"config": config}}
        if api:
            run_config["resources"] = {"api": {"config": api}}
        job_def = self.definitions().resolve_job_def(job)
        return job_def.execute_in_process(
            instance=self.instance,
            run_config=run_config or None,
            raise_on_error=False,
            partition_key=partition,
        )

    def failure(self, result: dg.ExecuteInProcessResult) -> str:
        """The sentence that a failed run says."""
        events = [event for event in result.all_events if event.is_step_failure]
        data = events[0].step_failure_data
        if data.user_failure_data is not None and data.user_failure_data.description:
            return data.user_failure_data.description
        error = data.error
        while error is not None and error.cause is not None:
            error = error.cause
        return error.message if error is not None else ""

    def metadata(self, result: dg.ExecuteInProcessResult, resource: str = "invoices") -> dict[str, Any]:
        """Metadata of the materialization of a resource, as plain values."""
        key = dg.AssetKey([self.dataset, resource])
        events = [m for m in result.asset_materializations_for_node(f"{self.dataset}_resources") if m.asset_key == key]
        return {name: value.value for name, value in events[0].metadata.items()}

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Asks the warehouse; tables are named without schema."""
        connection = duckdb.connect()
        try:
            connection.execute(f"ATTACH '{self.warehouse}' AS warehouse (READ_ONLY)")
            connection.execute(f"SET search_path = 'warehouse.{self.dataset}'")
            connection.execute("SET TimeZone = 'UTC'")
            return connection.execute(sql).fetchall()
        finally:
            connection.close()
