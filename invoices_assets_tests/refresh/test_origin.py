"""Rows and cursor are those of one address and one declaration; a change of either is seen."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from invoices_assets.errors import SourceError
from invoices_assets.extract.api import Api
from invoices_assets.redaction.redactor import Redactor
from invoices_assets.refresh.origin import Origin
from invoices_assets_tests.support.column_helpers import declared
from invoices_assets_tests.support.invoices import asked_since, invoice, stamped, without_lag
from invoices_assets_tests.support.loader import Loader
from invoices_assets_tests.support.project import Project
from invoices_assets_tests.support.rows import fingerprint
from invoices_assets_tests.support.sweep_helpers import config, spec_of
from invoices_assets_tests.vendor import Book, Contract, Vendor, serve

NEXT_START = stamped(-600)


@pytest.fixture
def book() -> Book:
    return Book([invoice("newest"), *(invoice(f"{at}", stamped(-7200), status="paid") for at in range(9))])


@pytest.fixture
def contract() -> Contract:
    return Contract(hides={"status": ["paid"]})


@pytest.fixture
def loader(tmp_path: Path, server: Vendor) -> Loader:
    return Loader(tmp_path, server.url, config(params={"show_all": "1"}))


# Another address


def test_rows_of_another_address_are_not_mixed_in(loader: Loader, book: Book) -> None:
    loader.refresh()
    with serve(book=Book([invoice("foreign", stamped(60))])) as other:
        before, first = fingerprint(loader.warehouse), loader.url
        loader.url = other.url
        with pytest.raises(
            SourceError, match=f"loaded from {first[7:]} so far, and the address now is {other.url[7:]}"
        ):
            loader.refresh()
        with pytest.raises(SourceError, match="one run with `mode: full` or `mode: reconcile` accepts the new address"):
            loader.refresh("full", since="2024-01-01T00:00:00Z")
        assert other.requests == []
    assert fingerprint(loader.warehouse) == before


@pytest.mark.parametrize("mode", ["full", "reconcile"])
def test_a_sweep_of_everything_accepts_a_new_address(loader: Loader, book: Book, mode: str) -> None:
    loader.refresh()
    with serve(book=book, contract=Contract(hides={"status": ["paid"]})) as moved:
        loader.url = moved.url
        done = loader.refresh(mode)
        assert (done.cursor_before, loader.cursor) == (None, stamped(0))
        assert [remark for remark in done.remarks if "the stored cursor was not relied on: it was made with" in remark]
        asked_since(moved)
        loader.refresh()
        assert asked_since(moved) == {NEXT_START}


def test_a_trial_at_a_new_address_does_not_accept_it(loader: Loader, book: Book) -> None:
    loader.refresh()
    with serve(book=book) as moved:
        loader.url = moved.url
        loader.refresh("full", limit=1)
        with pytest.raises(SourceError, match="the address now is"):
            loader.refresh()


def test_the_sandbox_may_move_to_another_port(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    project = Project(monkeypatch, tmp_path)
    assert project.run(limit=10).success
    assert project.run(limit=10).success


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://api.vendor.example", "https://API.vendor.example/"),
        ("https://api.vendor.example/v2", "https://user@api.vendor.example/v2/?a=b"),
    ],
)
def test_an_address_is_the_same_in_another_notation(one: str, other: str) -> None:
    state = Origin.of(declared({}), one).state
    assert Origin.of(declared({}), other).other_address(state) is None


def test_nothing_of_the_key_is_in_the_address() -> None:
    key = "k3y-in-the-path"
    api = Api(f"https://api.vendor.example/{key}/v1", key, Redactor([key]))
    assert key not in str(Origin.of(declared({}), api.address).state)


# Another declaration


def changed(content: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The content with other hints of columns."""
    content["resources"][0]["columns"].update(changes)
    return content


def test_a_corrected_scale_is_applied_to_every_row(loader: Loader, server: Vendor) -> None:
    loader.refresh()
    asked_since(server)
    money = {"data_type": "decimal", "precision": 38, "scale": 9, "x-scale": -2}
    loader.content = changed(config(params={"show_all": "1"}), total=money)
    done = loader.refresh()
    assert loader.query("SELECT DISTINCT total FROM invoices") == [(Decimal("0.1"),)]
    assert asked_since(server) == {None}
    assert done.remarks == [
        "the stored cursor was not relied on: the declaration of `invoices` has changed since (columns)"
    ]
    done = loader.refresh()
    assert (done.remarks, asked_since(server)) == ([], {NEXT_START})


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"path": "/v1/invoices/"}, "path"),
        ({"params": {"show_all": "1", "sort": "id"}}, "params"),
        ({"headers": {"X-Tenant": "2"}}, "params"),
        ({"data_selector": "$.data"}, "data_selector"),
        ({"incremental": {"cursor_path": "$.updated_at", "start_param": "updated_since", "lag": 600}}, "incremental"),
        ({"paginator": {"type": "json_link", "next_url_path": "next"}}, "paginator"),
        ({"paginator": {"type": "offset", "limit": 100, "total_path": None}}, "paginator"),
    ],
)
def test_each_part_of_the_declaration_counts(change: dict[str, Any], part: str) -> None:
    before, now = (
        Origin.of(spec_of(content), None) for content in (config(params={"show_all": "1"}), config(**change))
    )
    assert part in now.changed_parts(before.state)


def test_the_size_of_a_page_may_change() -> None:
    before, now = (
        Origin.of(spec_of(config(paginator={"type": "offset", "limit": limit})), None) for limit in (100, 50)
    )
    assert now.changed_parts(before.state) == []


def test_a_filter_that_shows_more_brings_what_it_hid(loader: Loader) -> None:
    loader.content = config()
    loader.refresh()
    assert loader.query("SELECT count(*) FROM invoices") == [(1,)]
    loader.content = config(params={"show_all": "1"})
    loader.refresh()
    assert loader.query("SELECT count(*) FROM invoices") == [(10,)]


def test_what_says_nothing_of_rows_may_change(loader: Loader, server: Vendor) -> None:
    loader.refresh()
    asked_since(server)
    incremental = {"cursor_path": "updated_at", "start_param": "updated_since", "lag": 60}
    loader.content = config(
        params={"show_all": "1"},
        incremental=incremental,
        paginator={"type": "offset", "limit": 7, "total_path": "total"},
    )
    loader.content["resources"][0]["columns"]["total"]["description"] = "Including tax"
    assert loader.refresh().remarks == []
    assert asked_since(server) == {stamped(-60)}


def test_hints_that_only_tell_what_values_mean_keep_the_cursor() -> None:
    before, now = config(), config()
    columns = now["resources"][0]["columns"]
    for column in before["resources"][0]["columns"].values():
        for hint in [hint for hint in column if hint.startswith("x-")]:
            del column[hint]
    columns["number"] |= {"x-pii": True, "description": "As printed"}
    columns["subtotal_lines"] = {"x-table": True}
    columns["total"] |= {"x-sum-of": "line_items.net", "x-tolerance": 0.01}
    state = Origin.of(spec_of(before), None).state
    assert Origin.of(spec_of(now), None).changed_parts(state) == []


def test_a_change_is_not_forgotten_by_a_run_that_asks_for_less(loader: Loader, server: Vendor) -> None:
    loader.refresh()
    loader.content = changed(config(params={"show_all": "1"}), total={"data_type": "decimal", "x-scale": -2})
    loader.refresh(since=stamped(0))
    loader.refresh(limit=1)
    asked_since(server)
    loader.refresh()
    assert asked_since(server) == {None}
    assert loader.query("SELECT DISTINCT total FROM invoices") == [(Decimal("0.1"),)]


def test_a_state_of_an_older_version_is_believed_once(
    loader: Loader, server: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setattr(Origin, "state", {})
        loader.refresh()
    assert "loaded_from" not in loader.state
    asked_since(server)
    loader.content = changed(config(params={"show_all": "1"}), total={"data_type": "decimal", "x-scale": -2})
    assert loader.refresh().remarks == []
    assert asked_since(server) == {NEXT_START}
    assert loader.state["loaded_from"]["address"] == server.url[7:]


# Less asked for than before


@pytest.mark.parametrize("column", [{"data_type": "timestamp"}, {"data_type": "timestamp", "timezone": False}])
def test_only_what_was_asked_for_can_be_found_deleted(loader: Loader, book: Book, column: dict[str, Any]) -> None:
    loader.content = changed(config(params={"show_all": "1"}), updated_at=column)
    book.insert(invoice("later", stamped(5)))
    loader.refresh()
    incremental = {"cursor_path": "updated_at", "start_param": "updated_since", "initial_value": stamped(-60)}
    loader.content = changed(config(params={"show_all": "1"}, incremental=incremental), updated_at=column)
    book.delete("newest")
    assert loader.load("reconcile", max_deleted_share=0.5).deleted == 1
    assert loader.query("SELECT id FROM invoices WHERE deleted_at IS NOT NULL") == [("newest",)]


def test_what_cannot_be_compared_with_the_initial_value_is_not_found_deleted_and_that_is_told(
    loader: Loader, book: Book
) -> None:
    incremental = {"cursor_path": "updated_at", "start_param": "updated_since", "initial_value": stamped(-9000)}
    loader.content = config(params={"show_all": "1"}, incremental=incremental)
    del loader.content["resources"][0]["columns"]["updated_at"]
    loader.refresh()
    book.delete("3")
    done = loader.refresh("reconcile")
    assert loader.query("SELECT count(*) FROM invoices WHERE deleted_at IS NULL") == [(10,)]
    assert [remark for remark in done.remarks if remark.startswith("what is gone cannot be told: `updated_at`")]


def test_what_declarations_were_called_before_there_were_more_hints_is_what_they_are_called_now() -> None:
    """Else every cursor that is stored would be given up by an update of this project."""
    incremental = {**without_lag(), "end_param": "to", "initial_value": "2019-01-01"}
    content = config(incremental=incremental, paginator={"type": "header_cursor", "cursor_key": "Next"})
    content["resources"][0]["columns"]["total"] = {"data_type": "decimal", "x-from": "sum.gross", "x-scale": -2}
    assert Origin.of(spec_of(content), None).parts == {
        "path": "80dbbe6653417d4a",
        "params": "679f62ecdc54c727",
        "data_selector": "519b3ed503c6a825",
        "paginator": "9288547fc9a001d4",
        "columns": "dd30c99c32226f67",
        "primary_key": "df2a5f59d58e2b6e",
        "incremental": "0603badc3273c5f4",
        "window": "ce60124bffefd99e",
    }
