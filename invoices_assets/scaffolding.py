"""What `dg scaffold defs invoices_assets.InvoicesComponent NAME` writes: a `defs.yaml`, and a source file beside it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click
import dagster as dg
from pydantic import BaseModel, Field

from invoices_assets.describe.draft.making import BUDGET, DraftRequest, make_draft
from invoices_assets.source.file import DEFAULT_SOURCE

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
        """Writes `defs.yaml` and `source.yaml`; a source file that is there already stays.

        Raises:
            ClickException: a draft is asked for and cannot be made, or would take the place of a file; nothing is
                written.
        """
        name = _name_of(request.target_path)
        base_url = request.params.base_url or _asked("The address of the API", _EXAMPLE)
        path = request.params.path or _asked("The path of its invoices", "/v1/invoices")
        variable = f"{name.upper()}_API_KEY"
        source = request.target_path / "source.yaml"

        def write(text: str | None) -> None:
            dg.scaffold_component(request, {"name": name, "base_url": base_url, "api_key_env": variable})
            if text is not None:
                source.write_text(text, encoding="utf-8")

        if not request.params.draft:
            write(None if source.exists() else _default(path))
        elif source.exists():
            raise click.ClickException(f"{source} is there already, and --draft would replace it: move it away first.")
        else:
            make_draft(DraftRequest(base_url, path, variable, BUDGET), write)
        click.echo(f"The key belongs into {variable}; {source} says what to fetch.")


def _default(path: str) -> str:
    """The default source file with another path; its first lines are about another place of address and key."""
    text = "".join(DEFAULT_SOURCE.read_text(encoding="utf-8").partition("client:")[1:])
    return re.sub("path: .*", f"path: {path}", text, count=1)


def _name_of(path: Path) -> str:
    name = re.sub("[^a-z0-9]+", "_", path.name.lower()).strip("_")
    return name if name[:1].isalpha() else f"api_{name}"


def _asked(question: str, otherwise: str) -> str:
    """What a person answers on a terminal; the default elsewhere."""
    return click.prompt(question, default=otherwise) if sys.stdin.isatty() else otherwise
