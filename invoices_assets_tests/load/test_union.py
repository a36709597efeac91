"""`all_invoices` in every kind of shared warehouse."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from invoices_assets.errors import WarehouseUnusable
from invoices_assets.load.union import Member, unite
from invoices_assets.load.warehouses.catalog import Catalog
from invoices_assets.load.warehouses.catalogs import catalog_of
from invoices_assets.load.warehouses.connection import open_warehouse
from invoices_assets_tests.support.load_helpers import invoice
from invoices_assets_tests.support.warehouses import KINDS, PASSWORD, SharedLoader, execute


@pytest.mark.parametrize("loader", KINDS, indirect=True)
def test_it_is_made_and_made_anew(loader: SharedLoader, tmp_path: Path) -> None:
    schema = "public" if loader.kind == "postgres" else "main"
    settings, members = replace(loader.settings, dataset=schema), [Member(loader.dataset, "invoices")]
    loader.load(invoice(n) for n in range(3))
    unite(settings, members, tmp_path)
    loader.load(invoice(n) for n in range(5))
    done = unite(settings, members, tmp_path)
    assert done.rows["all_invoices"] == 5
    rows = loader.rows(f'SELECT source, count(*), sum(total) FROM warehouse."{schema}".all_invoices GROUP BY source')
    assert rows == [(loader.dataset, 5, sum(Decimal(n) + Decimal("0.1") for n in range(5)))]


@pytest.mark.parametrize("loader", ["lake in postgres"], indirect=True)
def test_a_column_that_goes_before_the_transaction_begins_is_not_looked_for(
    loader: SharedLoader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader.load(invoice(n) for n in range(3))
    settings, members = replace(loader.settings, dataset="main"), [Member(loader.dataset, "invoices")]
    kind = type(catalog_of(settings))
    begin = kind.begin

    def late(catalog: Catalog, connection: duckdb.DuckDBPyConnection) -> None:
        with open_warehouse(catalog_of(loader.settings)) as other:
            other.execute(f'ALTER TABLE "{loader.dataset}".invoices DROP COLUMN total')
        begin(catalog, connection)

    monkeypatch.setattr(kind, "begin", late)
    done = unite(settings, members, tmp_path)
    assert done.rows["all_invoices"] == 3
    assert done.origins["total"] == {}


@pytest.mark.parametrize("loader", ["postgres"], indirect=True)
def test_a_user_who_may_see_some_rows_of_an_api_gets_no_shorter_table(loader: SharedLoader, tmp_path: Path) -> None:
    loader.load(invoice(n) for n in range(3))
    name, schema = f"some_{loader.dataset}", f"of_some_{loader.dataset}"
    execute(
        loader.dsn,
        f"CREATE USER {name} PASSWORD '{PASSWORD}'",
        f"GRANT USAGE ON SCHEMA {loader.dataset} TO {name}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {loader.dataset} TO {name}",
        f"CREATE SCHEMA {schema} AUTHORIZATION {name}",
        f"ALTER TABLE {loader.dataset}.invoices ENABLE ROW LEVEL SECURITY",
        f"CREATE POLICY one ON {loader.dataset}.invoices USING (id = 'i1')",
    )
    loader.dsn = loader.dsn.replace("loader:", f"{name}:")
    with pytest.raises(WarehouseUnusable, match=r"would be affected by row-level security policy for table .invoices."):
        unite(replace(loader.settings, dataset=schema), [Member(loader.dataset, "invoices")], tmp_path)
