"""What `dg scaffold defs invoices_assets.InvoicesComponent NAME` writes: a `defs.yaml`, and a source file beside it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click
import dagster as dg
from pydantic import BaseModel, Field

from invoices_assets.source.file import DEFAULT_SOURCE

_EXAMPLE = "https://api.example.com"


class ScaffoldParams(BaseModel):
    """What may be given on the command line; the rest is asked for on a terminal."""

    base_url: str | None = Field(default=None, description="The address of the API, with https://.")
    path: str | None = Field(default=None, description="The path of its invoices.")


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
        if not source.exists():
            text = DEFAULT_SOURCE.read_text(encoding="utf-8")
            source.write_text(re.sub("path: .*", f"path: {path}", text, count=1), encoding="utf-8")
        click.echo(
            f"Set {attributes['api_key_env']}. To have source.yaml drafted from real answers: "
            f"INVOICES_API_KEY=${attributes['api_key_env']} python -m invoices_assets.describe draft "
            f"--base-url {base_url} --path {path} > {source}"
        )


def _name_of(path: Path) -> str:
    name = re.sub("[^a-z0-9]+", "_", path.name.lower()).strip("_")
    return name if name[:1].isalpha() else f"api_{name}"


def _asked(question: str, otherwise: str) -> str:
    """What a person answers on a terminal; the default elsewhere."""
    return click.prompt(question, default=otherwise) if sys.stdin.isatty() else otherwise
