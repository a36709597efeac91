"""`python -m invoices_assets.describe draft`: drafts a source file, and holds it against its API."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click
import yaml

from invoices_assets.describe.check import check_source
from invoices_assets.describe.draft.asking import keep_budget
from invoices_assets.describe.draft.draft import draft_source
from invoices_assets.describe.report import as_text, is_wrong
from invoices_assets.errors import RefreshError, SourceError
from invoices_assets.extract.api import Api
from invoices_assets.extract.http.origins import is_address
from invoices_assets.redaction.redactor import Redactor
from invoices_assets.resources import API_KEY, BASE_URL
from invoices_assets.source.auth import read_auth
from invoices_assets.source.file import Source

UNUSABLE = 2
"""The exit status where nothing could be drafted."""


@click.command()
@click.option("--base-url", envvar=BASE_URL, required=True, help="Address of the API, with https://.")
@click.option("--path", help="Of the invoices, such as /v2/bills?status=all. Left out: the usual paths are tried.")
@click.option("--auth", help="Where the key goes, in dlt's format: '{type: api_key, name: X-Key, location: header}'.")
@click.option(
    "--requests-per-second",
    type=click.FloatRange(min=0, min_open=True),
    default=5.0,
    show_default=True,
    help="A budget that no second goes beyond.",
)
def draft(base_url: str, path: str | None, auth: str | None, requests_per_second: float) -> None:
    """Draft a source file from what an API answers, print it, and check it.

    The key is read from the environment, as for a run. The YAML goes to standard output, everything else to standard
    error. The exit status is 1 if the check finds anything wrong, and 2 if nothing could be drafted.
    """
    key = os.environ.get(API_KEY, "")
    redactor = Redactor([key])
    with redactor.installed(), redactor.guard():
        try:
            api = _api(base_url, path, key, redactor, requests_per_second)
            text = draft_source(api, path, _auth(auth), lambda said: click.echo(redactor.text(said), err=True))
            source = Source(Path("draft.yaml"), yaml.safe_load(text))
            source.dlt_source("check")
        except RefreshError as error:
            click.echo(redactor.text(str(error)), err=True)
            sys.exit(UNUSABLE)
        click.echo(text, nl=False)
        keep_budget(api)
        findings = check_source(source, api)
        click.echo(redactor.text(as_text(findings)), err=True)
        sys.exit(1 if is_wrong(findings) else 0)


def _api(base_url: str, path: str | None, key: str, redactor: Redactor, requests_per_second: float) -> Api:
    if not key:
        raise SourceError(f"{API_KEY} is not set: it holds the key of the API, or any word for one that needs none.")
    if not is_address(base_url):
        raise SourceError("--base-url must start with http:// or https:// and name a host.")
    if path is not None and "://" in path:
        raise SourceError("--path begins behind the address that --base-url names, such as /v2/bills.")
    if path is not None and redactor.text(path) != path:
        raise SourceError(f"--path holds the key, which belongs into {API_KEY} only.")
    return Api(base_url, key, redactor, window=1, requests_per_second=requests_per_second)


def _auth(auth: str | None) -> dict[str, Any] | None:
    if auth is None:
        return None
    try:
        return read_auth(yaml.safe_load(auth))
    except (yaml.YAMLError, TypeError, ValueError):
        raise SourceError("--auth is no YAML of dlt's format, such as {type: bearer}.") from None
