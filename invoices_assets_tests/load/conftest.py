"""Warehouses that several machines share, for the tests of whatever kind of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from invoices_assets_tests.support.warehouses import SHARED, SharedLoader, extension_or_skip, postgres_server


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a new PostgreSQL server."""
    with postgres_server() as dsn:
        yield dsn


@pytest.fixture(params=SHARED)
def loader(request: pytest.FixtureRequest, server: str, tmp_path: Path) -> SharedLoader:
    """Loads into a dataset of its own."""
    kind = str(request.param)
    if "lake" in kind:
        extension_or_skip("ducklake")
    if "sqlite" in kind:
        extension_or_skip("sqlite_scanner")
    return SharedLoader(tmp_path / "lake", dataset=f"d{abs(hash(tmp_path)) % 10**8}", kind=kind, dsn=server)
