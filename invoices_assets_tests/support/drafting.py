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


def draft_text(url: str, path: str | None = None, key: str = SANDBOX_KEY, auth: dict[str, Any] | None = None) -> str:
    """The YAML that is drafted for an API."""
    return draft_source(Api(url, key, Redactor([key]), window=1), path, auth, lambda _: None)


def drafted(server: Vendor, key: str | None = None, path: str | None = None) -> dict[str, Any]:
    """The content of the draft for a fake vendor."""
    content = yaml.safe_load(draft_text(server.url, path or server.contract.path, key or server.key))
    assert isinstance(content, dict)
    return content


def endpoint_of(content: dict[str, Any]) -> dict[str, Any]:
    """The endpoint of the one resource of a draft."""
    endpoint: dict[str, Any] = content["resources"][0]["endpoint"]
    return endpoint


def loaded_ids(server: Vendor, content: dict[str, Any], folder: Path, key: str | None = None) -> list[str]:
    """The ids that a run by a draft has stored, in the order of the book."""
    loader = Loader(folder, server.url, content, key=key or server.key)
    loader.refresh()
    stored = {str(row[0]) for row in loader.query("SELECT id FROM invoices")}
    return sorted(stored)
