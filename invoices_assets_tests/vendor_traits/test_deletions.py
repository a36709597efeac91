"""What is removed upstream: lines, invoices, and many invoices at once."""

from __future__ import annotations

import pytest

from invoices_assets.errors import WarehouseError
from invoices_assets_tests.support.loader import Loader
from invoices_assets_tests.support.project import Project
from invoices_assets_tests.support.rows import assert_same_as, loaded_lines, untouched
from invoices_assets_tests.vendor import Book


@pytest.fixture
def book() -> Book:
    return Book.of(60)


def test_a_line_that_is_removed_upstream_is_gone_here(loader: Loader, book: Book) -> None:
    many = next(record for record in book.records if len(record["line_items"]) > 1)
    loader.refresh()
    book.update(many["id"], line_items=many["line_items"][1:])
    loader.refresh()
    assert_same_as(loader, book)
    book.update(many["id"], line_items=[])
    loader.refresh()
    assert [line for line in loaded_lines(loader) if line[0] == many["id"]] == []


def test_reconcile_marks_what_is_gone_and_takes_the_mark_back_when_it_returns(project: Project, book: Book) -> None:
    gone = book.records[5]
    assert project.run().success
    book.delete(gone["id"])
    assert project.run(mode="full").success
    assert project.query("SELECT count(*) FROM invoices WHERE deleted_at IS NOT NULL") == [(0,)]
    result = project.run("reconcile_invoices")
    assert result.success, project.failure(result)
    assert project.query("SELECT id FROM invoices WHERE deleted_at IS NOT NULL") == [(gone["id"],)]
    assert project.metadata(result)["rows_deleted"] == 1
    book.insert(gone, at=5)
    assert project.run("reconcile_invoices").success
    assert project.query("SELECT id FROM invoices WHERE deleted_at IS NOT NULL") == []
    assert_same_as(project, book)


def test_a_large_deletion_is_marked_when_the_run_config_allows_it(loader: Loader, book: Book) -> None:
    loader.refresh()
    for record in book.records[:20]:
        book.delete(record["id"])
    with untouched(loader), pytest.raises(WarehouseError, match="more than the limit of 20%"):
        loader.refresh("reconcile")
    loader.refresh("reconcile", max_deleted_share=0.5)
    assert_same_as(loader, book)
    assert loader.query("SELECT count(*) FROM invoices") == [(60,)]
