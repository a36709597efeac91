"""Columns come and widen without loss; what would lose something is refused, with the way out."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from invoices_assets.errors import TableRefused
from invoices_assets.load.request import Scope
from invoices_assets_tests.support.load_helpers import COLUMNS, Loader, invoice


@pytest.fixture
def loader(tmp_path: Path) -> Loader:
    return Loader(tmp_path / "invoices.duckdb", batch_rows=1)


def kinds(loader: Loader, table: str = "invoices") -> dict[str, str]:
    query = f"SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = '{table}'"
    return dict(loader.rows(query))


def test_a_field_that_first_comes_on_the_last_page_becomes_a_column(loader: Loader) -> None:
    loader.load([invoice(1), invoice(2), invoice(3, note="late")])
    assert loader.rows("SELECT id, note FROM {d}.invoices ORDER BY 1") == [
        ("i1", None),
        ("i2", None),
        ("i3", "late"),
    ]


def test_a_field_that_first_comes_in_a_later_load_becomes_a_column(loader: Loader) -> None:
    loader.load([invoice(1), invoice(2)])
    result = loader.load([invoice(1, note="late", line_items=[{"sku": "s0", "tax": 19}])], scope=Scope.PART)
    assert result.changed == 1
    assert loader.rows("SELECT id, note FROM {d}.invoices ORDER BY 1") == [("i1", "late"), ("i2", None)]
    assert loader.rows("SELECT max(tax), count(*) FROM {d}.invoices__line_items") == [(19, 3)]


def test_a_child_table_that_first_comes_in_a_later_load_is_made(loader: Loader) -> None:
    loader.load([invoice(1, lines=0), invoice(2, lines=0)])
    assert loader.load([invoice(1, lines=2), invoice(2, lines=0)]).changed == 1
    assert loader.rows("SELECT count(*) FROM {d}.invoices__line_items") == [(2,)]


def test_a_field_that_vanishes_is_null_in_rows_that_come_without_it(loader: Loader) -> None:
    loader.load([invoice(1, note="a"), invoice(2, note="b")])
    assert loader.load([invoice(1), invoice(2, note="b")]).changed == 1
    assert loader.rows("SELECT id, note FROM {d}.invoices ORDER BY 1") == [("i1", None), ("i2", "b")]


def test_a_newly_declared_column_is_filled_by_the_next_complete_sweep(loader: Loader) -> None:
    records = [invoice(1, due="2026-05-06"), invoice(2, due="2026-05-07")]
    del records[0]["due"]
    loader.load([{k: v for k, v in record.items() if k != "due"} for record in records])
    loader.columns["due"] = {"data_type": "date", "nullable": False}
    result = loader.load([invoice(1, due="2026-05-06"), invoice(2, due="2026-05-07")])
    assert result.changed == 2
    assert kinds(loader)["due"] == "DATE"


def test_numbers_then_text_in_one_sweep_become_text_with_plain_digits(loader: Loader) -> None:
    result = loader.load([invoice(1, ref=10), invoice(2, ref=Decimal("10.50")), invoice(3, ref="A-7")])
    assert loader.column("SELECT ref FROM {d}.invoices ORDER BY id") == ["10", "10.5", "A-7"]
    assert any("ref" in remark for remark in result.remarks)


def test_numbers_in_the_table_and_text_in_a_later_load_become_text(loader: Loader) -> None:
    loader.load([invoice(1, ref=100), invoice(2, ref=Decimal("0.50"))])
    result = loader.load([invoice(3, ref="A-7")], scope=Scope.PART)
    assert kinds(loader)["ref"] == "VARCHAR"
    assert loader.column("SELECT ref FROM {d}.invoices ORDER BY id") == ["100", "0.5", "A-7"]
    assert "the column invoices.ref was widened from DECIMAL(38,9) to VARCHAR" in result.remarks


def test_text_in_the_table_and_numbers_in_a_later_load_stay_text_and_equal(loader: Loader) -> None:
    loader.load([invoice(1, ref="A-7"), invoice(2, ref="12")])
    result = loader.load([invoice(1, ref="A-7"), invoice(2, ref=12)])
    assert result.unchanged == 2
    loader.load([invoice(3, ref=Decimal("1.25")), invoice(4, ref=True)], scope=Scope.PART)
    assert loader.column("SELECT ref FROM {d}.invoices ORDER BY id") == ["A-7", "12", "1.25", "true"]


@pytest.mark.parametrize("written", ["1.50", "1.5", "15e-1", "1E+2", "-0.0", "0.000000001"])
def test_a_number_among_texts_is_the_same_text_as_among_numbers(loader: Loader, written: str) -> None:
    loader.load([invoice(1, ref="A-7"), invoice(2, ref=Decimal(written))])
    assert loader.load([invoice(2, ref=Decimal(written))], scope=Scope.PART).unchanged == 1


def test_a_declared_number_with_more_digits_widens_its_column(loader: Loader) -> None:
    loader.columns["total"] = {"data_type": "decimal", "precision": 10, "scale": 2}
    loader.load([invoice(1)])
    loader.columns["total"] = {"data_type": "decimal", "precision": 38, "scale": 9}
    loader.load([invoice(1), invoice(2, total=Decimal("123456789012.123456789"))])
    assert kinds(loader)["total"] == "DECIMAL(38,9)"
    assert loader.column("SELECT total FROM {d}.invoices ORDER BY id") == [
        Decimal("1.1"),
        Decimal("123456789012.123456789"),
    ]


def test_a_declared_whole_number_that_becomes_a_decimal_widens_its_column(loader: Loader) -> None:
    loader.columns["total"] = {"data_type": "bigint"}
    loader.load([invoice(1, total=7)])
    loader.columns["total"] = COLUMNS["total"]
    assert loader.load([invoice(1, total=7)], scope=Scope.PART).unchanged == 1
    loader.load([invoice(2, total=Decimal("7.25"))], scope=Scope.PART)
    assert loader.column("SELECT total FROM {d}.invoices ORDER BY id") == [Decimal(7), Decimal("7.25")]


REFUSALS = {
    "double to decimal": (
        "total",
        {"data_type": "double"},
        COLUMNS["total"],
        1,
        "DOUBLE",
        r"DECIMAL\(38,9\)",
    ),
    "decimal to whole": ("total", COLUMNS["total"], {"data_type": "bigint"}, 1, None, None),
    "fewer digits": (
        "total",
        COLUMNS["total"],
        {"data_type": "decimal", "precision": 10, "scale": 2},
        1,
        None,
        None,
    ),
    "date to stamp": (
        "due",
        {"data_type": "date"},
        {"data_type": "timestamp"},
        "2026-01-01",
        "DATE",
        "TIMESTAMP",
    ),
    "text to number": ("total", {"data_type": "text"}, COLUMNS["total"], 1, "VARCHAR", "DECIMAL"),
    "key to number": ("id", {"data_type": "text"}, {"data_type": "bigint"}, 1, "VARCHAR", "BIGINT"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_change_of_declaration_is_stored_without_loss_or_refused(loader: Loader, case: str) -> None:
    column, before, after, value, old, new = REFUSALS[case]
    loader.columns[column] = before
    loader.load([invoice(1, 2, **{column: value})])
    stored = kinds(loader)
    loader.columns[column] = after
    if old is None:
        loader.load([invoice(1, 2, **{column: value})])
    else:
        with pytest.raises(TableRefused, match=f"{column} of invoicing.invoices .*{old}.*{new}.*move the table away"):
            loader.load([invoice(1, 2, **{column: value})])
    assert kinds(loader) == stored


def test_an_api_field_with_the_name_of_the_loaders_own_column_is_refused(loader: Loader) -> None:
    with pytest.raises(TableRefused, match="x-from: deleted_at"):
        loader.load([invoice(1, deleted_at="2026-01-01")])
    loader.columns["api_deleted_at"] = {"data_type": "text", "x-from": "deleted_at"}
    loader.load([invoice(1, deleted_at="2026-01-01")])
    assert loader.rows("SELECT api_deleted_at, deleted_at FROM {d}.invoices") == [("2026-01-01", None)]


@pytest.mark.parametrize("made", ["TABLE {t} (key TEXT)", "VIEW {t} AS SELECT 1 AS id"], ids=["table", "view"])
def test_a_table_of_rejected_records_that_is_not_ours_is_refused(loader: Loader, made: str) -> None:
    with duckdb.connect(str(loader.path)) as connection:
        connection.execute("CREATE SCHEMA invoicing")
        connection.execute(f"CREATE {made.format(t='invoicing.invoices_rejected')}")
    with pytest.raises(TableRefused, match="invoices_rejected was not made by this loader: it has no"):
        loader.load([invoice(1), invoice(2, id=None)])


@pytest.mark.parametrize("made", ["TABLE {t} (id TEXT)", "VIEW {t} AS SELECT 1 AS id"], ids=["table", "view"])
def test_a_table_that_is_not_ours_is_refused(loader: Loader, made: str) -> None:
    with duckdb.connect(str(loader.path)) as connection:
        connection.execute("CREATE SCHEMA invoicing")
        connection.execute(f"CREATE {made.format(t='invoicing.invoices')}")
    with pytest.raises(TableRefused, match=r"invoicing\.invoices"):
        loader.load([invoice(1)])


def test_declared_json_is_kept_as_json(loader: Loader) -> None:
    loader.columns["meta"] = {"data_type": "json"}
    records: list[dict[str, Any]] = [invoice(1, meta={"a": [1, 2]})]
    loader.load(records)
    assert kinds(loader)["meta"] == "JSON"
    assert loader.load(records).unchanged == 1


@pytest.mark.parametrize("precision", [0, 3])
def test_stamps_without_zone_of_any_precision_load_twice(loader: Loader, precision: int) -> None:
    loader.columns["paid"] = {"data_type": "timestamp", "timezone": False, "precision": precision}
    loader.load([invoice(1, paid="2026-01-01T10:00:00")])
    assert loader.load([invoice(1, paid="2026-01-01T10:00:00")]).unchanged == 1
    assert loader.load([invoice(1, paid="2026-01-01T10:00:01")]).changed == 1


@pytest.mark.parametrize("bits", [8, 32])
def test_whole_numbers_of_any_width_load_twice(loader: Loader, bits: int) -> None:
    loader.columns["count"] = {"data_type": "bigint", "precision": bits}
    loader.load([invoice(1, count=7)])
    assert loader.load([invoice(1, count=8)]).changed == 1


def test_fields_that_come_later_and_change_their_type_are_loaded(tmp_path: Path) -> None:
    loader = Loader(tmp_path / "invoices.duckdb", batch_rows=2)
    numbers = [invoice(n, x=n) for n in range(4)]
    texts = [invoice(n, x=f"text {n}", lines=3) for n in range(4, 8)]
    later = [invoice(n, x=n, z="late", line_items=[{"sku": 7, "extra": True}]) for n in range(8, 12)]
    result = loader.load([*numbers, *texts, *later], page=2)
    assert (result.new, loader.column("SELECT count(DISTINCT id) FROM {d}.invoices")) == (12, [12])
    some = "SELECT x FROM {d}.invoices WHERE id IN ('i1', 'i5', 'i9') ORDER BY id"
    assert loader.column(some) == ["1", "text 5", "9"]
    assert loader.column("SELECT count(*) FROM {d}.invoices__line_items") == [4 * 2 + 4 * 3 + 4]
