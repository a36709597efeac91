"""The path of the warehouse: any name that a file can have, one lock for one file, and no address."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from invoices_assets.errors import WarehouseBusy, WarehouseUnusable
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.warehouses.lock import warehouse_lock
from invoices_assets_tests.support.load_helpers import Loader, invoice


@pytest.mark.parametrize(
    "name",
    [
        "100%.duckdb",
        "a%sb.duckdb",
        "a b#c?d.duckdb",
        'it\'s "quoted".duckdb',
        "a[b]*{c};d.duckdb",
        "50%/x.duckdb",
        "env=prod/x.duckdb",
        "./data:x.duckdb",
    ],
)
def test_a_file_of_any_name_is_loaded_into(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    loader = Loader(tmp_path / name)
    loader.path.parent.mkdir(exist_ok=True)
    loader.load(invoice(n) for n in range(10))
    result = loader.load([*(invoice(n) for n in range(9)), invoice(9, total="a lot"), invoice(10)])
    assert (result.new, result.unchanged, result.deleted, result.rejected) == (1, 9, 0, 1)
    left = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {loader.path, loader.path.with_name(f"{loader.path.name}.lock")}


@pytest.mark.parametrize(
    "path", ["md:invoices", "motherduck:x", "s3://bucket/x", "https://host/x", ":memory:", ":memory:x"]
)
def test_what_names_no_file_is_refused_in_one_sentence(path: str) -> None:
    settings = WarehouseSettings("invoicing", duckdb_path=Path(path))
    with pytest.raises(WarehouseUnusable, match=r"^duckdb_path begins with `.*:`, which names no file on this machine"):
        _ = settings.path


@pytest.mark.parametrize("name", ["n" * 300, "loop/x.duckdb"])
def test_a_name_that_no_file_can_have_is_refused_in_one_sentence(name: str, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    settings = WarehouseSettings("invoicing", duckdb_path=tmp_path / name)
    with pytest.raises(WarehouseUnusable, match=r"^duckdb_path names no file of this machine \([^()]+\)$"):
        _ = settings.path


def test_the_home_of_a_user_that_is_none_is_a_name_like_any_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = WarehouseSettings("invoicing", duckdb_path=Path("~no-such-user/x.duckdb"))
    assert settings.path == tmp_path / "~no-such-user" / "x.duckdb"


def test_a_token_in_an_address_is_not_repeated() -> None:
    settings = WarehouseSettings("invoicing", duckdb_path=Path("md:invoices?motherduck_token=s3cret"))
    with pytest.raises(WarehouseUnusable) as refused:
        _ = settings.path
    assert "s3cret" not in str(refused.value)


def test_a_file_has_one_lock_under_each_of_its_names(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "by_folder").symlink_to(tmp_path / "real")
    (tmp_path / "by_file.duckdb").symlink_to(tmp_path / "real" / "invoices.duckdb")
    names = ("real/invoices.duckdb", "by_folder/invoices.duckdb", "by_file.duckdb")
    paths = [tmp_path / name for name in names]
    assert len({WarehouseSettings("invoicing", duckdb_path=path).path for path in paths}) == 1
    with warehouse_lock(paths[0], limit_seconds=1, log=print):
        for path in paths[1:]:
            with pytest.raises(WarehouseBusy), warehouse_lock(path, limit_seconds=0, log=print):
                pytest.fail("two runs at once")


def test_rows_go_to_the_file_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link.duckdb").symlink_to(tmp_path / "real" / "invoices.duckdb")
    loader = Loader(tmp_path / "link.duckdb")
    loader.load([invoice(1)])
    assert Loader(tmp_path / "real" / "invoices.duckdb").column("SELECT id FROM {d}.invoices") == ["i1"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.duckdb", "real"]
    assert loader.settings.relation("invoices") == "link.invoicing.invoices"


@pytest.mark.parametrize(
    "name",
    [
        "my-data.duckdb",
        "2024.invoices.duckdb",
        "order.duckdb",
        "temp.duckdb",
        'it\'s "quoted".duckdb',
        ".hidden.db",
        "x",
    ],
)
def test_the_name_of_a_table_can_be_queried_whatever_the_file_is_called(name: str, tmp_path: Path) -> None:
    loader = Loader(tmp_path / name)
    loader.load([invoice(1)])
    with duckdb.connect(str(tmp_path / name), read_only=True) as connection:
        assert len(connection.sql(f"FROM {loader.settings.relation('invoices')}").fetchall()) == 1


def test_a_dataset_that_is_a_word_of_sql_is_in_quotes() -> None:
    assert WarehouseSettings("order", destination="postgres").relation("invoices") == '"order".invoices'
