"""Tables that plain dlt has written under the same names: continued where that is safe, refused where not."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import dlt
import pytest

from invoices_assets.errors import TableRefused
from invoices_assets_tests.support.load_helpers import Loader, exact, invoice


@pytest.fixture
def loader(tmp_path: Path) -> Loader:
    return Loader(tmp_path / "invoices.duckdb")


def write_plainly(loader: Loader, records: list[dict[str, Any]], **hints: Any) -> None:
    """What somebody has who ran dlt without this project."""
    pipeline = dlt.pipeline(
        "by_hand",
        pipelines_dir=str(loader.path.parent / "dlt"),
        destination=dlt.destinations.duckdb(str(loader.path)),
        dataset_name=loader.dataset,
    )
    pipeline.run(records, table_name="invoices", primary_key="id", **hints)
    pipeline.deactivate()


DECIMALS = {"total": {"data_type": "decimal"}, "issue_date": {"data_type": "date"}}


@pytest.mark.parametrize("strategy", ["delete-insert", "upsert"])
def test_a_table_that_plain_dlt_merged_is_continued(loader: Loader, strategy: str) -> None:
    records = [invoice(n, line_items=[{"sku": f"s{i}", "count": i} for i in range(2)]) for n in range(10)]
    disposition = {"disposition": "merge", "strategy": strategy}
    write_plainly(loader, records, write_disposition=disposition, columns=DECIMALS)
    assert loader.load(exact(records[1:])).deleted == 1
    assert loader.rows("SELECT count(*), sum(total) FROM {d}.invoices") == [(10, Decimal(46))]
    assert loader.rows("SELECT count(*), sum(count) FROM {d}.invoices__line_items") == [(20, Decimal(10))]
    assert loader.rows(
        "SELECT count(*) FROM {d}.invoices__line_items WHERE _dlt_root_id NOT IN (SELECT _dlt_id FROM {d}.invoices)"
    ) == [(0,)]
    assert loader.load(exact(records[1:])).load_id is None


def test_an_id_that_plain_dlt_appended_twice_is_one_row_afterwards(loader: Loader) -> None:
    records = [invoice(n, lines=0) for n in range(3)]
    for _ in range(2):
        write_plainly(loader, records, write_disposition="append", columns=DECIMALS)
    loader.load(exact(records))
    assert loader.rows("SELECT id, count(*) FROM {d}.invoices GROUP BY 1 ORDER BY 1") == [
        ("i0", 1),
        ("i1", 1),
        ("i2", 1),
    ]


def test_values_split_over_variant_columns_are_refused(loader: Loader) -> None:
    loader.columns["paid"] = {"data_type": "decimal"}
    records = [{"id": "a", "paid": 10}, {"id": "b", "paid": 10.5}]
    write_plainly(loader, records, write_disposition="merge")
    with pytest.raises(TableRefused, match=r"invoicing\.invoices .*paid__v_double.*duckdb_path"):
        loader.load([invoice(1)])


def test_money_that_plain_dlt_stored_as_floats_is_refused(loader: Loader) -> None:
    write_plainly(loader, [{"id": "a", "total": 10.5}], write_disposition="merge")
    with pytest.raises(TableRefused, match=r"total of invoicing\.invoices has the type DOUBLE"):
        loader.load([invoice(1)])


def test_whole_numbers_that_plain_dlt_stored_are_widened(loader: Loader) -> None:
    write_plainly(loader, [{"id": "a", "total": 10}], write_disposition="merge")
    result = loader.load([{"id": "a", "total": Decimal("10.25")}])
    assert "the column invoices.total was widened from BIGINT to DECIMAL(38,9)" in result.remarks
    assert loader.rows("SELECT id, total FROM {d}.invoices") == [("a", Decimal("10.25"))]


def test_child_rows_that_do_not_name_their_record_are_refused(loader: Loader) -> None:
    write_plainly(loader, [{"id": "a", "line_items": [{"sku": "s"}]}], write_disposition="append")
    with pytest.raises(TableRefused, match=r"invoices__line_items .*_dlt_root_id"):
        loader.load([invoice(1)])
