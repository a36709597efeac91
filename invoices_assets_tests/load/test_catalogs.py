"""Which warehouses are taken, by which settings, and what the others are told; nothing is connected to."""

from __future__ import annotations

import pytest

from invoices_assets.errors import WarehouseUnusable
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.warehouses.catalogs import catalog_of

LAKE = "DESTINATION__DUCKLAKE__CREDENTIALS__"


@pytest.mark.parametrize("destination", ["filesystem", "snowflake", "bigquery", "Postgres", "my.module.destination"])
def test_a_destination_whose_loads_are_not_exact_is_refused_with_the_way_out(destination: str) -> None:
    with pytest.raises(WarehouseUnusable, match=r"is refused, .* or ducklake, a lake .* that Snowflake, BigQuery"):
        catalog_of(WarehouseSettings("invoicing", destination=destination))


@pytest.mark.parametrize(
    ("destination", "setting"),
    [
        ("postgres", "DESTINATION__POSTGRES__CREDENTIALS"),
        ("ducklake", f"{LAKE}CATALOG"),
        ("motherduck", "DESTINATION__MOTHERDUCK__CREDENTIALS"),
    ],
)
def test_a_setting_that_is_missing_is_named(destination: str, setting: str) -> None:
    with pytest.raises(WarehouseUnusable, match=rf"the destination {destination} needs {setting}, which is not set"):
        catalog_of(WarehouseSettings("invoicing", destination=destination))


def test_a_lake_without_storage_is_not_put_where_the_run_happens_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{LAKE}CATALOG", "sqlite:////lakes/catalog.sqlite")
    with pytest.raises(WarehouseUnusable, match=rf"needs {LAKE}STORAGE, which is not set"):
        catalog_of(WarehouseSettings("invoicing", destination="ducklake"))


@pytest.mark.parametrize(
    ("catalog", "storage", "setting"),
    [
        ("mysql://loader:s3cr3t-pass@host/lake", "/lake", "CATALOG"),
        ("postgresql://loader:x@s3cr3t-pass@host/lake", "/lake", "CATALOG"),
        ("postgresql://loader:s3cr3t-pass@host/lake", "gs://lake", "STORAGE"),
    ],
)
def test_a_lake_of_another_kind_is_refused(
    monkeypatch: pytest.MonkeyPatch, catalog: str, storage: str, setting: str
) -> None:
    monkeypatch.setenv(f"{LAKE}CATALOG", catalog)
    monkeypatch.setenv(f"{LAKE}STORAGE", storage)
    with pytest.raises(WarehouseUnusable, match=f"{LAKE}{setting}") as refused:
        catalog_of(WarehouseSettings("invoicing", destination="ducklake"))
    assert "s3cr3t" not in str(refused.value)


@pytest.mark.parametrize(
    ("destination", "environment", "secrets"),
    [
        ("postgres", {"DESTINATION__POSTGRES__CREDENTIALS": "postgresql://u:s3cr3t%2Fpass@h/d"}, {"s3cr3t/pass"}),
        (
            "ducklake",
            {
                f"{LAKE}CATALOG": "postgresql://u:s3cr3t-pass@h/d",
                f"{LAKE}STORAGE": "s3://bucket/lake",
                f"{LAKE}STORAGE__CREDENTIALS__AWS_ACCESS_KEY_ID": "key-id-of-storage",
                f"{LAKE}STORAGE__CREDENTIALS__AWS_SECRET_ACCESS_KEY": "secret-of-storage",
            },
            {"s3cr3t-pass", "secret-of-storage"},
        ),
        ("motherduck", {"DESTINATION__MOTHERDUCK__CREDENTIALS": "md:lake?motherduck_token=t0ken"}, {"t0ken"}),
    ],
)
def test_dlts_own_names_give_the_settings_and_their_secrets_are_known(
    monkeypatch: pytest.MonkeyPatch, destination: str, environment: dict[str, str], secrets: set[str]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    catalog = catalog_of(WarehouseSettings("invoicing", destination=destination))
    assert secrets <= set(catalog.secrets)
    for secret in secrets:
        assert secret not in str(catalog.explain(RuntimeError(f"ATTACH 'postgresql://u:{secret}@h/d'")))


def test_settings_show_no_credentials() -> None:
    assert "s3cret" not in repr(WarehouseSettings("d", destination="postgres", credentials="postgresql://u:s3cret@h/d"))
