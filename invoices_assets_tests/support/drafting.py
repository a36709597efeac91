"""Drafts a source file for a server that a test started, and loads by it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from invoices_assets.describe.draft.draft import draft_source
from invoices_assets.extract.api import Api
from invoices_assets.redaction.redactor import Redactor
from invoices_assets_tests.support.loader import Loader
from invoices_assets_tests.vendor import SANDBOX_KEY, Vendor


def draft_text(url: str, path: str | None = None, key: str = SANDBOX_KEY) -> str:
    """The YAML that is drafted for an API."""
    return draft_source(Api(url, key, Redactor([key]), window=1), path, None, lambda _: None)


def draft_of(url: str, path: str | None = None, key: str = SANDBOX_KEY) -> dict[str, Any]:
    """The content of the draft for an API."""
    content = yaml.safe_load(draft_text(url, path, key))
    assert isinstance(content, dict)
    return content


def drafted(server: Vendor) -> dict[str, Any]:
    """The content of the draft for a fake vendor."""
    return draft_of(server.url, server.contract.path, server.key)


def endpoint_of(content: dict[str, Any]) -> dict[str, Any]:
    """The endpoint of the one resource of a draft."""
    endpoint: dict[str, Any] = content["resources"][0]["endpoint"]
    return endpoint


def loaded_ids(server: Vendor, content: dict[str, Any], folder: Path) -> list[str]:
    """The ids that a run by a draft has stored, sorted."""
    loader = Loader(folder, server.url, content, key=server.key)
    loader.refresh()
    return sorted(str(row[0]) for row in loader.query("SELECT id FROM invoices"))
