"""`all_invoices` and `receivables`: one view over all APIs of a code location."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from invoices_assets.extract.api import Api
from invoices_assets_tests.support.apis import Location, sentence, serving
from invoices_assets_tests.support.sweep_helpers import config
from invoices_assets_tests.vendor import Book

BOTH = ("stripe_refresh_invoices", "dolibarr_refresh_invoices")


@pytest.fixture
def location(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Location]:
    with serving(tmp_path, monkeypatch, **books()) as location:
        yield location


@pytest.fixture(scope="module")
def of_both(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The warehouse after a load of each API."""
    folder = tmp_path_factory.mktemp("both")
    with pytest.MonkeyPatch.context() as patch, serving(folder, patch, **books()) as location:
        # the servers of the tests are on other ports
        patch.setattr(Api, "address", None)
        load(location)
        return location.warehouse.read_bytes()


@pytest.fixture
def loaded(location: Location, of_both: bytes) -> Location:
    """The same, with both loaded."""
    location.warehouse.write_bytes(of_both)
    return location


def books() -> dict[str, Book]:
    return {"stripe": Book.of(20), "dolibarr": Book.of(30, seed=1)}


def load(location: Location, defs: dg.Definitions | None = None) -> None:
    for job in BOTH:
        result = location.run(job, defs)
        assert result.success, sentence(result)


def amounts(book: Book) -> Decimal:
    return sum((record["total"] for record in book.records), Decimal())


def test_it_has_the_invoices_of_all_apis_to_the_cent(location: Location) -> None:
    load(location)
    rows = location.query("SELECT source, count(*), sum(total) FROM all_invoices GROUP BY source ORDER BY source")
    assert rows == [(name, len(location.books[name]), amounts(location.books[name])) for name in ("dolibarr", "stripe")]


def test_a_refresh_of_one_api_brings_it_up_to_date(loaded: Location) -> None:
    loaded.books["stripe"].update("inv_0000003", total=Decimal("123.45"))
    assert loaded.run("stripe_refresh_invoices").success
    changed = "SELECT total FROM all_invoices WHERE source = 'stripe' AND id = 'inv_0000003'"
    assert loaded.query(changed) == [(Decimal("123.45"),)]


def test_a_deleted_invoice_is_not_in_it(loaded: Location) -> None:
    loaded.books["stripe"].delete("inv_0000003")
    assert loaded.run("stripe_reconcile_invoices").success
    assert loaded.query("SELECT count(*) FROM all_invoices WHERE source = 'stripe'") == [(19,)]
    assert loaded.query("SELECT count(*) FROM stripe.invoices") == [(20,)]


def test_an_api_that_was_never_loaded_is_told_and_has_no_rows(location: Location) -> None:
    result = location.run("stripe_refresh_invoices")
    assert location.query("SELECT DISTINCT source FROM all_invoices") == [("stripe",)]
    made = result.asset_materializations_for_node("all_invoices")
    assert made[0].metadata["remarks"].value == "- `dolibarr` has no table yet"
    assert made[0].metadata["dagster/row_count"].value == 20


def test_a_column_that_one_api_lacks_is_null(location: Location) -> None:
    content = config()
    del content["resources"][0]["columns"]["number"]
    content["resources"][0]["columns"]["kept"] = {"data_type": "text", "x-from": "number"}
    load(location, location.definitions(location.component("stripe"), location.component("dolibarr", content)))
    assert location.query("SELECT count(number) FROM all_invoices WHERE source = 'dolibarr'") == [(0,)]
    assert location.query("SELECT count(number) FROM all_invoices WHERE source = 'stripe'") == [(20,)]


def test_a_type_that_differs_is_refused_with_the_names_and_changes_nothing(loaded: Location) -> None:
    before = loaded.query("SELECT count(*) FROM all_invoices")
    with duckdb.connect(str(loaded.warehouse)) as warehouse:
        warehouse.execute("ALTER TABLE dolibarr.invoices ALTER status TYPE BLOB USING status::BLOB")
    result = loaded.run("stripe_refresh_invoices")
    assert "VARCHAR in stripe.invoices.status and BLOB in dolibarr.invoices.status" in sentence(result)
    assert loaded.query("SELECT count(*) FROM all_invoices") == before


def test_somebody_elses_table_of_that_name_is_kept(location: Location) -> None:
    with duckdb.connect(str(location.warehouse)) as warehouse:
        warehouse.execute("CREATE TABLE all_invoices AS SELECT 1 AS mine")
    assert "was not made by this project" in sentence(location.run("stripe_refresh_invoices"))
    assert location.query("SELECT mine FROM all_invoices") == [(1,)]


def test_several_warehouses_are_refused_with_their_names(location: Location) -> None:
    elsewhere = location.component("dolibarr", duckdb_path=str(location.folder / "other.duckdb"))
    defs = location.definitions(location.component("stripe"), elsewhere)
    result = location.run("stripe_refresh_invoices", defs)
    assert "needs all APIs in one warehouse" in sentence(result)
    assert "other.duckdb" in sentence(result)


def due(days: int, amount: str, **fields: Any) -> dict[str, Any]:
    """An invoice that was due so many days ago."""
    day = (datetime.now(UTC) - timedelta(days=days)).date().isoformat()
    record = Book.of(1).records[0]
    customer = {**record["customer"], "name": "Uhrwerk AG"}
    return {**record, "customer": customer, "currency": "EUR", "due_date": day, "amount_due": Decimal(amount), **fields}


def test_receivables_tell_open_amounts_by_days_since_they_were_due(location: Location) -> None:
    book = location.books["stripe"]
    for record in book.records:
        book.delete(record["id"])
    days = {"-10": "1.00", "0": "2.00", "1": "4.00", "30": "8.00", "31": "16.00", "60": "32.00", "61": "64.00"}
    days |= {"90": "128.00", "91": "256.00", "4000": "512.50"}
    for number, (late, amount) in enumerate(days.items()):
        book.insert(due(int(late), amount, id=f"inv_{number}"))
    book.insert(due(5, "0.00", id="inv_paid"))
    book.insert(due(5, "3.00", id="inv_chf", currency="CHF"))
    assert location.run("stripe_refresh_invoices").success
    rows = location.query("SELECT * EXCLUDE (source) FROM receivables ORDER BY currency")
    assert rows == [
        ("Uhrwerk AG", "CHF", 1, *map(Decimal, ("3", "0", "3", "0", "0", "0"))),
        ("Uhrwerk AG", "EUR", 10, *map(Decimal, ("1023.50", "3", "12", "48", "192", "768.50"))),
    ]


def test_each_column_says_where_it_comes_from(location: Location) -> None:
    result = location.run("dolibarr_refresh_invoices")
    made = {each.asset_key.to_user_string(): each for each in result.asset_materializations_for_node("all_invoices")}
    lineage: Any = made["all_invoices"].metadata["dagster/column_lineage"].value
    assert [dep.column_name for dep in lineage.deps_by_column["customer"]] == ["customer__name"]
    assert made["receivables"].metadata["dagster/table_name"].value == '"all".main.receivables'
