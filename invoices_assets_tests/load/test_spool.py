"""A sweep on disk: what was added is what is there, whatever the batches were."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from invoices_assets.extract.page import Page
from invoices_assets.load.spool import Spool, SpooledSweep, rejected_id
from invoices_assets.normalize.batches import Batches
from invoices_assets.normalize.converter import Converter
from invoices_assets_tests.support.column_helpers import declared
from invoices_assets_tests.support.load_helpers import COLUMNS, invoice


def spooled(folder: Path, records: list[dict[str, Any]], **options: Any) -> SpooledSweep:
    spool = Spool(folder, "invoices")
    batches = Batches(Converter(declared(COLUMNS)), spool.append, **options)
    for start in range(0, len(records), 7):
        batches.add(Page(records[start : start + 7]))
    batches.finish()
    return spool.finish()


def stored(sweep: SpooledSweep, table: str) -> pa.Table:
    return pa.concat_tables([pq.read_table(path) for path, _ in sweep.files[table]], promote_options="permissive")


@pytest.mark.parametrize("batch_rows", [1, 10, 1000])
def test_all_records_are_there_once_and_in_order(tmp_path: Path, batch_rows: int) -> None:
    sweep = spooled(tmp_path, [invoice(n) for n in range(50)], batch_rows=batch_rows)
    assert stored(sweep, "invoices")["id"].to_pylist() == [f"i{n}" for n in range(50)]
    assert (sweep.rows, sweep.table_rows["invoices__line_items"]) == (50, 100)


def test_batches_of_one_shape_share_a_file(tmp_path: Path) -> None:
    sweep = spooled(tmp_path, [invoice(n) for n in range(50)], batch_rows=5)
    assert {table: len(files) for table, files in sweep.files.items()} == {
        "invoices": 1,
        "invoices__line_items": 1,
    }


def test_a_batch_that_lacks_a_column_still_shares_the_file(tmp_path: Path) -> None:
    records = [invoice(n, 2, **({"note": "x"} if n % 2 == 0 else {})) for n in range(8)]
    sweep = spooled(tmp_path, records, batch_rows=1)
    assert len(sweep.files["invoices"]) == 1
    assert stored(sweep, "invoices")["note"].null_count == 4


def test_an_empty_sweep_has_no_files(tmp_path: Path) -> None:
    sweep = spooled(tmp_path, [])
    assert (sweep.rows, sweep.files, sweep.rejected_files) == (0, {}, [])


def test_an_id_comes_once_in_a_batch(tmp_path: Path) -> None:
    sweep = spooled(tmp_path, [invoice(1), invoice(2), invoice(1), invoice(1)], batch_rows=100)
    table = stored(sweep, "invoices").select(["id", "_dlt_spool_seq"])
    rows = [tuple(row.values()) for row in table.to_pylist()]
    assert [id_ for id_, _ in rows] == ["i1", "i2", "i1", "i1"]
    assert len(set(rows)) == 4
    assert [seq for _, seq in rows] == sorted(seq for _, seq in rows)


def test_rejected_records_are_counted_and_kept(tmp_path: Path) -> None:
    sweep = spooled(tmp_path, [invoice(1), invoice(2, total="much"), {"total": Decimal(1)}])
    assert (sweep.rows, sweep.rejected) == (1, 2)
    assert pq.read_table(sweep.rejected_files[0])["key"].to_pylist() == ["i2", None]


def test_a_rejection_has_the_same_id_every_time_and_another_for_another_reason() -> None:
    assert rejected_id("a", "{}", "why") == rejected_id("a", "{}", "why")
    assert len({rejected_id("a", "{}", why) for why in ("x", "y", "z")}) == 3
