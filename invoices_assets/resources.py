"""Dagster resources: they hold the settings and the secret, and hand them out for the time of a run."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
import dagster as dg
from pydantic import Field, create_model

from invoices_assets.errors import SourceError
from invoices_assets.extract.api import Api
from invoices_assets.extract.http.limits import AnswerLimits
from invoices_assets.extract.http.origins import is_address
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

SANDBOX_PATH = Path("data/sandbox.duckdb")
DEFAULT_PATH = Path("data/invoices.duckdb")
_Resource = TypeVar("_Resource", bound=dg.ConfigurableResource)
_VARIABLE = re.compile("[A-Z_][A-Z0-9_]*")


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
        return read_source(Path(os.environ.get(SOURCE) or DEFAULT_SOURCE))
    except SourceError as error:
        raise click.ClickException(str(error)) from None


def accepting_deletions(names: Names) -> str:
    """How to mark what the API no longer has as deleted, however much that is; the config is JSON."""
    config = json.dumps({"ops": {names.main_step: {"config": {"max_deleted_share": 1.0}}}})
    if names.dataset not in (INVOICING, SANDBOX):
        return f"launch `{names.reconcile}` with the config `{config}`"
    return (
        f"run `echo '{config}' | dagster job execute -m invoices_assets.definitions -j {names.reconcile} -c /dev/stdin`"
    )


class EnvironmentVariable(dg.Config):
    """Names a variable of the environment, whose value is read when it is needed and never kept.

    In run config that is what Dagster writes for an `EnvVar`; a value in its place is refused before the run is made:

        resources: {api: {config: {api_key: {env: INVOICES_API_KEY}}}}
    """

    env: str = Field(description="The name of the variable, never its value.")

    def read(self) -> str:
        """The value; empty where the variable is not set.

        Raises:
            SourceError: this is no name of a variable. It is not repeated, for it may be the secret itself.
        """
        if not _VARIABLE.fullmatch(self.env):
            raise SourceError("`env` of `api_key` must be the name of an environment variable, in capital letters.")
        return os.environ.get(self.env, "")


class InvoicesApi(dg.ConfigurableResource):
    """The invoicing API: base URL, key, and how hard it may be asked. Without a base URL: the sandbox.

    The key cannot be given, only where it is: Dagster stores what is given, in plain text. For example
    `InvoicesApi(base_url="https://api.vendor.example", api_key=dg.EnvVar("VENDOR_KEY"))`.
    """

    base_url: str = Field(default="", description="With scheme. Empty: the embedded sandbox is the source.")
    api_key: EnvironmentVariable = Field(
        default=EnvironmentVariable(env=API_KEY), description="Where the secret is; it is read when a run begins."
    )
    window: int = Field(
        default=8,
        ge=1,
        description="Pages in flight together (offset and page-number paging). 1: one by one.",
    )
    requests_per_second: float | None = Field(
        default=None, gt=0, description="A budget that all pages in flight share. None: no limit."
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

    @classmethod
    def from_environment(cls) -> InvoicesApi:
        """The API that the environment names."""
        return cls() if is_sandbox() else cls(base_url=dg.EnvVar(BASE_URL))

    @contextmanager
    def connect(self, dataset: str) -> Iterator[Api]:
        """Opens the way to the API, with redaction installed; starts the sandbox where that is the source.

        What is left empty is read from the environment: run config that sets one field empties the others.

        Parameters:
            dataset: where the rows will go, as it was decided when the code location was loaded.

        Raises:
            SourceError: exactly one of base URL and key is set; the message names the missing one. Or the
                API is not that of the dataset: the base URL came or went since the code location was loaded.
        """
        base_url = self.base_url or os.environ.get(BASE_URL)
        secret, variable = self.api_key.read(), self.api_key.env
        if dataset not in (INVOICING, SANDBOX) and not secret:
            raise SourceError(f"{variable} is not set: it must hold the key of `{dataset}`.")
        if base_url and not secret:
            raise SourceError(f"{variable} is not set, but {BASE_URL} is: set both, or neither for the sandbox.")
        if secret and not base_url:
            raise SourceError(f"{BASE_URL} is not set, but {variable} is: set both, or neither for the sandbox.")
        if base_url and not is_address(base_url):
            raise SourceError(f"{BASE_URL} must start with http:// or https:// and name a host.")
        if bool(base_url) == (dataset == SANDBOX):
            raise SourceError(
                f"There is {'a' if base_url else 'no'} base URL, but this code location was loaded for the "
                f"dataset `{dataset}`: set {BASE_URL} as it was then, or reload the code location."
            )
        if base_url and secret:
            with self._connection(base_url, secret) as connection:
                yield connection
        else:
            from invoices_assets.sandbox import SANDBOX_KEY, serve

            with serve() as sandbox, self._connection(sandbox.url, SANDBOX_KEY, has_fixed_address=False) as connection:
                yield connection

    @contextmanager
    def _connection(self, base_url: str, secret: str, *, has_fixed_address: bool = True) -> Iterator[Api]:
        redactor = Redactor([secret])
        with redactor.installed(), redactor.guard():
            limits = AnswerLimits(seconds=self.answer_seconds, megabytes=self.answer_megabytes)
            yield Api(
                base_url,
                secret,
                redactor,
                self.window,
                self.requests_per_second,
                limits,
                has_fixed_address=has_fixed_address,
            )


def with_defaults(kind: type[_Resource], **values: Any) -> _Resource:
    """A resource whose fields keep these values where run config sets others.

    Run config takes the place of all that an instance was made with, so that a run that sets one field of it would
    look for the rest in the environment, where another API may be.
    """
    fields = kind.model_fields
    own: Any = {
        name: (fields[name].annotation, Field(default=value, description=fields[name].description))
        for name, value in values.items()
    }
    return create_model(kind.__name__, __base__=kind, __doc__=kind.__doc__, **own)()


class Warehouse(dg.ConfigurableResource):
    """Where the rows go. What is left empty is read from the environment when a run needs it."""

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
