"""What a materialization tells, in the order in which a person reads it; and nothing of persons."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from invoices_assets_tests.support.project import Project
from invoices_assets_tests.support.selecting import materialized
from invoices_assets_tests.support.sweep_helpers import config
from invoices_assets_tests.vendor import Book, serve

Told = tuple[Project, dg.ExecuteInProcessResult, Book]


def person(record: dict[str, Any]) -> dict[str, Any]:
    """A record whose customer can be told from all other texts; that of one in ten cannot be stored."""
    at = record["id"]
    customer = {"name": f"Nadia Zwölfer {at}", "email": f"nadia@{at}.example", "vat_id": f"ATU-{at}", "score": 7}
    record = record | {"customer": customer, "contact": f"+43 660 {at}"}
    return record | ({"contact": 4711.5} if at.endswith("7") else {})


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """A run whose source declares a column of persons that not all records fit."""
    source = config()
    source["resources"][0]["columns"] |= {
        "contact": {"data_type": "text", "x-pii": True},
        "customer__vat_id": {"data_type": "bigint", "x-pii": True},
    }
    book = Book.of(40, person)
    for record in book.records[:30]:
        book.update(record["id"], customer=record["customer"] | {"vat_id": 4}, updated_at=record["updated_at"])
    with pytest.MonkeyPatch.context() as patch, serve(book=book) as server:
        project = Project(patch, tmp_path_factory.mktemp("story"), server.url, source=source)
        result = project.run()
        assert result.success, project.failure(result)
        yield project, result, book


def test_the_story_comes_before_its_proof_the_numbers_and_the_ledger(told: Told) -> None:
    _, result, _ = told
    names = [name for name in materialized(result)["invoices"].metadata if not name.startswith("amount_open_")]
    wanted = [
        *("summary", "chart", "newest"),
        *("complete", "end", "end_proven", "api_total", "rows_fetched", "passes"),
        *("rows_new", "rows_changed", "rows_deleted", "rows_rejected", "rows_returned", "rows_unchanged"),
        *("table_rows", "requests", "seconds_total"),
    ]
    assert [name for name in names if name != "remarks"][: len(wanted)] == wanted
    assert names[-1] == "chart_by_currency"


def test_nothing_is_told_as_none_or_as_json(told: Told) -> None:
    _, result, _ = told
    for made in materialized(result).values():
        for name, value in made.metadata.items():
            assert not isinstance(value, dg.JsonMetadataValue), name
            assert value.value is not None, name


def test_the_rows_of_a_table_are_told_once(told: Told) -> None:
    _, result, _ = told
    for made in materialized(result).values():
        assert len({"dagster/row_count", "table_rows"} & made.metadata.keys()) == 1


def test_what_is_shown_in_place_is_short_enough_for_it(told: Told) -> None:
    _, result, _ = told
    metadata = materialized(result)["invoices"].metadata
    for name in ("summary", "chart"):
        assert len(str(metadata[name].value)) < 1000


def test_no_event_of_a_run_has_a_value_of_a_person(told: Told) -> None:
    project, result, book = told
    logged = "\n".join(dg.serialize_value(entry) for entry in project.instance.all_logs(result.run_id))
    assert "digits" in logged or "number" in logged
    for record in book.records:
        customer = record["customer"]
        for value in (customer["name"], customer["email"], f"ATU-{record['id']}", f"+43 660 {record['id']}"):
            assert value not in logged
            assert value.encode("ascii", "backslashreplace").decode() not in logged
