"""What `dg scaffold defs invoices_assets.InvoicesComponent NAME` writes: a `defs.yaml`, and a source file beside it."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import click
import dagster as dg
from pydantic import BaseModel, Field

from invoices_assets.describe.draft.draft import draft_source
from invoices_assets.errors import RefreshError, SourceError
from invoices_assets.extract.api import Api
from invoices_assets.redaction.redactor import Redactor
from invoices_assets.source.file import DEFAULT_SOURCE

_BUDGET = 5.0
"""Requests in a second while a source file is drafted."""
_EXAMPLE = "https://api.example.com"


class ScaffoldParams(BaseModel):
    """What may be given on the command line; the rest is asked for on a terminal."""

    base_url: str | None = Field(default=None, description="The address of the API, with https://.")
    path: str | None = Field(default=None, description="The path of its invoices.")
    draft: bool = Field(default=False, description="Draft source.yaml from real answers; NAME_API_KEY holds the key.")


class InvoicesScaffolder(dg.Scaffolder[ScaffoldParams]):
    """Writes a component that is ready for its key, which `NAME_API_KEY` of the environment holds."""

    @classmethod
    def get_scaffold_params(cls) -> type[ScaffoldParams]:
        return ScaffoldParams

    def scaffold(self, request: dg.ScaffoldRequest[ScaffoldParams]) -> None:
        """Writes `defs.yaml` and `source.yaml`; a source file that is there already stays."""
        name = _name_of(request.target_path)
        base_url = request.params.base_url or _asked("The address of the API", _EXAMPLE)
        path = request.params.path or _asked("The path of its invoices", "/v1/invoices")
        attributes = {"name": name, "base_url": base_url, "api_key_env": f"{name.upper()}_API_KEY"}
        dg.scaffold_component(request, attributes)
        source = request.target_path / "source.yaml"
        if request.params.draft:
            source.write_text(_drafted(base_url, path, attributes["api_key_env"]), encoding="utf-8")
        elif not source.exists():
            source.write_text(_default(path), encoding="utf-8")
        click.echo(f"The key belongs into {attributes['api_key_env']}; {source} says what to fetch.")


def _default(path: str) -> str:
    """The default source file with another path; its first lines are about another place of address and key."""
    text = "".join(DEFAULT_SOURCE.read_text(encoding="utf-8").partition("client:")[1:])
    return re.sub("path: .*", f"path: {path}", text, count=1)


def _drafted(base_url: str, path: str, variable: str) -> str:
    """What `describe draft` says of the API.

    Raises:
        ClickException: nothing can be drafted.
    """
    redactor = Redactor([key := os.environ.get(variable, "")])
    with redactor.installed(), redactor.guard():
        try:
            if not key:
                raise SourceError(f"{variable} is not set, and a draft is made of what the API answers to the key.")
            api = Api(base_url, key, redactor, window=1, requests_per_second=_BUDGET)
            return draft_source(api, path, None, lambda said: click.echo(redactor.text(said)))
        except RefreshError as error:
            raise click.ClickException(redactor.text(str(error))) from None


def _name_of(path: Path) -> str:
    name = re.sub("[^a-z0-9]+", "_", path.name.lower()).strip("_")
    return name if name[:1].isalpha() else f"api_{name}"


def _asked(question: str, otherwise: str) -> str:
    """What a person answers on a terminal; the default elsewhere."""
    return click.prompt(question, default=otherwise) if sys.stdin.isatty() else otherwise
