"""A tombstone marks the deletion of the row with its key; of versions with one key, one counts."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from invoices_assets.errors import DeletionRefused
from invoices_assets.load.request import Scope
from invoices_assets_tests.support.load_helpers import COLUMNS, NOW, Loader, invoice

LATER = NOW + timedelta(days=1)
SCOPES = [Scope.PART, Scope.EVERYTHING, Scope.EVERYTHING_MARK_DELETED]
REQUIRED = {**COLUMNS, "total": {**COLUMNS["total"], "nullable": False}}
DELETED: dict[str, Any] = {**REQUIRED, "deleted": {"data_type": "bool", "hard_delete": True}}
REMOVED_AT: dict[str, Any] = {**REQUIRED, "removed_at": {"data_type": "timestamp", "hard_delete": True}}
VERSION: dict[str, Any] = {**COLUMNS, "version": {"data_type": "bigint", "dedup_sort": "desc"}}


def loader_of(folder: Path, columns: dict[str, Any], records: int = 10) -> Loader:
    loader = Loader(folder / "invoices.duckdb", columns=columns)
    loader.load(invoice(n) for n in range(records))
    return loader


@pytest.fixture
def loader(tmp_path: Path) -> Loader:
    return loader_of(tmp_path, DELETED)


def tombstone(number: int, **fields: Any) -> dict[str, Any]:
    return {"id": f"i{number}", "deleted": True, **fields}


def others(*numbers: int) -> list[dict[str, Any]]:
    return [invoice(n) for n in range(10) if n not in numbers]


@pytest.mark.parametrize("scope", SCOPES)
def test_a_tombstone_marks_its_row_and_changes_nothing_else_of_it(loader: Loader, scope: Scope) -> None:
    before = loader.rows("SELECT * EXCLUDE (deleted_at, _dlt_load_id) FROM {d}.invoices ORDER BY id")
    records = [tombstone(3, updated_at="2026-03-01T00:00:00Z"), *(others(3) if scope is not Scope.PART else [])]
    result = loader.load(records, scope=scope, now=LATER)
    assert (result.deleted, result.changed, result.new, result.rejected, result.live_rows) == (1, 0, 0, 0, 9)
    assert loader.rows("SELECT id, deleted_at FROM {d}.invoices WHERE deleted_at IS NOT NULL") == [("i3", LATER)]
    assert loader.rows("SELECT * EXCLUDE (deleted_at, _dlt_load_id) FROM {d}.invoices ORDER BY id") == before
    assert loader.rows("SELECT count(*) FROM {d}.invoices__line_items") == [(20,)]


def test_a_tombstone_for_a_key_that_the_table_does_not_have_inserts_nothing(loader: Loader) -> None:
    result = loader.load([tombstone(77), tombstone(78, line_items=[{"sku": "x"}])], scope=Scope.PART)
    assert (result.deleted, result.new, result.table_rows) == (0, 0, 10)
    assert loader.rows("SELECT count(*) FROM {d}.invoices__line_items") == [(20,)]


def test_tombstones_alone_make_no_row_of_a_first_load(tmp_path: Path) -> None:
    loader = Loader(tmp_path / "invoices.duckdb", columns=DELETED)
    result = loader.load([invoice(1, deleted=False), tombstone(2)])
    assert (result.new, result.deleted, result.table_rows) == (1, 0, 1)


def test_a_tombstone_that_comes_again_marks_nothing_again(loader: Loader) -> None:
    loader.load([tombstone(3)], scope=Scope.PART)
    result = loader.load([tombstone(3)], scope=Scope.PART, now=LATER)
    assert (result.deleted, result.load_id) == (0, None)


@pytest.mark.parametrize("scope", SCOPES)
def test_a_record_that_comes_without_the_mark_is_live_again(loader: Loader, scope: Scope) -> None:
    loader.load([tombstone(3)], scope=Scope.PART)
    records = [invoice(3, deleted=False), *(others(3) if scope is not Scope.PART else [])]
    result = loader.load(records, scope=scope)
    assert (result.returned, result.deleted, result.live_rows) == (1, 0, 10)


@pytest.mark.parametrize(("value", "is_deleted"), [("2026-02-01T00:00:00Z", True), (None, False), ("", False)])
def test_a_hint_on_another_type_marks_where_there_is_a_value(tmp_path: Path, value: Any, is_deleted: bool) -> None:
    loader = loader_of(tmp_path, REMOVED_AT)
    result = loader.load([invoice(3, removed_at=value)], scope=Scope.PART)
    assert result.deleted == is_deleted
    assert loader.column("SELECT count(*) FROM {d}.invoices WHERE deleted_at IS NOT NULL") == [is_deleted]


def test_a_live_record_still_must_have_what_is_declared_so(loader: Loader) -> None:
    result = loader.load([tombstone(3), {"id": "i4", "deleted": False}], scope=Scope.PART)
    assert (result.rejected, result.deleted) == (1, 1)
    assert loader.column("SELECT key FROM {d}.invoices_rejected") == ["i4"]


def test_a_flag_that_is_neither_true_nor_false_is_no_tombstone(loader: Loader) -> None:
    result = loader.load([invoice(3, deleted="perhaps")], scope=Scope.PART)
    assert (result.rejected, result.deleted) == (1, 0)


def test_a_tombstone_settles_the_rejection_of_its_record(loader: Loader) -> None:
    loader.load([invoice(99, issue_date="soon")], scope=Scope.PART)
    assert loader.column("SELECT count(*) FROM {d}.invoices_rejected") == [1]
    loader.load([tombstone(99)], scope=Scope.PART)
    assert loader.column("SELECT count(*) FROM {d}.invoices_rejected") == [0]


def test_the_limit_of_deletions_is_for_what_is_missing_only(loader: Loader) -> None:
    dead = [tombstone(n) for n in range(7)]
    with pytest.raises(DeletionRefused, match="3 of 10 records"):
        loader.load(dead)
    assert loader.load([*dead, invoice(7), invoice(8)]).deleted == 8


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("page", [1, 2, 100])
def test_the_version_that_is_first_in_the_declared_order_counts(tmp_path: Path, order: str, page: int) -> None:
    columns = {**COLUMNS, "version": {"data_type": "bigint", "dedup_sort": order}}
    loader = Loader(tmp_path / "invoices.duckdb", columns=columns)
    versions = [invoice(n, lines=v + 1, total=Decimal(v), version=v) for v in (2, 9, 10, 1) for n in (0, 1)] + [
        invoice(0, version=None)
    ]
    loader.load(versions, page=page)
    best = 10 if order == "desc" else 1
    assert loader.rows("SELECT id, version, total FROM {d}.invoices ORDER BY id") == [
        ("i0", best, Decimal(best)),
        ("i1", best, Decimal(best)),
    ]
    assert loader.rows("SELECT count(*) FROM {d}.invoices__line_items") == [(2 * (best + 1),)]


def test_a_tombstone_is_one_of_the_versions(tmp_path: Path) -> None:
    loader = loader_of(tmp_path, {**DELETED, **VERSION})
    records = [tombstone(1, version=2), invoice(1, version=1), tombstone(2, version=1), invoice(2, version=2)]
    result = loader.load(records, scope=Scope.PART)
    assert result.deleted == 1
    assert loader.column("SELECT id FROM {d}.invoices WHERE deleted_at IS NOT NULL") == ["i1"]
    assert loader.column("SELECT version FROM {d}.invoices WHERE id = 'i2'") == [2]
