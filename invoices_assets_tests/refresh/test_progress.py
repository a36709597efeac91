"""Progress: true numbers in sentences for a log, and the same numbers for whatever dlt shows progress with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dlt
import pytest
from dlt.common.runtime.collector import NullCollector

from invoices_assets.extract.api import Api
from invoices_assets.extract.id_count import IdCount
from invoices_assets.load.destination.atomic import atomic_duckdb
from invoices_assets.redaction.redactor import Redactor
from invoices_assets.refresh.progress import SWEPT, progress_line
from invoices_assets.refresh.source import complete_rest_source
from invoices_assets.source.file import DEFAULT_SOURCE, Source
from invoices_assets_tests.support.loader import Loader
from invoices_assets_tests.support.sweep_helpers import config
from invoices_assets_tests.vendor import Book, Contract, Paging, Vendor, serve
from invoices_assets_tests.vendor.fake_api import FakeApi, Reply


class Counting(NullCollector):
    """What dlt would show: the rows so far and the total, after each page."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, int | None]] = []

    def update(self, name: str, inc: int = 1, total: Any = None, *_: Any, label: Any = None, **__: Any) -> None:
        if label == SWEPT:
            self.seen.append((inc + (self.seen[-1][0] if self.seen else 0), total))


@pytest.mark.parametrize(
    ("rows", "total", "seconds", "said"),
    [
        (9_600, 15_000, 4.8, "x: ███████░░░░░ 64 %, 9,600 of 15,000 rows, 2,000 rows/s, 3 s left"),
        (14_999, 15_000, 1, "x: ███████████░ 99 %, 14,999 of 15,000 rows, 14,999 rows/s, 0 s left"),
        (15_000, 15_000, 1, "x: ████████████ 100 %, 15,000 of 15,000 rows, 15,000 rows/s, 0 s left"),
        (100, 100_000, 2, "x: ░░░░░░░░░░░░ 0 %, 100 of 100,000 rows, 50 rows/s, 33 min left"),
        (100, 1_000_000, 2, "x: ░░░░░░░░░░░░ 0 %, 100 of 1,000,000 rows, 50 rows/s, 5.6 h left"),
        (0, 5, 2, "x: ░░░░░░░░░░░░ 0 %, 0 of 5 rows, 0 rows/s"),
        (9_600, None, 4.8, "x: 9,600 rows, 2,000 rows/s"),
    ],
)
def test_a_sentence_has_a_bar_and_the_time_left_where_a_total_is_known(
    rows: int, total: int | None, seconds: float, said: str
) -> None:
    assert progress_line("x", rows, total, seconds) == said


def shown(tmp_path: Path, api: Api, source: Source, **resources: Any) -> list[tuple[int, int | None]]:
    """The rows so far and the total, as dlt shows them while the sources are extracted."""
    counting = Counting()
    pipeline = dlt.pipeline(
        "invoicing",
        pipelines_dir=str(tmp_path / "dlt"),
        destination=atomic_duckdb(tmp_path / "invoices.duckdb"),
        dataset_name="invoicing",
        progress=counting,
    )
    try:
        pipeline.run(complete_rest_source(source, api, **resources))
    finally:
        pipeline.deactivate()
    return counting.seen


def test_a_pipeline_of_dlt_shows_the_sweep_by_its_own_progress(server: Vendor, tmp_path: Path) -> None:
    api = Api(server.url, server.key, Redactor([server.key]), window=1)
    assert shown(tmp_path, api, Source(DEFAULT_SOURCE, config())) == [(100, 250), (199, 250), (250, 250)]


def test_of_a_resource_with_many_parents_the_rows_of_all_are_shown_and_no_total(api: FakeApi, tmp_path: Path) -> None:
    companies = {"path": "v1", "data_selector": "data", "paginator": "single_page"}
    content = config(path="v1/{resources.companies.id}", paginator="single_page", incremental=None)
    content["resources"].append({"name": "companies", "endpoint": companies})
    api.route("/v1", Reply(body={"data": [{"id": "a"}, {"id": "b"}], "total": 2}))
    for parent in ("a", "b"):
        api.route(f"/v1/{parent}", Reply(body={"data": [{"id": f"{parent}{n}"} for n in range(3)], "total": 3}))
    source = Source(DEFAULT_SOURCE, content)
    assert shown(tmp_path, Api(api.url, "k3y-of-the-test", Redactor()), source, resources=["invoices"]) == [
        (3, None),
        (6, None),
    ]


def test_a_refresh_counts_its_ids_at_the_end_and_not_for_each_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[int] = []
    count = IdCount._count

    def counting(self: IdCount) -> tuple[int, int]:
        if self._counted is None:
            counted.append(1)
        return count(self)

    monkeypatch.setattr(IdCount, "_count", counting)
    with serve(Book.of(400), contract=Contract(paging=Paging(largest=10))) as server:
        assert Loader(tmp_path, server.url, config()).load().new == 400
    assert len(counted) <= 3
