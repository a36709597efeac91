"""The same loads into PostgreSQL, a real server on a free port, through dlt's own destination."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from invoices_assets.errors import DeletionRefused, TableRefused, WarehouseError, WarehouseUnusable
from invoices_assets.load.diff.continuity import NotContinuous
from invoices_assets.load.inspect import has_live_rows, known_state, open_rejections
from invoices_assets.load.request import Scope, Stretch
from invoices_assets.load.saved_state import cursor_state
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.source.resource import ResourceSpec
from invoices_assets_tests.support.load_helpers import NOW, Loader, invoice
from invoices_assets_tests.support.state import read_state

psycopg2 = pytest.importorskip("psycopg2")
if not shutil.which("initdb") or not shutil.which("pg_ctl"):
    pytest.skip("no PostgreSQL server is installed", allow_module_level=True)


@dataclass
class PostgresLoader(Loader):
    """Loads into one dataset of a PostgreSQL server."""

    dsn: str = ""
    history: bool = False

    @property
    def resource(self) -> ResourceSpec:
        return replace(super().resource, history=self.history)

    @property
    def settings(self) -> WarehouseSettings:
        return WarehouseSettings(self.dataset, destination="postgres", credentials=self.dsn)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        connection = psycopg2.connect(self.dsn)
        try:
            with connection.cursor() as cursor:
                cursor.execute(query.replace("{d}", f'"{self.dataset}"'))
                return list(cursor.fetchall())
        finally:
            connection.close()


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    root = os.geteuid() == 0
    user = "postgres" if root and any(entry.pw_name == "postgres" for entry in pwd.getpwall()) else None
    if user is None and root:
        user = "nobody"  # the server refuses to run as root
    if user:
        shutil.chown(folder, user)

    def run(*command: str) -> None:
        subprocess.run(command, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL)

    data, port = str(folder / "data"), _free_port()
    run("initdb", "-D", data, "-U", "loader", "-A", "trust", "-N", "-E", "UTF8", "--locale=C")
    run(
        "pg_ctl",
        "-D",
        data,
        "-w",
        "-l",
        str(folder / "log"),
        "-o",
        f"-k {folder} -h 127.0.0.1 -p {port} -F",
        "start",
    )
    try:
        yield f"postgresql://loader:any@127.0.0.1:{port}/postgres"
    finally:
        run("pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def loader(server: str, tmp_path: Path) -> PostgresLoader:
    return PostgresLoader(tmp_path / "lock", dataset=f"d{abs(hash(tmp_path)) % 10**8}", dsn=server)


def test_rows_arrive_exactly_and_a_second_load_writes_nothing(loader: PostgresLoader) -> None:
    records = [invoice(n, note="" if n % 2 else None) for n in range(30)]
    first = loader.load(records, state=cursor_state("updated_at", None, "1"))
    assert (first.new, first.table_rows, first.live_rows) == (30, 30, 30)
    assert loader.rows("SELECT id, total, note FROM {d}.invoices WHERE id IN ('i3', 'i4') ORDER BY 1") == [
        ("i3", Decimal("3.100000000"), ""),
        ("i4", Decimal("4.100000000"), None),
    ]
    assert loader.rows("SELECT count(*), sum(amount) FROM {d}.invoices__line_items") == [
        (60, sum(Decimal(n) * 2 + Decimal("0.25") for n in range(30)))
    ]
    second = loader.load(records, state=cursor_state("updated_at", None, "1"))
    assert (second.unchanged, second.load_id) == (30, None)
    assert loader.rows("SELECT count(*) FROM {d}._dlt_loads") == [(1,)]


@pytest.mark.parametrize("scope", [Scope.EVERYTHING_MARK_DELETED, Scope.PART])
def test_changes_replace_rows_and_their_child_rows(loader: PostgresLoader, scope: Scope) -> None:
    first = loader.load(invoice(n, lines=3) for n in range(6))
    changes = [invoice(0, lines=1), invoice(1, lines=3, total=77), invoice(6)]
    others = [invoice(n, lines=3) for n in range(2, 6)] if scope.is_everything else []
    second = loader.load([*changes, *others], scope=scope)
    assert (second.new, second.changed, second.unchanged) == (1, 2, len(others))
    assert loader.rows("SELECT _dlt_load_id, count(*) FROM {d}.invoices GROUP BY 1 ORDER BY 1") == [
        (first.load_id, 4),
        (second.load_id, 3),
    ]
    assert loader.rows("SELECT count(*) FROM {d}.invoices__line_items") == [(1 + 5 * 3 + 2,)]


def test_what_vanishes_is_marked_and_what_returns_is_not(loader: PostgresLoader) -> None:
    loader.load(invoice(n) for n in range(10))
    assert loader.load(invoice(n) for n in range(9)).deleted == 1
    assert loader.rows("SELECT id, deleted_at FROM {d}.invoices WHERE deleted_at IS NOT NULL") == [("i9", NOW)]
    assert loader.load([invoice(9)], scope=Scope.PART).returned == 1
    with pytest.raises(DeletionRefused):
        loader.load([invoice(1)])


def test_the_state_comes_back(loader: PostgresLoader) -> None:
    assert known_state(loader.settings, "invoices").state == {}
    assert not has_live_rows(loader.settings, "invoices")
    state = cursor_state("updated_at", "2020", "2026")
    loader.load([invoice(1)], state=state)
    assert read_state(loader.settings, "invoices") == state
    assert known_state(loader.settings, "invoices").state == state
    assert has_live_rows(loader.settings, "invoices")


def test_rejections_are_kept_and_settled(loader: PostgresLoader) -> None:
    loader.load([invoice(1), invoice(2, total="a lot")])
    assert open_rejections(loader.settings, "invoices").count == 1
    loader.load([invoice(2)], scope=Scope.PART)
    assert open_rejections(loader.settings, "invoices").count == 0


def test_a_new_column_is_added(loader: PostgresLoader) -> None:
    loader.load([invoice(1)])
    loader.load([invoice(2, note="late")], scope=Scope.PART)
    assert loader.rows("SELECT id, note FROM {d}.invoices ORDER BY 1") == [("i1", None), ("i2", "late")]


def test_a_column_that_would_have_to_be_widened_is_refused(loader: PostgresLoader) -> None:
    loader.load([invoice(1, ref=5)])
    with pytest.raises(TableRefused, match=r"invoices\.ref would have to be widened .*only the destination duckdb"):
        loader.load([invoice(2, ref="A-7")], scope=Scope.PART)


def test_history_is_kept(loader: PostgresLoader) -> None:
    loader.history = True
    loader.load([invoice(1), invoice(2)])
    assert loader.load([invoice(1, total=5), invoice(2)]).versions == 1
    query = "SELECT total, valid_to IS NULL FROM {d}.invoices_history WHERE id = 'i1' ORDER BY valid_from"
    assert loader.rows(query) == [(Decimal("1.1"), False), (Decimal(5), True)]


def test_no_staging_dataset_is_left(loader: PostgresLoader) -> None:
    loader.load([invoice(1)])
    query = f"SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE '{loader.dataset}%'"
    assert loader.rows(query) == [(loader.dataset,)]


def test_a_server_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    dsn = f"postgresql://loader:any@127.0.0.1:{_free_port()}/postgres"
    loader = PostgresLoader(tmp_path / "lock", dsn=dsn)
    with pytest.raises(WarehouseUnusable, match="the destination postgres cannot be used"):
        loader.load([invoice(1)])


@pytest.mark.parametrize(
    "dsn",
    [
        "mysql://loader:s3cr3t@127.0.0.1/any",
        "postgresql://loader:x@s3cr3t@127.0.0.1/any",
        "postgresql://loader:s3cr3t@[127.0.0.1/any",
        "postgresql://loader:s3cr3t",
    ],
)
def test_credentials_that_cannot_be_read_are_not_repeated(tmp_path: Path, dsn: str) -> None:
    loader = PostgresLoader(tmp_path / "lock", dsn=dsn)
    with pytest.raises(WarehouseError) as refused:
        loader.load([invoice(1)])
    assert "postgres" in str(refused.value)
    # Dagster shows an error with those that caused it
    assert "s3cr3t" not in "".join(traceback.format_exception(refused.value))


def test_the_overlap_of_a_refresh_has_to_come_back(loader: PostgresLoader) -> None:
    loader.load(invoice(n) for n in range(3))
    stamp = datetime.fromisoformat("2026-02-03T04:05:06Z")
    overlap = Stretch("updated_at", stamp - timedelta(minutes=10), stamp)
    assert loader.load([invoice(2)], scope=Scope.PART, overlap=overlap).unchanged == 1
    with pytest.raises(NotContinuous):
        loader.load([invoice(7)], scope=Scope.PART, overlap=overlap)
    assert loader.rows("SELECT count(*) FROM {d}.invoices") == [(3,)]
    before = Stretch("updated_at", stamp - timedelta(minutes=10), stamp - timedelta(seconds=1))
    assert loader.load([invoice(7)], scope=Scope.PART, overlap=before).new == 1
