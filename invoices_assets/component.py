"""The invoices of one API as a Dagster component, which other projects install, scaffold and configure in YAML."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

import click
import dagster as dg
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from invoices_assets.alerts import Alerts
from invoices_assets.assets.all_invoices import KEYS, UnitedApi, build_all_invoices
from invoices_assets.assets.dlt_resource import InvoicesDlt
from invoices_assets.assets.freshness import freshness_policy, is_schedule
from invoices_assets.assets.load_assets import build_assets
from invoices_assets.assets.receivables import build_receivables, has_receivables
from invoices_assets.assets.specs import AssetTraits, api_spec, has_api
from invoices_assets.errors import SourceError
from invoices_assets.jobs import build_jobs, build_schedules
from invoices_assets.names import INVOICING, SANDBOX, Names
from invoices_assets.resources import (
    API_KEY,
    APIS,
    BASE_URL,
    VARIABLE,
    InvoicesApi,
    Warehouse,
    configured_source,
    dataset_name,
    fresh_within,
    is_sandbox,
    shown_address,
)
from invoices_assets.scaffolding import InvoicesScaffolder
from invoices_assets.sensor import build_sensor
from invoices_assets.source.file import Source, read_source, read_yaml, yaml_complaint

_TYPE = "invoices_assets.InvoicesComponent"
_ALL_INVOICES = "invoices_assets.AllInvoicesComponent"
UPKEEP = "0 6 * * 0"
"""When a warehouse is kept in order: each week, after the reconciliation."""
_SCHEMAS = {"main", "public", "information_schema", "pg_catalog"}
"""The first two also have the tables of `all_invoices`."""
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

    # what is given in place of the name of a variable may be the key
    model_config = ConfigDict(hide_input_in_errors=True)

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
        if self.name in _SCHEMAS:
            raise ValueError(f"`name: {self.name}` is a schema that databases have for themselves; choose another")
        if self.name == SANDBOX and self.base_url:
            raise ValueError(f"`name: {SANDBOX}` is that of the embedded API; give this one another name")
        if self.name not in (INVOICING, SANDBOX) and (not self.base_url or self.api_key_env == API_KEY):
            raise ValueError(f"`{self.name}` needs a `base_url` and an `api_key_env` of its own")
        return self

    @field_validator("refresh", "reconcile")
    @classmethod
    def _can_be_followed(cls, schedule: str | None) -> str | None:
        if schedule and not is_schedule(schedule):
            raise ValueError(f"`{schedule}` is no schedule that Dagster can follow, such as 0 * * * *")
        return schedule

    @field_validator("owners")
    @classmethod
    def _are_known_to_dagster(cls, owners: list[str]) -> list[str]:
        for owner in owners:
            try:
                dg.AssetSpec("any", owners=[owner])
            except dg.DagsterInvalidDefinitionError:
                raise ValueError(f"`{owner}` is neither an e-mail address nor team:name") from None
        return owners

    @field_validator("tags")
    @classmethod
    def _have_letters_of_dagster(cls, tags: dict[str, str]) -> dict[str, str]:
        try:
            dg.AssetSpec("any", tags=tags)
        except dg.DagsterInvalidDefinitionError as error:
            raise ValueError(str(error).rstrip(".")) from None
        return tags

    @field_validator("api_key_env")
    @classmethod
    def _names_a_variable(cls, name: str) -> str:
        if not VARIABLE.fullmatch(name):
            raise ValueError("it must be the name of a variable, in capital letters")
        return name

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
        united = context.component_tree.get_all_components(of_type=AllInvoicesComponent)
        return self.definitions(followed=bool(united))

    def definitions(self, *, followed: bool = False) -> dg.Definitions:
        """The same, without a `defs.yaml`.

        Parameters:
            followed: whether `all_invoices` follows each load.

        Raises:
            SourceError: the source file cannot be used.
        """
        source, names = self.described, self.names
        policy = freshness_policy(self.refresh, fresh_within()) if self.refresh else None
        traits = AssetTraits(self.owners, self.tags, policy)
        assets = build_assets(source, names, traits)
        assets += [build_receivables(source, names, traits)] if has_receivables(source) else []
        api = [api_spec(names, source, shown_address(self.base_url), traits)] if has_api(source) else []
        jobs = build_jobs(source, assets, names, KEYS if followed else ())
        alerts = Alerts(names, frozenset(key for each in assets for key in each.keys), jobs, self._api)
        return dg.Definitions(
            assets=[*api, *assets],
            jobs=jobs,
            schedules=build_schedules(jobs, [self.refresh, self.reconcile, UPKEEP]),
            sensors=[
                *([build_sensor(source, names, jobs[0], self._api)] if self.sensor else []),
                *alerts.sensors(),
            ],
            resources={names.api: self._api, names.warehouse: self._warehouse, names.dlt: InvoicesDlt()},
        )

    @cached_property
    def described(self) -> Source:
        """What its source file says.

        Raises:
            SourceError: it cannot be used.
        """
        return read_source(Path(self.source))

    @property
    def names(self) -> Names:
        """The names of its parts."""
        return Names(self.name)

    @property
    def united(self) -> UnitedApi:
        """What takes part in `all_invoices`."""
        return UnitedApi(self.names, self.described.main_resource)

    @property
    def _api(self) -> InvoicesApi:
        return InvoicesApi(
            base_url=self.base_url,
            api_key=dg.EnvVar(self.api_key_env),
            window=self.window,
            requests_per_second=self.requests_per_second,
        )

    @property
    def _warehouse(self) -> Warehouse:
        return Warehouse(destination=self.destination, duckdb_path=self.duckdb_path)


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


def configured_components() -> list[InvoicesComponent]:
    """The APIs that the environment names: those of a folder of YAML files, and the one of two variables.

    Raises:
        ClickException: a file cannot be used; Dagster's command line prints its sentence, and no frames.
    """
    folder = os.environ.get(APIS)
    if not folder:
        return [InvoicesComponent.from_environment()]
    found = components_in(Path(os.path.expanduser(folder)))
    if is_sandbox():
        return found
    if any(component.name == INVOICING for component in found):
        raise click.ClickException(
            f"{folder} has a component with `name: {INVOICING}`, which is the name of the API at {BASE_URL}: give it "
            f"another name, or unset {BASE_URL} and {API_KEY}."
        )
    return [InvoicesComponent.from_environment(), *found]


def components_in(folder: Path) -> list[InvoicesComponent]:
    """The components of a folder and those below it, in the order of the paths of their files.

    Parameters:
        folder: with YAML files as `dg scaffold` writes them. A file with `resources` is a source file, and passed over,
            as is that of `all_invoices`, which several APIs have in any case. Folders that begin with `..` are those
            in which Kubernetes has each file that it mounts once more.

    Raises:
        ClickException: one of them cannot be used, or there is none.
    """
    found: dict[str, Path] = {}
    components = []
    for path in sorted((*folder.rglob("*.yaml"), *folder.rglob("*.yml"))):
        if any(part.startswith("..") for part in path.relative_to(folder).parts):
            continue
        component = _component_of(path)
        if component is not None:
            other = found.setdefault(component.name, path)
            if other != path:
                raise click.ClickException(f"{other} and {path} both have `name: {component.name}`.")
            components.append(component)
    if not components:
        raise click.ClickException(f"{APIS} names {folder}, where no YAML file has `type: {_TYPE}`.")
    return components


def _component_of(path: Path) -> InvoicesComponent | None:
    """The component of a YAML file; None where it is a source file, or the component of `all_invoices`."""
    try:
        content = read_yaml(path)
        if not isinstance(content, dict) or content.get("type") != _TYPE:
            if isinstance(content, dict) and ("resources" in content or content.get("type") == _ALL_INVOICES):
                return None
            raise ValueError(f"it has no `type: {_TYPE}`")
        attributes = yaml.safe_dump(content.get("attributes") or {})
        component: InvoicesComponent = InvoicesComponent.resolve_from_yaml(attributes)
        component = component.beside(path.parent)
        _ = component.described  # read now, so that it is refused now
        return component
    except ValidationError as error:
        first = error.errors()[0]
        # behind the field come the type that was tried, and the place in a text that is not the file
        where = [re.split(r"[. ]", str(each))[0] or "attributes" for each in first["loc"][:1]]
        said = first["msg"].removeprefix("Value error, ")
        raise click.ClickException(
            f"{path} cannot be used: {''.join(f'`{each}`: ' for each in where)}{said}."
        ) from None
    except yaml.YAMLError as error:
        raise click.ClickException(f"{path} cannot be used: {yaml_complaint(error)}") from None
    except (SourceError, ValueError, TypeError, OSError) as error:
        raise click.ClickException(f"{path} cannot be used: {' '.join(str(error).split())}") from None
