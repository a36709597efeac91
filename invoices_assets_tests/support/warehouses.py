"""Shared warehouses on this machine: a real PostgreSQL server, and lakes whose catalogs lie in it or in a file."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.warehouses.catalogs import catalog_of
from invoices_assets.load.warehouses.connection import open_warehouse
from invoices_assets.load.warehouses.extensions import packaged
from invoices_assets.source.resource import ResourceSpec
from invoices_assets_tests.support.load_helpers import Loader

PASSWORD = "s3cr3t-Passw0rd"
KINDS = ["postgres", "lake in postgres", "lake in duckdb", "lake in sqlite"]
SHARED = KINDS[:2]
"""Those that several machines may load into."""


@dataclass
class SharedLoader(Loader):
    """Loads into one dataset of a warehouse that is no DuckDB file.

    Parameters:
        kind: one of KINDS.
        dsn: of the PostgreSQL server.
        history: whether the main table has one.
    """

    kind: str = "postgres"
    dsn: str = ""
    history: bool = False
    turn_seconds: float = 30

    @property
    def resource(self) -> ResourceSpec:
        return replace(super().resource, history=self.history)

    @property
    def settings(self) -> WarehouseSettings:
        if self.kind == "postgres":
            return WarehouseSettings(
                self.dataset, destination="postgres", credentials=self.dsn, turn_seconds=self.turn_seconds
            )
        catalogs = {
            "lake in postgres": self.dsn,
            "lake in duckdb": f"duckdb:///{self.path}.duckdb",
            "lake in sqlite": f"sqlite:///{self.path}.sqlite",
        }
        lake = {
            "catalog": catalogs[self.kind],
            "storage": f"{self.path}.files",
            "metadata_schema": f"lake_{self.dataset}",
        }
        return WarehouseSettings(self.dataset, destination="ducklake", credentials=lake, turn_seconds=self.turn_seconds)

    @contextlib.contextmanager
    def patient(self, seconds: float) -> Iterator[None]:
        """For the time of a block, wait for other runs no longer than that."""
        before, self.turn_seconds = self.turn_seconds, seconds
        yield
        self.turn_seconds = before

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        catalog = catalog_of(self.settings)
        catalog.sees_all_datasets = True
        with open_warehouse(catalog, read_only=True) as connection:
            return connection.execute(query.replace("{d}", f'warehouse."{self.dataset}"')).fetchall()


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def extension_or_skip(name: str, *, of_module: bool = False) -> None:
    """Skips the calling test, or all of its module, where an extension of DuckDB is not installed."""
    if not packaged(name):
        reason = f"DuckDB's extension {name} is not installed: see constraints-scale.txt"
        pytest.skip(reason, allow_module_level=of_module)


@contextlib.contextmanager
def postgres_server() -> Iterator[str]:
    """A new PostgreSQL server with its own files; yields the address of its superuser.

    The calling test is skipped where no server, or no extension of DuckDB for it, is installed.
    """
    pytest.importorskip("psycopg2")
    extension_or_skip("postgres_scanner")
    if not shutil.which("initdb") or not shutil.which("pg_ctl"):
        pytest.skip("no PostgreSQL server is installed")
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    root = os.geteuid() == 0
    user = "postgres" if root and any(entry.pw_name == "postgres" for entry in pwd.getpwall()) else None
    if user is None and root:
        user = "nobody"  # the server refuses to run as root
    (folder / "password").write_text(PASSWORD)
    if user:
        shutil.chown(folder, user)
        shutil.chown(folder / "password", user)

    def run(*command: str) -> None:
        subprocess.run(command, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL)

    data, port = str(folder / "data"), free_port()
    run(
        *("initdb", "-D", data, "-U", "loader", "-A", "scram-sha-256", "--pwfile", str(folder / "password")),
        *("-N", "-E", "UTF8", "--locale=C"),
    )
    options = f"-k {folder} -h 127.0.0.1 -p {port} -F"
    run("pg_ctl", "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start")
    try:
        yield f"postgresql://loader:{PASSWORD}@127.0.0.1:{port}/postgres"
    finally:
        run("pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def execute(dsn: str, *statements: str) -> list[tuple[Any, ...]]:
    """Run statements as somebody else would, each in a transaction of its own; the rows of the last one."""
    import psycopg2

    session = psycopg2.connect(dsn)
    session.autocommit = True
    try:
        cursor = session.cursor()
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall()) if cursor.description else []
    finally:
        session.close()
