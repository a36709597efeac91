"""What is special about a lake: its catalog, its storage, its version, and whoever else reads its files."""

from __future__ import annotations

import traceback
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from invoices_assets.errors import WarehouseBusy, WarehouseUnusable
from invoices_assets.load.warehouses import extensions
from invoices_assets.load.warehouses.catalogs import catalog_of
from invoices_assets.load.warehouses.connection import open_warehouse
from invoices_assets.load.warehouses.extensions import load_extension
from invoices_assets_tests.support.load_helpers import invoice
from invoices_assets_tests.support.state import read_state
from invoices_assets_tests.support.warehouses import PASSWORD, SharedLoader, execute, extension_or_skip, free_port

extension_or_skip("ducklake", of_module=True)


@pytest.fixture
def loader(tmp_path: Path) -> SharedLoader:
    return SharedLoader(tmp_path / "lake", kind="lake in duckdb")


def refusal(loader: SharedLoader) -> str:
    with pytest.raises(WarehouseUnusable) as refused:
        loader.load([invoice(1), invoice(2)])
    assert PASSWORD not in "".join(traceback.format_exception(refused.value))
    return str(refused.value)


def test_the_rows_are_parquet_files_in_the_storage(loader: SharedLoader) -> None:
    loader.load(invoice(n) for n in range(100))
    files = [str(file) for file in Path(f"{loader.path}.files").rglob("*.parquet") if file.parent.name == "invoices"]
    with duckdb.connect() as reader:
        assert reader.execute("SELECT count(*) FROM read_parquet(?)", [files]).fetchone() == (100,)


def test_a_storage_that_cannot_be_written_is_one_sentence(loader: SharedLoader) -> None:
    Path(f"{loader.path}.files").write_text("a file, where the folder is to be")
    said = refusal(loader)
    assert "the storage of DESTINATION__DUCKLAKE__CREDENTIALS__STORAGE cannot be used" in said
    assert loader.rows("SELECT count(*) FROM duckdb_tables() WHERE database_name = 'warehouse'") == [(0,)]


def test_a_storage_other_than_that_of_the_catalog_is_one_sentence(loader: SharedLoader) -> None:
    loader.load([invoice(1)])
    settings = loader.settings
    lake = {**settings.credentials, "storage": f"{loader.path}.elsewhere"}
    with pytest.raises(WarehouseUnusable, match="the storage of DESTINATION__DUCKLAKE__CREDENTIALS__STORAGE"):
        read_state(replace(settings, credentials=lake), "invoices")


def test_a_lake_of_another_version_is_one_sentence(loader: SharedLoader) -> None:
    loader.load([invoice(1)])
    with duckdb.connect(f"{loader.path}.duckdb") as catalog:
        catalog.execute("UPDATE ducklake_metadata SET value = '0.2' WHERE key = 'version'")
    assert "the lake of DESTINATION__DUCKLAKE__CREDENTIALS__CATALOG is of another version" in refusal(loader)


def test_a_catalog_that_is_not_there_is_one_sentence(loader: SharedLoader) -> None:
    loader.kind, loader.dsn = "lake in postgres", f"postgresql://loader:{PASSWORD}@127.0.0.1:{free_port()}/postgres"
    said = refusal(loader)
    assert "DESTINATION__DUCKLAKE__CREDENTIALS__CATALOG cannot be used" in said
    assert "refused" in said


def test_a_wrong_password_and_a_missing_right_are_one_sentence_each(loader: SharedLoader, server: str) -> None:
    loader.kind, loader.dsn = "lake in postgres", server.replace(PASSWORD, f"{PASSWORD}X")
    assert "password authentication failed" in refusal(loader)
    execute(server, f"CREATE USER reader PASSWORD '{PASSWORD}'")
    loader.dsn = server.replace("loader:", "reader:")
    said = refusal(loader)
    assert "DESTINATION__DUCKLAKE__CREDENTIALS__CATALOG" in said
    assert "permission denied" in said


@pytest.mark.parametrize("rights", ["USAGE ON SCHEMA {s}", "SELECT ON ALL TABLES IN SCHEMA {s}"])
def test_a_catalog_that_the_user_may_not_read_or_write_is_one_sentence(
    loader: SharedLoader, server: str, rights: str
) -> None:
    loader.kind, loader.dsn, loader.dataset = "lake in postgres", server, f"d{abs(hash(loader.path)) % 10**8}"
    loader.load([invoice(1), invoice(2)])
    name, schema = f"reader_{loader.dataset}", f"lake_{loader.dataset}"
    granted = f"GRANT {rights.replace('{s}', schema)} TO {name}"
    execute(server, f"CREATE USER {name} PASSWORD '{PASSWORD}'", f"GRANT USAGE ON SCHEMA {schema} TO {name}", granted)
    loader.dsn = server.replace("loader:", f"{name}:")
    with pytest.raises(WarehouseUnusable, match=r"CATALOG cannot be used \(permission denied for table ducklake_\w+\)"):
        loader.load([invoice(1, note="new"), invoice(2)])


def test_a_catalog_that_another_program_holds_is_waited_for(loader: SharedLoader) -> None:
    loader.load([invoice(1)])
    said: list[str] = []
    with (
        catalog_of(loader.settings).turn(print),
        pytest.raises(WarehouseBusy, match="another run has been loading"),
        catalog_of(replace(loader.settings, turn_seconds=0.3)).turn(said.append),
    ):
        pytest.fail("two runs at once")
    assert "waiting for another run" in said[0]


def test_an_extension_that_is_not_installed_is_named(loader: SharedLoader) -> None:
    with duckdb.connect() as connection, pytest.raises(WarehouseUnusable, match=r"needs DuckDB's extension nothing"):
        load_extension(connection, "nothing", "ducklake")


def test_signatures_of_extensions_are_checked_in_the_first_connection_of_a_process_alone(
    loader: SharedLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extensions, "_checked", set())
    skips = []
    for _ in range(2):
        with open_warehouse(catalog_of(loader.settings)) as connection:
            skips += connection.execute("SELECT current_setting('allow_unsigned_extensions')").fetchall()
    assert skips == [(False,), (True,)]


def test_an_extension_with_another_content_than_was_signed_is_refused(
    loader: SharedLoader, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    original = extensions.packaged("ducklake")
    assert original is not None
    altered = tmp_path / original.name
    altered.write_bytes(bytes([original.read_bytes()[0] ^ 1]) + original.read_bytes()[1:])
    monkeypatch.setattr(extensions, "packaged", lambda _: altered)
    assert "needs DuckDB's extension ducklake" in refusal(loader)
