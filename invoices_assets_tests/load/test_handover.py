"""The files of a sweep on their way through dlt."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dlt.common.storages import FileStorage

from invoices_assets.errors import LoadFailed
from invoices_assets.load.destination.handover import Handover
from invoices_assets.load.request import LoadRequest
from invoices_assets_tests.support.column_helpers import declared
from invoices_assets_tests.support.load_helpers import COLUMNS, Loader, invoice


@pytest.fixture
def handover(tmp_path: Path) -> Handover:
    """Two files of one row each, for one table: the second one has one column more."""
    spec = declared(COLUMNS, ("id",), "invoices")
    pages = [[invoice(1, lines=0)], [invoice(2, lines=0, note="more")]]
    loader = Loader(tmp_path / "unused.duckdb", batch_rows=1)
    return Handover(loader.spool(tmp_path, pages), spec, LoadRequest(), tmp_path)


def test_files_that_arrive_at_the_same_time_are_all_kept(handover: Handover, monkeypatch: pytest.MonkeyPatch) -> None:
    both, real = Barrier(2), FileStorage.link_hard_with_fallback

    def link(*paths: Any) -> None:
        both.wait(10)
        real(*paths)
        both.wait(10)

    monkeypatch.setattr(FileStorage, "link_hard_with_fallback", link)
    files = [path for table, path, _ in handover.files() if table == "invoices"]
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda path: handover.keep("invoices", str(path)), files))
    ids = [row["id"] for path, _ in handover.arrived().files["invoices"] for row in pq.read_table(path).to_pylist()]
    assert sorted(ids) == ["i1", "i2"]


def test_other_rows_than_were_proven_are_refused(handover: Handover, tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": ["i1"]}), tmp_path / "invoices.one.0.parquet")
    handover.keep("invoices", str(tmp_path / "invoices.one.0.parquet"))
    with pytest.raises(LoadFailed, match=r"dlt has handed on .*1.* rows, but .*2.* were proven; nothing was loaded"):
        handover.arrived()
