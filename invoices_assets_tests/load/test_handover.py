"""The files of a sweep on their way through dlt."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

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


def test_each_file_comes_under_a_name_of_its_own_and_all_rows_are_counted(handover: Handover) -> None:
    files = {name: path for name, (path, _, rows) in handover.files.items() if rows}
    assert list(files) == ["invoices", "invoices__file_1"]
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda name: handover.count(name, str(files[name])), files))
    assert handover.arrived() is handover.sweep


def test_other_rows_than_were_proven_are_refused(handover: Handover) -> None:
    (path, _, _) = handover.files["invoices"]
    handover.count("invoices", str(path))
    with pytest.raises(LoadFailed, match=r"dlt has handed on .*1.* rows, but .* were proven; nothing was loaded"):
        handover.arrived()
