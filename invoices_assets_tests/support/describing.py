"""Checks a source description against an API, as `describe check` does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from invoices_assets.describe.check import check_source
from invoices_assets.describe.finding import Finding, Verdict
from invoices_assets.extract.api import Api
from invoices_assets.redaction.redactor import Redactor
from invoices_assets.source.file import DEFAULT_SOURCE, Source
from invoices_assets_tests.support.sweep_helpers import config
from invoices_assets_tests.vendor import SANDBOX_KEY, Vendor

Found = list[Finding]


def checked(url: str, content: dict[str, Any] | None = None, key: str = SANDBOX_KEY, **options: Any) -> Found:
    """The findings on whatever answers at an address."""
    return check_source(Source(DEFAULT_SOURCE, content or config()), Api(url, key, Redactor([key])), **options)


def checked_at(server: Vendor, content: dict[str, Any] | None = None, **options: Any) -> Found:
    """The findings on the vendor, with its own key."""
    return checked(server.url, content, server.key, **options)


def verdict_on(found: Iterable[Finding], subject: str) -> Verdict:
    """The worst verdict on a subject."""
    verdicts = {finding.verdict for finding in found if finding.subject == subject}
    return next(verdict for verdict in (Verdict.WRONG, Verdict.UNPROVEN, Verdict.OK) if verdict in verdicts)


def told(found: Iterable[Finding], subject: str, verdict: Verdict = Verdict.WRONG) -> str:
    """The sentences and remedies of one subject with one verdict."""
    matching = [finding for finding in found if finding.subject == subject and finding.verdict is verdict]
    assert matching, [f"{finding.verdict} {finding.subject}: {finding.sentence}" for finding in found]
    return " ".join(f"{finding.sentence} {finding.remedy}" for finding in matching)
