"""`python -m invoices_assets.describe draft`: drafts a source file, and holds it against its API."""

from __future__ import annotations

import sys

import click

from invoices_assets.describe.draft.making import BUDGET, DraftRequest, make_draft
from invoices_assets.resources import API_KEY, BASE_URL

RATE = click.FloatRange(min=0, min_open=True)
"""A budget of requests per second."""


@click.command()
@click.option("--base-url", envvar=BASE_URL, required=True, help="Address of the API, with https://.")
@click.option("--path", help="Of the invoices, such as /v2/bills?status=all. Left out: the usual paths are tried.")
@click.option("--auth", help="Where the key goes, in dlt's format: '{type: api_key, name: X-Key, location: header}'.")
@click.option(
    "--requests-per-second",
    type=RATE,
    default=BUDGET,
    show_default=True,
    help="A budget that no second goes beyond.",
)
def draft(base_url: str, path: str | None, auth: str | None, requests_per_second: float) -> None:
    """Draft a source file from what an API answers, print it, and check it.

    The key is read from the environment, as for a run. The YAML goes to standard output, everything else to standard
    error. The exit status is 1 if the check finds anything wrong, and 2 if nothing could be drafted.
    """
    asked = DraftRequest(base_url, path, API_KEY, requests_per_second, auth)
    is_right = make_draft(asked, lambda text: click.echo(text, nl=False))
    sys.exit(0 if is_right else 1)
