"""`describe check` holds the declared columns, types and key against the records seen."""

from __future__ import annotations

from typing import Any

import pytest

from invoices_assets.describe.finding import Verdict
from invoices_assets_tests.support.describing import checked, checked_at, told, verdict_on
from invoices_assets_tests.support.sweep_helpers import config
from invoices_assets_tests.vendor import Book, FakeApi, Reply, Vendor, serve

PATH = "/v1/invoices"


def with_columns(**columns: Any) -> dict[str, Any]:
    content = config()
    content["resources"][0]["columns"].update(columns)
    return content


def with_key(*names: str) -> dict[str, Any]:
    content = config()
    content["resource_defaults"]["primary_key"] = list(names)
    return content


def test_an_x_from_that_never_matches_is_wrong_and_names_what_is_close(server: Vendor) -> None:
    found = checked_at(server, with_columns(total={"data_type": "decimal", "x-from": "totals"}))
    assert "`x-from` of `total` never matches: none of 250 records has `totals`" in told(found, "columns")
    assert "the records have `total`" in told(found, "columns")


def test_a_declared_column_that_no_record_has_is_unproven(server: Vendor) -> None:
    found = checked_at(server, with_columns(payment_terms={"data_type": "text"}))
    assert "`payment_terms` is declared, and no record has it" in told(found, "columns", Verdict.UNPROVEN)


def test_a_declared_column_that_is_null_everywhere_is_unproven() -> None:
    book = Book.of(20, change=lambda record: {**record, "due_date": None})
    with serve(book) as server:
        found = checked_at(server)
    assert "`due_date` is null in each of 20 records" in told(found, "columns", Verdict.UNPROVEN)


def test_a_column_of_line_items_is_found_in_its_table(server: Vendor) -> None:
    found = checked_at(server, with_columns(line_items__amount={"data_type": "decimal"}))
    assert verdict_on(found, "columns") is Verdict.OK


@pytest.mark.parametrize(
    ("name", "hints", "remedy"),
    [
        ("issue_date", {"data_type": "date", "x-format": "%d.%m.%Y"}, "`x-format`"),
        ("updated_at", {"data_type": "timestamp", "x-format": "epoch_s"}, "`data_type`"),
        ("total", {"data_type": "decimal", "precision": 3, "scale": 2}, "`precision`"),
        ("number", {"data_type": "bigint"}, "`data_type`"),
    ],
)
def test_a_type_that_records_do_not_fit_is_wrong(server: Vendor, name: str, hints: Any, remedy: str) -> None:
    found = checked_at(server, with_columns(**{name: hints}))
    assert f"`{name}`" in told(found, "types")
    assert remedy in told(found, "types")


def test_a_key_that_records_lack_is_wrong(server: Vendor) -> None:
    assert verdict_on(checked_at(server, with_key("invoice_id")), "primary key") is Verdict.WRONG


def test_a_key_that_records_share_is_wrong(server: Vendor) -> None:
    assert "come more than once" in told(checked_at(server, with_key("currency")), "primary key")


def test_fields_without_a_declaration_are_named(server: Vendor) -> None:
    assert "`customer.id`" in told(checked_at(server), "columns", Verdict.OK)


def test_one_object_in_place_of_a_list_is_unproven(api: FakeApi) -> None:
    api.route(PATH, Reply(body={"data": {"id": "1", "updated_at": "2026-01-01T00:00:00Z"}}))
    assert verdict_on(checked(api.url), "selector") is Verdict.UNPROVEN
