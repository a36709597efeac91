"""Dagster resources: they hold the settings and the secret, and hand them out for the time of a run."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import click
import dagster as dg
from pydantic import Field

from invoices_assets.errors import SourceError
from invoices_assets.extract.api import Api
from invoices_assets.extract.http.limits import AnswerLimits
from invoices_assets.extract.http.origins import is_address, is_base, origin_of
from invoices_assets.load.settings import Hints, WarehouseSettings
from invoices_assets.load.warehouses.catalogs import catalog_of
from invoices_assets.load.working_folder import working_folder
from invoices_assets.names import INVOICING, SANDBOX, Names
from invoices_assets.redaction.redactor import Redactor
from invoices_assets.redaction.values import is_ordinary
from invoices_assets.source.file import DEFAULT_SOURCE, Source, read_source

BASE_URL = "INVOICES_API_BASE_URL"
API_KEY = "INVOICES_API_KEY"
SOURCE = "INVOICES_SOURCE"
DESTINATION = "INVOICES_DESTINATION"
DUCKDB_PATH = "INVOICES_DUCKDB_PATH"
WORK_DIR = "INVOICES_WORK_DIR"
APIS = "INVOICES_APIS"
ALERT_WEBHOOK = "INVOICES_ALERT_WEBHOOK"
"""The address that alerts are posted to; it is a secret."""
FRESH_WITHIN = "INVOICES_FRESH_WITHIN"

SANDBOX_PATH = Path("data/sandbox.duckdb")
DEFAULT_PATH = Path("data/invoices.duckdb")
VARIABLE = re.compile("[A-Z_][A-Z0-9_]*")


def is_sandbox() -> bool:
    """Whether the embedded sandbox is the source: so it is where no base URL is set."""
    return not os.environ.get(BASE_URL)


def dataset_name() -> str:
    """The dataset, which is also the first part of the asset keys."""
    return SANDBOX if is_sandbox() else INVOICING


def configured_source() -> Source:
    """The source file that INVOICES_SOURCE names, or the default one.

    Raises:
        ClickException: it cannot be used; Dagster's command line prints its sentence, and no frames.
    """
    try:
        return read_source(Path(os.path.expanduser(os.environ.get(SOURCE) or DEFAULT_SOURCE)))
    except SourceError as error:
        raise click.ClickException(str(error)) from None


def shown_address(base_url: str = "") -> str:
    """The address of an API as it may be shown: scheme, host and port, for a key may stand in the rest.

    Parameters:
        base_url: of the API; empty for the one that the environment names.
    """
    address = base_url or os.environ.get(BASE_URL)
    return origin_of(address) if address and is_address(address) else "the embedded sandbox"


def refuse_unless_base(address: str, name: str) -> None:
    """Raises unless an address is one of an API, behind which the paths of the source file are written.

    Parameters:
        name: of its setting.

    Raises:
        SourceError: it is not; it is not repeated, for a key may stand in it.
    """
    if not is_address(address):
        raise SourceError(f"{name} must start with http:// or https:// and name a host.")
    if not is_base(address):
        raise SourceError(
            f"{name} must have no user name, `?` or `#`: parameters belong into `params` of the source file, user and "
            "password into the key, with the auth `http_basic`."
        )


def fresh_within() -> timedelta:
    """How long after a tick of its schedule an asset is to be there.

    Raises:
        ClickException: INVOICES_FRESH_WITHIN is no number of hours.
    """
    hours = os.environ.get(FRESH_WITHIN) or "3"
    try:
        within = timedelta(hours=float(hours))
    except (ValueError, OverflowError):
        within = timedelta()
    if within < timedelta(minutes=1):
        raise click.ClickException(f"{FRESH_WITHIN} must be a number of hours, such as 3 or 0.5; it is {hours!r}.")
    return within


def accepting_deletions(names: Names) -> str:
    """How to mark what the API no longer has as deleted, however much that is; the config is JSON."""
    config = json.dumps({"ops": {names.main_step: {"config": {"max_deleted_share": 1.0}}}})
    if names.dataset not in (INVOICING, SANDBOX):
        return f"launch `{names.reconcile}` with the config `{config}`"
    return (
        f"run `echo '{config}' | dagster job execute -m invoices_assets.definitions -j {names.reconcile} -c /dev/stdin`"
    )


class EnvironmentVariable(dg.Config):
    """Names a variable of the environment, whose value is read when it is needed and never kept."""

    env: str = Field(description="The name of the variable, never its value.")

    def read(self) -> str:
        """The value; empty where the variable is not set.

        Raises:
            SourceError: this is no name of a variable. It is not repeated, for it may be the secret itself.
        """
        if not VARIABLE.fullmatch(self.env):
            raise SourceError("`api_key` must name a variable of the environment, in capital letters.")
        return os.environ.get(self.env, "")


class _SetInPart(dg.ConfigurableResource):
    """A resource of which run config may set some fields only; all others are as the definition has them.

    Dagster's own would show every field in the launchpad, and a run that sets one would lose the others.
    """

    of_runs: ClassVar[tuple[str, ...]]
    """The fields that a run may set."""

    def get_resource_definition(self) -> Any:
        """What Dagster makes runs of; the same each time, for Dagster compares by identity."""
        return self._definition

    @cached_property
    def _definition(self) -> Any:
        whole = super().get_resource_definition()
        values = whole.config_schema.default_value
        fields = {
            name: dg.Field(field.config_type, default_value=values[name], description=field.description)
            for name, field in self.to_fields_dict().items()
            if name in self.of_runs
        }
        part = whole.configured(lambda given: {**values, **given}, config_schema=fields)
        # of the kind that Dagster's pages show with the name of its class
        return type(whole)(type(self), whole.resource_fn, part.config_schema, whole.description, {}, {})


class InvoicesApi(_SetInPart):
    """The invoicing API: base URL, key, and how hard it may be asked. What is left out is read from the environment.

    The key cannot be given, only where it is: Dagster stores what is given, in plain text. For example
    `InvoicesApi(base_url="https://api.vendor.example", api_key=dg.EnvVar("VENDOR_KEY"))`.
    """

    of_runs = ("window", "requests_per_second", "answer_seconds", "answer_megabytes")
    base_url: str = Field(default="", description=f"With scheme. Empty: {BASE_URL}, or the sandbox.")
    api_key: EnvironmentVariable = Field(
        default=EnvironmentVariable(env=API_KEY), description="Where the secret is; it is read when a run begins."
    )
    window: int = Field(
        default=8,
        ge=1,
        description="Pages in flight together (offset and page-number paging). 1: one by one.",
    )
    requests_per_second: float | None = Field(
        default=None, gt=0, description="A budget that all pages in flight share. Left out: no limit."
    )
    answer_seconds: float = Field(default=120.0, gt=0, description="How long one answer may take as a whole.")
    answer_megabytes: float = Field(default=512.0, gt=0, description="How large one answer may be, also unpacked.")

    def __init__(self, **fields: Any) -> None:
        given = fields.get("api_key")
        if isinstance(given, dg.EnvVar):
            fields["api_key"] = EnvironmentVariable(env=given.env_var_name)
        elif isinstance(given, str):
            raise dg.DagsterInvalidDefinitionError(
                '`api_key` is not the key but says where it is, as `EnvVar("NAME")`; '
                f"without it the key is read from {API_KEY}."
            )
        super().__init__(**fields)

    @contextmanager
    def connect(self, dataset: str) -> Iterator[Api]:
        """Opens the way to the API, with redaction installed; starts the sandbox where that is the source.

        Parameters:
            dataset: where the rows will go, as it was decided when the code location was loaded.

        Raises:
            SourceError: exactly one of base URL and key is set; the message names the missing one. Or the
                API is not that of the dataset: the base URL came or went since the code location was loaded.
        """
        base_url, secret = self._access(dataset)
        limits = AnswerLimits(seconds=self.answer_seconds, megabytes=self.answer_megabytes)
        with nullcontext((base_url, secret)) if base_url else _sandbox() as (url, key):
            redactor = Redactor([key])
            with redactor.installed(), redactor.guard():
                yield Api(url, key, redactor, self.window, self.requests_per_second, limits, bool(base_url))

    def _access(self, dataset: str) -> tuple[str, str]:
        """Base URL and key; both empty for the sandbox."""
        is_named = dataset not in (INVOICING, SANDBOX)
        # the address in the environment is that of another API, which must not get the key of this one
        base_url = self.base_url or ("" if is_named else os.environ.get(BASE_URL, ""))
        secret, variable = self.api_key.read(), self.api_key.env
        if is_named and not base_url:
            raise SourceError(f"`{dataset}` has no address: its `InvoicesApi` must have a `base_url`.")
        if is_named and not secret:
            raise SourceError(f"{variable} is not set: it must hold the key of `{dataset}`.")
        if base_url and not secret:
            raise SourceError(f"{variable} is not set, but {BASE_URL} is: set both, or neither for the sandbox.")
        if secret and not base_url:
            raise SourceError(f"{BASE_URL} is not set, but {variable} is: set both, or neither for the sandbox.")
        if base_url:
            refuse_unless_base(base_url, f"The `base_url` of `{dataset}`" if is_named else BASE_URL)
        if bool(base_url) == (dataset == SANDBOX):
            raise SourceError(
                f"There is {'a' if base_url else 'no'} base URL, but this code location was loaded for the "
                f"dataset `{dataset}`: set {BASE_URL} as it was then, or reload the code location."
            )
        return base_url, secret


@contextmanager
def _sandbox() -> Iterator[tuple[str, str]]:
    from invoices_assets.sandbox import SANDBOX_KEY, serve

    with serve() as sandbox:
        yield sandbox.url, SANDBOX_KEY


class Warehouse(_SetInPart):
    """Where the rows go. What is left empty is read from the environment when a run needs it."""

    of_runs = ("lock_limit_seconds", "memory_limit")
    destination: str = Field(
        default="", description=f"duckdb, postgres, ducklake or motherduck. Empty: {DESTINATION}, or duckdb."
    )
    duckdb_path: str = Field(default="", description=f"The DuckDB file. Empty: {DUCKDB_PATH}, or {DEFAULT_PATH}.")
    lock_limit_seconds: float = Field(
        default=3600.0, gt=0, description="How long to wait for another run that loads into the same file."
    )
    memory_limit: str = Field(default="256MB", description="What DuckDB may use, in its own notation.")

    def settings(self, dataset: str) -> WarehouseSettings:
        """The settings of a load into a dataset; rows of the sandbox go to a file of their own."""
        names = Names(dataset)
        hints = Hints(DUCKDB_PATH, names.reconcile, accepting_deletions(names), WORK_DIR)
        limits: Any = {"memory_limit": self.memory_limit, "turn_seconds": self.lock_limit_seconds, "hints": hints}
        if dataset == SANDBOX:
            return WarehouseSettings(dataset, duckdb_path=SANDBOX_PATH, **limits)
        return WarehouseSettings(
            dataset,
            destination=self.destination or os.environ.get(DESTINATION) or "duckdb",
            duckdb_path=Path(self.duckdb_path or os.environ.get(DUCKDB_PATH) or DEFAULT_PATH),
            **limits,
        )

    @contextmanager
    def run(self, dataset: str, redactor: Redactor) -> Iterator[tuple[WarehouseSettings, Path]]:
        """The settings to load with, and a working folder for the time of a run.

        Parameters:
            dataset: where the rows will go.
            redactor: of the run; learns the passwords of the warehouse.

        Raises:
            WarehouseError: the warehouse is none to load into, or the folder cannot be made.
        """
        settings = self.settings(dataset)
        # a password that is a word could stand anywhere by chance; the warehouse's own sentences lack it, too
        redactor.add(*(secret for secret in catalog_of(settings).secrets if not is_ordinary(secret)))
        place = os.environ.get(WORK_DIR)
        with working_folder(Path(place) if place else None, setting=WORK_DIR) as folder:
            yield settings, folder
