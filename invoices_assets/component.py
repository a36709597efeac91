"""The invoices of one API as a Dagster component, which other projects install, scaffold and configure in YAML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import dagster as dg
from pydantic import BaseModel, Field, model_validator

from invoices_assets.all_invoices import KEYS, UnitedApi, build_all_invoices
from invoices_assets.assets import build_assets
from invoices_assets.checks import build_checks
from invoices_assets.dlt_resource import InvoicesDlt
from invoices_assets.jobs import build_jobs, build_schedules
from invoices_assets.names import INVOICING, SANDBOX, Names
from invoices_assets.resources import (
    API_KEY,
    EnvironmentVariable,
    InvoicesApi,
    Warehouse,
    configured_source,
    dataset_name,
    with_defaults,
)
from invoices_assets.scaffolding import InvoicesScaffolder
from invoices_assets.sensor import build_sensor
from invoices_assets.source.file import read_source
from invoices_assets.source.naming import normalized

UPKEEP = "0 6 * * 0"
"""When a warehouse is kept in order: each week, after the reconciliation."""
_NAME = re.compile(r"[a-z](?:_?[a-z0-9])*")


@dg.scaffold_with(InvoicesScaffolder)
class InvoicesComponent(dg.Component, dg.Model, dg.Resolvable):
    """The invoices of one API: its assets, checks, jobs, schedules, sensor and resources, all named after it.

    In a `defs.yaml`, with the source file beside it:

        type: invoices_assets.InvoicesComponent
        attributes:
          name: stripe
          base_url: https://api.stripe.example
          api_key_env: STRIPE_API_KEY
    """

    name: str = Field(description="The dataset, the first part of asset keys, and the prefix of all other names.")
    source: str = Field(default="source.yaml", description="The YAML file that says what to fetch, beside this file.")
    base_url: str = Field(default="", description="The address of the API, with https://.")
    api_key_env: str = Field(default=API_KEY, description="The name of the variable with the key, never the key.")
    destination: Literal["", "duckdb", "postgres", "ducklake", "motherduck"] = Field(
        default="", description="Where rows go. Empty: INVOICES_DESTINATION, or duckdb."
    )
    duckdb_path: str = Field(default="", description="The DuckDB file; several APIs may share one.")
    refresh: str | None = Field(default="0 * * * *", description="When to load what changed (cron). None: no schedule.")
    reconcile: str | None = Field(default="0 3 * * 0", description="When to read everything (cron). None: no schedule.")
    sensor: bool = Field(default=True, description="Whether a sensor asks every minute if something changed.")
    window: int = Field(default=8, ge=1, description="Pages in flight together.")
    requests_per_second: float | None = Field(default=None, gt=0, description="A budget for all pages in flight.")
    owners: list[str] = Field(default=["team:finance-data"], description="E-mail addresses, or team:name.")
    tags: dict[str, str] = Field(default={}, description="Tags of the assets.")

    @model_validator(mode="after")
    def _is_one_api(self) -> InvoicesComponent:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"`name: {self.name}` must be small letters, digits and single _, such as stripe_eu")
        if self.name == SANDBOX and self.base_url:
            raise ValueError(f"`name: {SANDBOX}` is that of the embedded API; give this one another name")
        if self.name not in (INVOICING, SANDBOX) and (not self.base_url or self.api_key_env == API_KEY):
            raise ValueError(f"`{self.name}` needs a `base_url` and an `api_key_env` of its own")
        return self

    @classmethod
    def from_environment(cls) -> InvoicesComponent:
        """The one API that the environment names, or the embedded sandbox."""
        return cls(name=dataset_name(), source=str(configured_source().path.absolute()))

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> InvoicesComponent:
        """The component of a `defs.yaml`, whose source file is beside it."""
        return super().load(attributes, context).beside(context.path)

    def beside(self, folder: Path) -> InvoicesComponent:
        """The same, with the source file in a folder."""
        return self.model_copy(update={"source": str((folder / self.source).absolute())})

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """All that Dagster needs to load this API.

        Raises:
            SourceError: the source file cannot be used.
        """
        return self.definitions(followed=_has_all_invoices(context))

    def definitions(self, *, followed: bool = False) -> dg.Definitions:
        """The same, without a `defs.yaml`.

        Parameters:
            followed: whether `all_invoices` follows each load.

        Raises:
            SourceError: the source file cannot be used.
        """
        source, names = read_source(Path(self.source)), self.names
        assets = build_assets(source, names, owners=self.owners, tags=self.tags)
        jobs = build_jobs(assets, names, KEYS if followed else ())
        return dg.Definitions(
            assets=assets,
            asset_checks=build_checks(source, names),
            jobs=jobs,
            schedules=build_schedules(jobs, [self.refresh, self.reconcile, UPKEEP]),
            sensors=[build_sensor(source, names, jobs[0], self._api())] if self.sensor else [],
            resources={
                names.api: self._api(of_runs=True),
                names.warehouse: self._warehouse,
                names.dlt: InvoicesDlt(),
            },
        )

    @property
    def names(self) -> Names:
        """The names of its parts."""
        return Names(self.name)

    @property
    def united(self) -> UnitedApi:
        """What takes part in `all_invoices`."""
        main = read_source(Path(self.source)).main_resource
        return UnitedApi(self.names, main, normalized(main))

    def _api(self, *, of_runs: bool = False) -> InvoicesApi:
        """What is asked.

        Parameters:
            of_runs: Dagster resolves an `EnvVar` for runs only, so the sensor's has none.
        """
        if not self.base_url:
            return InvoicesApi.from_environment() if of_runs else InvoicesApi()
        return with_defaults(
            InvoicesApi,
            base_url=self.base_url,
            api_key=EnvironmentVariable(env=self.api_key_env),
            window=self.window,
            requests_per_second=self.requests_per_second,
        )

    @property
    def _warehouse(self) -> Warehouse:
        return with_defaults(Warehouse, destination=self.destination, duckdb_path=self.duckdb_path)


class AllInvoicesComponent(dg.Component, dg.Model, dg.Resolvable):
    """The assets `all_invoices` and `receivables`, over all APIs of the project that are an `InvoicesComponent`.

    In a `defs.yaml`:

        type: invoices_assets.AllInvoicesComponent
    """

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Both assets; nothing where the project has no API yet."""
        apis = context.component_tree.get_all_components(of_type=InvoicesComponent)
        return all_invoices_of(apis)


def all_invoices_of(apis: Sequence[InvoicesComponent]) -> dg.Definitions:
    """The assets `all_invoices` and `receivables` over some APIs."""
    return dg.Definitions(assets=[build_all_invoices([api.united for api in apis])] if apis else [])


def _has_all_invoices(context: dg.ComponentLoadContext) -> bool:
    return bool(context.component_tree.get_all_components(of_type=AllInvoicesComponent))
