"""The history: every version of a main row, off unless asked for."""

from __future__ import annotations

from datetime import UTC
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from invoices_assets.errors import SourceError, TableRefused, WarehouseError
from invoices_assets_tests.support.invoices import invoice, stamped
from invoices_assets_tests.support.loader import Loader, loaded
from invoices_assets_tests.support.project import Project
from invoices_assets_tests.support.sweep_helpers import config, source_file
from invoices_assets_tests.support.versioning import SCD2, assert_gapless, versions, with_history
from invoices_assets_tests.vendor import Book, Vendor, serve


@pytest.fixture
def book() -> Book:
    return Book(invoice(f"{at}", line_items=[{"amount": at}]) for at in range(10))


@pytest.fixture
def loader(tmp_path: Path, server: Vendor) -> Loader:
    return Loader(tmp_path, server.url, with_history())


def test_without_the_line_in_the_source_there_is_no_history(tmp_path: Path, book: Book) -> None:
    with serve(book=book) as server:
        loader = Loader(tmp_path, server.url)
        loader.refresh()
        names = {name for (name,) in loader.query("SELECT table_name FROM duckdb_tables()")}
        assert "invoices_history" not in names


def test_a_change_makes_a_version_and_an_unchanged_row_none(loader: Loader, book: Book) -> None:
    loader.refresh()
    book.update("3", total=11, updated_at=stamped(60))
    loader.refresh()
    assert versions(loader, "3", "total") == [(Decimal(10), False), (Decimal(11), True)]
    assert loader.query("SELECT count(*) FROM invoices_history") == [(11,)]
    loader.refresh()
    loader.refresh("full")
    assert loader.query("SELECT count(*) FROM invoices_history") == [(11,)]
    assert_gapless(loader)


def test_a_value_that_comes_back_is_a_version_of_its_own(loader: Loader, book: Book) -> None:
    loader.refresh()
    for total in (11, 10, 11):
        book.update("3", total=total)
        loader.refresh()
    found = [row[0] for row in versions(loader, "3", "total")]
    assert found == [Decimal(10), Decimal(11), Decimal(10), Decimal(11)]
    assert_gapless(loader)


def test_the_very_same_row_may_be_believed_twice(loader: Loader, book: Book) -> None:
    loader.refresh()
    for total in (11, 10):
        book.update("3", total=total, updated_at=stamped(0))
        loader.refresh()
    assert versions(loader, "3", "total") == [(Decimal(10), False), (Decimal(11), False), (Decimal(10), True)]
    assert_gapless(loader)


def test_deletion_and_return_are_versions(loader: Loader, book: Book) -> None:
    loader.refresh()
    record = next(record for record in book.records if record["id"] == "3")
    book.delete("3")
    loader.refresh("reconcile")
    book.insert(record)
    loader.refresh("reconcile")
    assert versions(loader, "3", "deleted_at IS NOT NULL") == [(False, False), (True, False), (False, True)]
    assert_gapless(loader)


def test_records_that_a_refresh_does_not_bring_stay_present(loader: Loader, book: Book) -> None:
    loader.refresh()
    book.insert(invoice("new", stamped(7200)))
    loader.refresh()
    book.insert(invoice("newer", stamped(9000)))
    loader.refresh()
    assert loader.query("SELECT count(*) FROM invoices_history WHERE valid_to IS NULL") == [(12,)]


def test_a_change_of_line_items_alone_is_no_version_of_the_main_row(loader: Loader, book: Book) -> None:
    loader.refresh()
    book.update("3", line_items=[{"amount": 7}], updated_at=stamped(0))
    assert loader.load().changed == 1
    assert len(versions(loader, "3")) == 1
    loader.refresh()
    assert_gapless(loader)


def test_a_column_that_comes_later_is_no_change_of_rows_without_it(loader: Loader, book: Book) -> None:
    loader.refresh()
    book.update("3", colour="red", updated_at=stamped(60))
    book.update("4", line_items=[{"amount": 7}], updated_at=stamped(0))
    loader.refresh()
    assert versions(loader, "3", "colour") == [(None, False), ("red", True)]
    assert len(versions(loader, "4")) == 1
    assert_gapless(loader)


def test_a_column_that_becomes_text_does_so_in_the_history_too(loader: Loader, book: Book) -> None:
    book.update("3", mark=7, updated_at=stamped(0))
    loader.refresh()
    book.update("4", mark="seven", updated_at=stamped(60))
    loader.refresh()
    assert versions(loader, "3", "mark") == [("7", True)]
    assert versions(loader, "4", "mark") == [(None, False), ("seven", True)]
    assert_gapless(loader)


def test_history_that_is_switched_on_later_begins_with_every_row_as_it_is(loader: Loader, book: Book) -> None:
    loader.content = config()
    loader.refresh()
    book.delete("3")
    loader.refresh("reconcile")
    loader.content = with_history()
    book.update("4", total=11, updated_at=stamped(60))
    loader.refresh()
    assert loader.query("SELECT count(*) FROM invoices_history") == [(10,)]
    assert versions(loader, "3", "deleted_at IS NOT NULL") == [(True, True)]
    assert versions(loader, "4", "total") == [(Decimal(11), True)]
    assert_gapless(loader)


def test_history_begins_also_with_a_refresh_that_finds_nothing_new(loader: Loader) -> None:
    loader.content = config()
    loader.refresh()
    loader.content = with_history()
    done = loader.refresh()
    assert (loaded(done).new, loaded(done).changed) == (0, 0)
    assert loader.query("SELECT count(*) FROM invoices_history") == [(10,)]
    assert loader.load().load_id is None


def test_history_that_was_off_for_a_while_catches_up(loader: Loader, book: Book) -> None:
    loader.refresh()
    loader.content = config()
    book.update("3", total=11, updated_at=stamped(60))
    loader.refresh()
    loader.content = with_history()
    loader.refresh()
    assert versions(loader, "3", "total") == [(Decimal(10), False), (Decimal(11), True)]
    assert loader.query("SELECT count(*) FROM invoices_history") == [(11,)]
    assert_gapless(loader)


def test_what_was_believed_on_a_day_is_one_query(loader: Loader, book: Book) -> None:
    loader.refresh()
    [(between,)] = loader.query("SELECT now()")
    book.update("3", total=11, updated_at=stamped(60))
    book.delete("4")
    book.insert(invoice("new", stamped(60)))
    loader.refresh("reconcile")
    then = between.astimezone(UTC).isoformat()
    believed = (
        "SELECT count(*), sum(total) FROM invoices_history WHERE deleted_at IS NULL "
        "AND valid_from <= TIMESTAMPTZ '{0}' AND coalesce(valid_to > TIMESTAMPTZ '{0}', true)"
    )
    assert loader.query(believed.format(then)) == [(10, Decimal(100))]
    [(later,)] = loader.query("SELECT now()")
    assert loader.query(believed.format(later.isoformat())) == [(10, Decimal(101))]


def test_history_is_written_in_the_transaction_of_the_rows(loader: Loader, book: Book) -> None:
    loader.refresh()
    before = loader.query("SELECT count(*), max(_dlt_load_id) FROM invoices_history")
    for at in range(8):
        book.delete(f"{at}")
    book.update("9", total=11, updated_at=stamped(60))
    with pytest.raises(WarehouseError):
        loader.refresh("reconcile")
    assert loader.query("SELECT count(*), max(_dlt_load_id) FROM invoices_history") == before
    loader.refresh()
    both = "invoices m JOIN invoices_history h USING (id, _dlt_load_id)"
    shared = f"SELECT count(*) FROM {both} WHERE h.valid_to IS NULL"
    assert loader.query(shared) == [(10,)]


def test_records_with_a_key_of_several_columns_are_told_apart(tmp_path: Path) -> None:
    content = with_history()
    content["resources"][0]["primary_key"] = ["id", "number"]
    book = Book([invoice("1", number="23"), invoice("12", number="3"), invoice("1", number="3")])
    with serve(book=book) as server:
        loader = Loader(tmp_path, server.url, content)
        loader.refresh()
        book.update("12", total=11, updated_at=stamped(60))
        loader.refresh()
        rows = "SELECT id, number, total, valid_to IS NULL FROM invoices_history ORDER BY ALL"
        assert loader.query(rows) == [
            ("1", "23", Decimal(10), True),
            ("1", "3", Decimal(10), True),
            ("12", "3", Decimal(10), False),
            ("12", "3", Decimal(11), True),
        ]


def test_a_field_with_the_name_of_a_history_column_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with serve(book=Book([invoice("a", valid_to="2024-01-01")])) as server:
        loader = Loader(tmp_path, server.url, with_history())
        with pytest.raises(TableRefused, match="x-from: valid_to"):
            loader.refresh()


def test_a_table_with_the_name_of_the_history_that_is_none_is_refused(loader: Loader) -> None:
    loader.content = config()
    loader.refresh()
    with duckdb.connect(str(loader.settings.path)) as connection:
        connection.execute("CREATE TABLE invoicing.invoices_history AS SELECT 1 AS id")
    loader.content = with_history()
    with pytest.raises(TableRefused, match="invoices_history"):
        loader.refresh()


@pytest.mark.parametrize("disposition", [{**SCD2, "row_version_column_name": "v"}, {**SCD2, "strategy": "insert-only"}])
def test_dispositions_that_mean_something_else_are_refused(disposition: dict[str, Any], tmp_path: Path) -> None:
    content = config()
    content["resources"][0]["write_disposition"] = disposition
    with pytest.raises(SourceError, match="keeps every version"):
        source_file(tmp_path, content)


def test_a_resource_with_the_name_of_a_history_is_refused(tmp_path: Path) -> None:
    content = with_history()
    content["resources"].append({**config()["resources"][0], "name": "invoices_history"})
    with pytest.raises(SourceError, match="invoices_history"):
        source_file(tmp_path, content)


def test_the_job_keeps_the_history(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, book: Book) -> None:
    with serve(book=book) as server:
        project = Project(monkeypatch, tmp_path, server.url, source=with_history())
        assert project.run().success
        book.update("3", total=11, updated_at=stamped(60))
        result = project.run()
        assert result.success
        assert project.metadata(result)["history_versions"] == 1
        assert project.query("SELECT count(*) FROM invoices_history") == [(11,)]
