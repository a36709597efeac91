"""A draft from its first request to its check, for `describe draft` and for `dg scaffold`."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
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
from invoices_assets.redaction.redactor import Redactor
from invoices_assets.resources import refuse_unless_base
from invoices_assets.source.auth import read_auth
from invoices_assets.source.file import Source

BUDGET = 5.0
"""Requests in a second, where nothing else is said."""


class NothingDrafted(click.ClickException):
    """Why no source file could be drafted, in a sentence."""

    exit_code = 2


@dataclass(frozen=True)
class DraftRequest:
    """What is to be drafted from.

    Parameters:
        base_url: address of the API.
        path: of the invoices, also with a query; None for the usual ones.
        variable: the name of the variable with the key.
        requests_per_second: a budget that no second goes beyond.
        auth: where the key goes, in YAML of dlt's format; None to find it out.
    """

    base_url: str
    path: str | None
    variable: str
    requests_per_second: float
    auth: str | None = None


def make_draft(asked: DraftRequest, write: Callable[[str], None]) -> bool:
    """Drafts a source file, hands it on, and holds it against its API; what is found goes to standard error.

    Parameters:
        write: gets the YAML, once a run could read it.

    Returns:
        Whether nothing in the draft is wrong.

    Raises:
        NothingDrafted: there is nothing to draft from; nothing was handed on.
    """
    key = os.environ.get(asked.variable, "")
    redactor = Redactor([key])

    def tell(said: str) -> None:
        click.echo(redactor.text(said), err=True)

    with redactor.installed(), redactor.guard():
        try:
            api = _api(asked, key, redactor)
            text = draft_source(api, asked.path, _auth(asked.auth), tell)
            source = Source(Path("draft.yaml"), yaml.safe_load(text))
            source.dlt_source("check")
        except RefreshError as error:
            raise NothingDrafted(redactor.text(str(error))) from None
        write(text)
        keep_budget(api)
        findings = check_source(source, api)
        tell(as_text(findings))
        return not is_wrong(findings)


def _api(asked: DraftRequest, key: str, redactor: Redactor) -> Api:
    variable, path = asked.variable, asked.path
    if not key:
        raise SourceError(f"{variable} is not set: it holds the key of the API, or any word for one that needs none.")
    refuse_unless_base(asked.base_url, "--base-url")
    if path is not None and "://" in path:
        raise SourceError("--path begins behind the address that --base-url names, such as /v2/bills.")
    if path is not None and redactor.text(path) != path:
        raise SourceError(f"--path holds the key, which belongs into {variable} only.")
    return Api(asked.base_url, key, redactor, window=1, requests_per_second=asked.requests_per_second)


def _auth(auth: str | None) -> dict[str, Any] | None:
    if auth is None:
        return None
    try:
        return read_auth(yaml.safe_load(auth))
    except (yaml.YAMLError, TypeError, ValueError):
        raise SourceError("--auth is no YAML of dlt's format, such as {type: bearer}.") from None
