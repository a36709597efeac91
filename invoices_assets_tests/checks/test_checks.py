"""The asset checks: what a green run cannot say by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from invoices_assets.checks import evaluation
from invoices_assets.errors import WarehouseBusy
from invoices_assets_tests.support.bills import write_by_hand
from invoices_assets_tests.support.project import Project
from invoices_assets_tests.support.rows import put_rows
from invoices_assets_tests.support.selecting import check_only, materialized
from invoices_assets_tests.support.sweep_helpers import config
from invoices_assets_tests.vendor import Book, Contract, Paging, Raw, Total, Vendor, serve


def check(result: dg.ExecuteInProcessResult, name: str = "no_rejected_records") -> dg.AssetCheckEvaluation:
    [evaluation] = [one for one in result.get_asset_check_evaluations() if one.check_name == name]
    return evaluation


def test_a_rejected_record_fails_the_check_until_it_is_corrected(project: Project, book: Book) -> None:
    assert check(project.run()).passed
    for number in (3, 4):
        book.update(f"inv_000000{number}", issue_date="someday")
    book.update("inv_0000005", total=Raw("1e40"))
    result = project.run()
    assert result.success
    assert project.metadata(result)["rows_rejected"] == 3
    assert (check(result).passed, check(result).metadata["rejected_records"].value) == (False, 3)
    assert "3 records" in str(check(result).description)
    for number in (3, 4):
        book.update(f"inv_000000{number}", issue_date="2026-01-01")
    assert check(project.run()).metadata["rejected_records"].value == 1
    book.update("inv_0000005", total=1)
    assert check(project.run()).passed


def test_what_refreshes_missed_is_a_warning_until_the_next_complete_sweep(project: Project, book: Book) -> None:
    missed = "nothing_missed_by_incremental"
    put_rows(project, 250)
    assert check(project.run("reconcile_invoices"), missed).passed
    book.update("inv_0000003", status="void", updated_at="2025-01-01T00:00:00Z")
    project.run()
    found = check(project.run("reconcile_invoices"), missed)
    assert (found.passed, found.severity, found.metadata["missed_by_incremental"].value) == (
        False,
        dg.AssetCheckSeverity.WARN,
        1,
    )
    assert missed not in {one.check_name for one in project.run().get_asset_check_evaluations()}
    assert not check(project.run("__ASSET_JOB"), missed).passed
    assert check(project.run("reconcile_invoices"), missed).passed


def test_an_end_that_nothing_proves_is_a_remark_and_a_warning_and_marks_no_deletions(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said = "nothing proves that these are all: the only answer has no `nxt`"
    content = config(paginator={"type": "json_link", "next_url_path": "nxt"})
    contract = Contract(paging=Paging(limit=None, size=1000, largest=1000), total=Total(None))
    book = Book.of(60)
    with serve(book, contract=contract) as server:
        project = Project(monkeypatch, tmp_path, server.url, source=content)
        result = project.run()
        assert project.metadata(result)["remarks"] == f"- {said}; so the cursor stays where it was"
        found = check(result, "complete")
        assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
        assert found.description == said
        book.delete("inv_0000003")
        result = project.run("reconcile_invoices")
        assert project.metadata(result)["rows_deleted"] == 0
        left = "the cursor stays where it was and no record was marked as deleted"
        assert project.metadata(result)["remarks"] == f"- {said}; so {left}"


def test_what_proves_an_end_is_in_the_metadata_and_passes_the_check(project: Project, book: Book) -> None:
    result = project.run()
    assert project.metadata(result)["end"] == f"the API's total of {len(book)} was reached"
    assert check(result, "complete").passed


def test_a_part_of_the_source_file_that_no_record_bears_out_is_a_warning_until_a_sweep_of_everything_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    content = config()
    content["resources"][0]["columns"]["gross"] = {"data_type": "decimal", "x-from": "total_ttc"}
    with serve(Book.of(40)) as server:
        project = Project(monkeypatch, tmp_path, server.url, source=content)
        result = project.run()
        said = "no record has a value for `gross` at its `x-from: total_ttc`"
        assert project.metadata(result)["misfits"] == f"- {said}"
        assert said in project.metadata(result)["remarks"]
        assert "misfits" not in project.metadata(project.run())
        found = check(project.run(), "source_fits")
        assert (found.passed, found.severity, found.description) == (False, dg.AssetCheckSeverity.WARN, said)
        content["resources"][0]["columns"]["gross"]["x-from"] = "subtotal"
        project.write_source()
        assert check(project.run(), "source_fits").passed


def test_a_first_load_that_finds_nothing_is_a_warning_until_a_record_comes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said = "no record was ever seen: is the key allowed to read?"
    book = Book()
    with serve(book) as server:
        project = Project(monkeypatch, tmp_path, server.url)
        result = project.run()
        found = check(result, "complete")
        assert (found.passed, found.severity, found.description) == (False, dg.AssetCheckSeverity.WARN, said)
        assert project.metadata(result)["remarks"] == f"- {said}"
        book.insert(Book.of(1).records[0])
        assert check(project.run(), "complete").passed


def test_a_resource_whose_table_is_spelled_otherwise_tells_of_that_table(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    content = config()
    content["resources"][0]["name"] = "customerInvoices"
    with serve(book=Book.of(5, lambda record: bad(record) if record["id"] < "inv_0000003" else record)) as server:
        project = Project(monkeypatch, tmp_path, server.url, source=content)
        result = project.run()
    shown = project.metadata(result, "customerInvoices")
    assert shown["dagster/table_name"] == "invoices.invoicing.customer_invoices"
    assert shown["dagster/column_schema"].columns
    assert check(result).metadata["rejected_records"].value == 2


def bad(record: dict[str, Any]) -> dict[str, Any]:
    return record | {"issue_date": "someday"}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[tuple[Project, Book]]:
    """A project for an API without a change stamp, whose refreshes read everything."""
    book = Book.of(5)
    with serve(book=book) as server:
        yield Project(monkeypatch, tmp_path, server.url, source=config(incremental=None)), book


def test_a_record_that_is_again_as_it_was_loaded_no_longer_waits(small: tuple[Project, Book]) -> None:
    project, book = small
    good = book.records[2]
    project.run()
    for expected in (False, True, False, True):
        book.delete(good["id"])
        book.insert(good if expected else bad(good))
        result = project.run()
        assert result.success, project.failure(result)
        assert check(result).passed is expected


def test_a_record_that_is_rejected_for_another_reason_counts_once(small: tuple[Project, Book]) -> None:
    project, book = small
    book.update("inv_0000003", issue_date="someday")
    project.run()
    book.update("inv_0000003", issue_date="sometime")
    assert check(project.run()).metadata["rejected_records"].value == 1


def test_a_rejected_record_without_an_id_waits_until_everything_was_read_without_it(
    project: Project, book: Book
) -> None:
    put_rows(project, 250)
    book.insert({"updated_at": "2026-11-17T00:00:00Z", "number": "nameless"})
    assert not check(project.run()).passed
    assert not check(project.run()).passed
    book._entries.pop()
    assert not check(project.run()).passed
    assert check(project.run("reconcile_invoices")).passed


def test_a_rejected_record_that_was_deleted_upstream_no_longer_waits(project: Project, book: Book) -> None:
    book.update("inv_0000003", issue_date="someday")
    assert not check(project.run()).passed
    book.delete("inv_0000003")
    assert check(project.run("reconcile_invoices")).passed


def test_a_check_that_cannot_look_says_so_and_does_not_fail_the_run(
    small: tuple[Project, Book], monkeypatch: pytest.MonkeyPatch
) -> None:
    def held(*args: Any) -> Any:
        raise WarehouseBusy("another process holds the file open and did not close it within 60 s")

    project, _ = small
    project.run()
    monkeypatch.setattr(evaluation, "audit", held)
    result = check_only(project, "no_rejected_records")
    assert result.success
    assert not check(result).passed
    assert "did not close it within 60 s" in str(check(result).description)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("unique_key", "INSERT INTO invoicing.invoices SELECT * FROM invoicing.invoices WHERE id = 'inv_0000003'"),
        ("children_have_parents", "UPDATE invoicing.invoices__line_items SET _dlt_parent_id = 'nobody'"),
    ],
)
def test_tables_that_somebody_else_has_damaged_fail_the_run_and_nothing_is_made_of_them(
    project: Project, name: str, damage: str
) -> None:
    put_rows(project, 250)
    write_by_hand(project.warehouse, damage)
    result = project.run()
    found = check(result, name)
    assert (found.passed, found.severity, found.blocking) == (False, dg.AssetCheckSeverity.ERROR, True)
    assert not result.success
    assert "invoices" in materialized(result)
    assert "receivables" not in materialized(result)


def test_checks_alone_need_neither_api_nor_load(
    project: Project, server: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_rows(project, 250)
    write_by_hand(
        project.warehouse, "UPDATE invoicing.invoices SET due_date = DATE '1999-01-01' WHERE id = 'inv_0000003'"
    )
    asked = len(server.requests)
    monkeypatch.delenv("INVOICES_API_KEY")
    result = check_only(project, "due_after_issued", "unique_key")
    assert {each.check_name for each in result.get_asset_check_evaluations()} == {"due_after_issued", "unique_key"}
    assert "for example inv_0000003" in str(check(result, "due_after_issued").description)
    assert (materialized(result), len(server.requests)) == ({}, asked)


def test_a_new_field_of_the_vendor_is_a_warning_once(small: tuple[Project, Book]) -> None:
    project, book = small
    for field, passed in ({}, True), ({}, True), ({"colour": "red"}, False), ({}, True):
        if field:
            book.update("inv_0000003", **field)
        found = check(project.run(), "schema_unchanged")
        assert found.passed is passed, found.description
