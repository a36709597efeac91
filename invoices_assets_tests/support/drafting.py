"""Drafts a source file for a server that a test started, and reads by it."""

from __future__ import annotations

from typing import Any

import yaml

from invoices_assets.describe.draft.draft import draft_source
from invoices_assets.extract.api import Api
from invoices_assets.normalize.converter import Converter
from invoices_assets.redaction.redactor import Redactor
from invoices_assets_tests.support.sweep_helpers import spec_of, swept
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


def ids_by(url: str, content: dict[str, Any], key: str = SANDBOX_KEY) -> list[str]:
    """The ids that a sweep by a draft ends with, sorted; each record can be stored as the draft declares it."""
    _, found = swept(url, content, key=key, window=8)
    assert Converter(spec_of(content, key)).convert(found.records).rejected == []
    return sorted(map(str, found.ids))
