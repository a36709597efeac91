"""Servers beside the one that is asked: another one, and one with a certificate."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from invoices_assets_tests.support.http_helpers import (
    self_signed,
)
from invoices_assets_tests.vendor.fake_api import FakeApi


@pytest.fixture
def other_api() -> Iterator[FakeApi]:
    with FakeApi() as server:
        yield server


@pytest.fixture
def tls_api(tmp_path: Path) -> Iterator[tuple[FakeApi, Path]]:
    """A server with a certificate that nobody knows, and that certificate."""
    certificate, context = self_signed(tmp_path)
    with FakeApi(context) as server:
        yield server, certificate


@pytest.fixture
def trusted_api(tls_api: tuple[FakeApi, Path], monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """The same, whose certificate is in the bundle that the environment names."""
    api, certificate = tls_api
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    return api
