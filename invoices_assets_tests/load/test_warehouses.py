"""The same loads into every kind of shared warehouse: exact, in whatever was there before."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from invoices_assets.errors import (
    DeletionRefused,
    NotContinuous,
    WarehouseUnusable,
)
from invoices_assets.load.inspect import has_rows, known_state
from invoices_assets.load.reports.audit import audit
from invoices_assets.load.request import Scope, Stretch
from invoices_assets.load.saved_state import cursor_state
from invoices_assets_tests.support.load_helpers import NOW, exact, invoice
from invoices_assets_tests.support.state import read_state
from invoices_assets_tests.support.warehouses import KINDS, SHARED, SharedLoader, execute


@pytest.mark.parametrize("loader", KINDS, indirect=True)
def test_rows_arrive_exactly_and_a_second_load_writes_nothing(loader: SharedLoader) -> None:
    records = [invoice(n, note="" if n % 2 else None) for n in range(30)]
    first = loader.load(records, state=cursor_state("updated_at", None, "1"))
    assert (first.new, first.table_rows, first.live_rows) == (30, 30, 30)
    assert loader.rows("SELECT id, total, note FROM {d}.invoices WHERE id IN ('i3', 'i4') ORDER BY 1") == [
        ("i3", Decimal("3.100000000"), ""),
        ("i4", Decimal("4.100000000"), None),
    ]
    assert loader.rows("SELECT count(*), sum(amount) FROM {d}.invoices__line_items") == [
        (60, sum(Decimal(n) * 2 + Decimal("0.25") for n in range(30)))
    ]
    second = loader.load(records, state=cursor_state("updated_at", None, "1"))
    assert (second.unchanged, second.load_id) == (30, None)
    assert loader.rows("SELECT count(*) FROM {d}._dlt_loads") == [(1,)]


@pytest.mark.parametrize("loader", KINDS, indirect=True)
def test_a_tombstone_marks_its_row_and_the_latest_version_counts(loader: SharedLoader) -> None:
    loader.columns |= {
        "deleted": {"data_type": "bool", "hard_delete": True},
        "version": {"data_type": "bigint", "dedup_sort": "desc"},
    }
    loader.history = True
    loader.load(invoice(n, version=1) for n in range(5))
    changes = [{"id": "i3", "deleted": True, "version": 2}, invoice(4, version=3), invoice(4, version=2)]
    result = loader.load(changes, page=1, scope=Scope.PART)
    assert (result.deleted, result.changed, result.live_rows) == (1, 1, 4)
    assert loader.rows("SELECT id, version, deleted_at FROM {d}.invoices WHERE id > 'i2' ORDER BY id") == [
        ("i3", 1, NOW),
        ("i4", 3, None),
    ]
    present = "SELECT deleted_at FROM {d}.invoices_history WHERE id = 'i3' AND valid_to IS NULL"
    assert loader.column(present) == [NOW]


COLUMNS: dict[str, dict[str, Any]] = {
    "id": {"data_type": "bigint"},
    "amount": {"data_type": "decimal", "precision": 38, "scale": 9},
    "rate": {"data_type": "double"},
    "at": {"data_type": "timestamp"},
    "local": {"data_type": "timestamp", "timezone": False},
    "second": {"data_type": "timestamp", "timezone": False, "precision": 0},
    "day": {"data_type": "date"},
    "clock": {"data_type": "time"},
    "extra": {"data_type": "json"},
    "paid": {"data_type": "bool"},
}


def test_every_type_comes_back_as_it_was_sent_and_is_the_same_when_it_comes_again(loader: SharedLoader) -> None:
    loader.columns = COLUMNS
    record = {
        "id": 2**63 - 1,
        "amount": Decimal("-99999999999999999999999999999.999999999"),
        "rate": Decimal("0.1"),
        "at": "2026-03-29T02:30:00.123456+01:00",
        "local": "1969-12-31T23:59:59.999999",
        "second": "2026-01-01T00:00:01",
        "day": "0001-01-01",
        "clock": "23:59:59.999999",
        "extra": {"b": 1, "a": [Decimal("1.50"), None], "text": "ä \\ \" '"},
        "paid": False,
        "unicode": "\u2028 😀 \t\\N",
        "number": Decimal("1234567890.123456789"),
    }
    loader.load([record])
    (found,) = loader.rows("""
        SELECT id, amount, rate, CAST("at" AT TIME ZONE 'UTC' AS VARCHAR), CAST("local" AS VARCHAR),
        CAST("second" AS VARCHAR), CAST("day" AS VARCHAR), CAST("clock" AS VARCHAR), CAST(extra AS VARCHAR), paid,
        "unicode", number FROM {d}.invoices""")
    assert found[:3] == (record["id"], record["amount"], 0.1)
    assert found[3:6] == ("2026-03-29 01:30:00.123456", "1969-12-31 23:59:59.999999", "2026-01-01 00:00:01")
    assert found[6:8] == ("0001-01-01", "23:59:59.999999")
    assert exact(found[8]) == found[8]
    assert '"a":[1.50,null]' in found[8].replace(" ", "")
    assert found[9:] == (False, record["unicode"], record["number"])
    assert loader.load([record]).unchanged == 1


@pytest.mark.parametrize("scope", [Scope.EVERYTHING_MARK_DELETED, Scope.PART])
def test_changes_replace_rows_and_their_child_rows(loader: SharedLoader, scope: Scope) -> None:
    first = loader.load(invoice(n, lines=3) for n in range(6))
    changes = [invoice(0, lines=1), invoice(1, lines=3, total=77), invoice(6)]
    others = [invoice(n, lines=3) for n in range(2, 6)] if scope.is_everything else []
    second = loader.load([*changes, *others], scope=scope)
    assert (second.new, second.changed, second.unchanged) == (1, 2, len(others))
    assert loader.rows("SELECT _dlt_load_id, count(*) FROM {d}.invoices GROUP BY 1 ORDER BY 1") == [
        (first.load_id, 4),
        (second.load_id, 3),
    ]
    assert loader.rows("SELECT count(*) FROM {d}.invoices__line_items") == [(1 + 5 * 3 + 2,)]


def test_what_vanishes_is_marked_and_what_returns_is_not(loader: SharedLoader) -> None:
    loader.load(invoice(n) for n in range(10))
    assert loader.load(invoice(n) for n in range(9)).deleted == 1
    assert loader.rows("SELECT id FROM {d}.invoices WHERE deleted_at = '" + NOW.isoformat() + "'") == [("i9",)]
    assert loader.load([invoice(9)], scope=Scope.PART).returned == 1
    with pytest.raises(DeletionRefused):
        loader.load([invoice(1)])


def test_nothing_is_read_where_nothing_is_and_the_state_comes_back(loader: SharedLoader) -> None:
    assert known_state(loader.settings, "invoices").state == {}
    assert not has_rows(loader.settings, "invoices", live=True)
    assert not loader.path.parent.joinpath("lake.files").exists()
    state = cursor_state("updated_at", "2020", "2026")
    loader.load([invoice(1), invoice(2, total="a lot")], state=state)
    assert read_state(loader.settings, "invoices") == state
    assert known_state(loader.settings, "invoices").state == state
    assert has_rows(loader.settings, "invoices", live=True)
    assert sum(audit(loader.settings, loader.resource).rejected.values()) == 1
    loader.load([invoice(2)], scope=Scope.PART)
    assert sum(audit(loader.settings, loader.resource).rejected.values()) == 0


@pytest.mark.parametrize("loader", SHARED, indirect=True)
def test_a_schema_whose_name_postgresql_would_cut_is_refused(loader: SharedLoader) -> None:
    loader.dataset = "n" * 64
    with pytest.raises(WarehouseUnusable, match=r"n{64} has a name longer than the 63 bytes that PostgreSQL keeps"):
        loader.load([invoice(1)])
    assert execute(loader.dsn, "SELECT nspname FROM pg_namespace WHERE nspname LIKE '%nnnnn'") == []


@pytest.mark.parametrize("loader", SHARED, indirect=True)
def test_the_overlap_of_a_refresh_has_to_come_back(loader: SharedLoader) -> None:
    loader.load(invoice(n) for n in range(3))
    stamp = datetime.fromisoformat("2026-02-03T04:05:06Z")
    overlap = Stretch("updated_at", stamp - timedelta(minutes=10), stamp)
    assert loader.load([invoice(2)], scope=Scope.PART, overlap=overlap).unchanged == 1
    with pytest.raises(NotContinuous):
        loader.load([invoice(7)], scope=Scope.PART, overlap=overlap)
    assert loader.rows("SELECT count(*) FROM {d}.invoices") == [(3,)]
    before = Stretch("updated_at", stamp - timedelta(minutes=10), stamp - timedelta(seconds=1))
    assert loader.load([invoice(7)], scope=Scope.PART, overlap=before).new == 1


@pytest.mark.parametrize("loader", KINDS, indirect=True)
def test_columns_are_added_and_widened(loader: SharedLoader) -> None:
    loader.columns |= {"count": {"data_type": "bigint"}}
    loader.load([invoice(1, ref=5, count=7), invoice(2, ref=Decimal("5.50"), count=8)])
    loader.columns |= {"count": {"data_type": "decimal", "precision": 38, "scale": 9}}
    changed = loader.load([invoice(3, ref="A-7", note="late", count=Decimal("1.5"))], scope=Scope.PART)
    assert any("ref was widened from DECIMAL(38,9) to VARCHAR" in remark for remark in changed.remarks)
    assert loader.rows('SELECT id, ref, note, "count" FROM {d}.invoices ORDER BY 1') == [
        ("i1", "5", None, Decimal(7)),
        ("i2", "5.5", None, Decimal(8)),
        ("i3", "A-7", "late", Decimal("1.5")),
    ]
    assert loader.load([invoice(3, ref="A-7", note="late", count=Decimal("1.5"))], scope=Scope.PART).unchanged == 1


@pytest.mark.parametrize("loader", KINDS, indirect=True)
def test_history_is_kept(loader: SharedLoader) -> None:
    loader.history = True
    loader.load([invoice(1), invoice(2)])
    assert loader.load([invoice(1, total=5), invoice(2)]).versions == 1
    query = "SELECT total, valid_to IS NULL FROM {d}.invoices_history WHERE id = 'i1' ORDER BY valid_from"
    assert loader.rows(query) == [(Decimal("1.1"), False), (Decimal(5), True)]
