"""`python -m invoices_assets.describe`: holds a source file against the API that it describes, or drafts one.

It reads the settings that a run reads, needs no Dagster home, and writes to no warehouse.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import click

from invoices_assets.describe.check import check_source
from invoices_assets.describe.draft.command import RATE, draft
from invoices_assets.describe.finding import Finding, wrong
from invoices_assets.describe.report import as_json, as_text, is_wrong
from invoices_assets.errors import RefreshError
from invoices_assets.extract.api import Api
from invoices_assets.resources import API_KEY, BASE_URL, InvoicesApi, configured_source, dataset_name


@click.group(help=__doc__)
def describe() -> None:
    """The commands."""


@describe.command()
@click.option("--probe-key", is_flag=True, help="Also ask once with a wrong key. Some APIs ban after several.")
@click.option("--json", "is_json", is_flag=True, help="Print JSON, for machines.")
@click.option("--requests-per-second", type=RATE, help="A budget that no second goes beyond.")
def check(probe_key: bool, is_json: bool, requests_per_second: float | None) -> None:
    """Hold the source file against its API, by at most about 15 requests for each resource.

    Each line is `ok`, `unproven` (the answers seen do not tell) or `wrong`, with the remedy in the YAML's words. The
    exit status is 1 if anything is wrong.
    """
    findings = _findings(probe_key, requests_per_second)
    click.echo(as_json(findings) if is_json else as_text(findings))
    sys.exit(1 if is_wrong(findings) else 0)


def _findings(probe_key: bool, requests_per_second: float | None) -> list[Finding]:
    try:
        with _connected(requests_per_second) as api:
            return check_source(configured_source(), api, probe_key=probe_key)
    except RefreshError as error:
        return [wrong("settings", f"{error}")]
    except click.ClickException as error:
        return [wrong("source file", error.message)]


@contextmanager
def _connected(requests_per_second: float | None) -> Iterator[Api]:
    """The API of the settings, or else the embedded sandbox, as in a run."""
    if not os.environ.get(BASE_URL) and not os.environ.get(API_KEY):
        click.echo(f"{BASE_URL} and {API_KEY} are not set: this is the embedded sandbox.", err=True)
    with InvoicesApi().connect(dataset_name()) as api:
        yield replace(api, requests_per_second=requests_per_second)


describe.add_command(draft)

if __name__ == "__main__":
    describe(prog_name="python -m invoices_assets.describe")
