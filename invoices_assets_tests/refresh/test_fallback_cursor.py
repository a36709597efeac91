"""A change stamp that is null until the first edit: a declared fallback is the cursor where it is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from invoices_assets_tests.support.invoices import NOON, asked_since, invoice, stamped
from invoices_assets_tests.support.loader import Loader
from invoices_assets_tests.support.sweep_helpers import config, spec_of
from invoices_assets_tests.vendor import Book, Contract, Filter, Vendor

FALLBACK = {"data_type": "timestamp", "x-from": ["edited_at", "made_at"]}


def fallback(cursor_path: str) -> dict[str, Any]:
    content = config(incremental={"cursor_path": cursor_path, "start_param": "updated_since", "lag": 600})
    content["resources"][0]["columns"]["changed_at"] = FALLBACK
    return content


def edited(id: str, edited_at: str | None, made_at: str = NOON) -> dict[str, Any]:
    """The API filters by `updated_at`, which is not among what the source file declares as its stamp."""
    return invoice(id, edited_at or made_at, edited_at=edited_at, made_at=made_at)


@pytest.fixture
def contract() -> Contract:
    return Contract(filters=(Filter(),))


@pytest.fixture
def book() -> Book:
    return Book([edited("1", None), edited("2", None, stamped(-7200)), edited("3", stamped(-60))])


@pytest.fixture
def loader(tmp_path: Path, server: Vendor) -> Loader:
    loader = Loader(tmp_path, server.url, fallback("changed_at"))
    loader.refresh()
    return loader


def cursor_of(loader: Loader, path: str) -> Any:
    return loader.state["incremental"].get(path, {}).get("last_value")


def test_the_cursor_is_the_furthest_of_what_the_column_gets(loader: Loader, book: Book, server: Vendor) -> None:
    assert cursor_of(loader, "changed_at") == NOON
    asked_since(server)
    book.insert(edited("4", None, stamped(60)))
    book.update("2", edited_at=stamped(120), updated_at=stamped(120))
    result = loader.load()
    assert (result.new, result.changed) == (1, 1)
    assert cursor_of(loader, "changed_at") == stamped(120)
    assert asked_since(server) == {stamped(-600)}
    assert loader.query("SELECT id FROM invoices WHERE changed_at IS NULL") == []


def test_a_refresh_that_finds_nothing_new_sees_its_overlap_again(loader: Loader, server: Vendor) -> None:
    asked_since(server)
    assert loader.load().load_id is None
    assert asked_since(server) == {stamped(-600)}


def test_named_by_the_first_field_it_is_that_field_alone(loader: Loader, book: Book, server: Vendor) -> None:
    loader.content = fallback("edited_at")
    cursor = loader.refresh().swept.cursor
    assert cursor is not None
    assert cursor.without_stamp == 2
    asked_since(server)
    loader.refresh()
    assert asked_since(server) == {None}, "what the filter may not show is asked for without it"


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("changed_at", ("edited_at", "made_at")),
        ("edited_at", ("edited_at",)),
        ("made_at", ("made_at",)),
        ("renamed", ("vendors_name",)),
        ("vendors_name", ("vendors_name",)),
        ("updated_at", ("updated_at",)),
    ],
)
def test_a_cursor_path_is_a_field_or_the_name_of_a_column(path: str, fields: tuple[str, ...]) -> None:
    content = fallback("updated_at")
    content["resources"][0]["columns"]["renamed"] = {"data_type": "timestamp", "x-from": "vendors_name"}
    assert spec_of(content).fields_of(path) == fields
