"""Whoever has a dlt pipeline of their own: `complete_rest_source` into `atomic_duckdb`, without Dagster."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlt
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from dlt.pipeline.pipeline import Pipeline

from invoices_assets.extract.api import Api
from invoices_assets.load.destination.atomic import atomic_duckdb
from invoices_assets.redaction.redactor import Redactor
from invoices_assets.refresh.plan import RefreshRequest
from invoices_assets.refresh.source import complete_rest_source
from invoices_assets.source.file import DEFAULT_SOURCE, Source
from invoices_assets_tests.support.invoices import asked_since
from invoices_assets_tests.support.load_helpers import rows
from invoices_assets_tests.support.loader import ImpatientApi, Loader
from invoices_assets_tests.support.sweep_helpers import config
from invoices_assets_tests.vendor import SANDBOX_KEY, Book, Faults, Vendor, faults, serve

SOURCE = Source(DEFAULT_SOURCE, config())
TABLES = {
    "invoices": "SELECT * EXCLUDE (_dlt_load_id) FROM w.invoicing.invoices ORDER BY id",
    "lines": "SELECT * FROM w.invoicing.invoices__line_items ORDER BY _dlt_id",
}


@pytest.fixture
def book() -> Book:
    return Book.of(250)


@pytest.fixture
def api(server: Vendor) -> Api:
    return Api(server.url, SANDBOX_KEY, Redactor([SANDBOX_KEY]))


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    return tmp_path / "plain.duckdb"


@pytest.fixture
def pipeline(tmp_path: Path, warehouse: Path) -> Iterator[Pipeline]:
    made = dlt.pipeline(
        "invoicing",
        pipelines_dir=str(tmp_path / "dlt"),
        destination=atomic_duckdb(warehouse),
        dataset_name="invoicing",
    )
    yield made
    if made.is_active:
        made.deactivate()


def cause_of(error: PipelineStepFailed) -> str:
    return str(error.exception.__cause__ or error.exception)


def test_a_pipeline_of_anybody_loads_what_our_assets_load(
    pipeline: Pipeline, warehouse: Path, api: Api, book: Book, tmp_path: Path
) -> None:
    ours = Loader(tmp_path, api.base_url)
    for _ in range(2):
        pipeline.run(complete_rest_source(SOURCE, api))
        ours.refresh()
        for query in TABLES.values():
            assert rows(warehouse, query) == rows(ours.warehouse, query)
        book.update("inv_0000003", status="void", line_items=[])
        book.insert({**book.records[0], "id": "inv_new", "updated_at": "2027-01-01T00:00:00Z"})


def test_the_second_run_asks_for_what_changed(pipeline: Pipeline, api: Api, server: Vendor) -> None:
    pipeline.run(complete_rest_source(SOURCE, api))
    assert asked_since(server) == {None}
    pipeline.run(complete_rest_source(SOURCE, api))
    assert None not in asked_since(server)


def test_the_whole_of_it_is_asked_for_by_a_request(pipeline: Pipeline, api: Api, book: Book, warehouse: Path) -> None:
    pipeline.run(complete_rest_source(SOURCE, api))
    book.delete("inv_0000003")
    pipeline.run(complete_rest_source(SOURCE, api, RefreshRequest("reconcile")))
    assert rows(warehouse, "SELECT count(*), count(deleted_at) FROM w.invoicing.invoices") == [(250, 1)]


def test_dlts_trace_knows_the_rows(pipeline: Pipeline, api: Api) -> None:
    pipeline.run(complete_rest_source(SOURCE, api))
    assert pipeline.last_trace is not None
    done = pipeline.last_trace.last_extract_info
    assert done is not None
    metrics = [metrics for package in done.metrics.values() for metrics in package]
    counts = {name: found.items_count for extracted in metrics for name, found in extracted["table_metrics"].items()}
    assert counts["invoices"] == 250


def test_a_sweep_that_is_not_complete_loads_nothing(
    tmp_path: Path, pipeline: Pipeline, warehouse: Path, book: Book
) -> None:
    with serve(book=book, faults=Faults(faults.wrong_total(lambda total: total + 1))) as server:
        api = ImpatientApi(server.url, SANDBOX_KEY, Redactor([SANDBOX_KEY]))
        with pytest.raises(PipelineStepFailed) as failed:
            pipeline.run(complete_rest_source(SOURCE, api))
    assert "251" in cause_of(failed.value)
    assert not warehouse.exists()


def test_a_destination_that_loads_in_many_steps_is_refused(tmp_path: Path, api: Api, server: Vendor) -> None:
    plain = dlt.pipeline(
        "invoicing",
        pipelines_dir=str(tmp_path / "dlt"),
        destination=dlt.destinations.duckdb(str(tmp_path / "x.duckdb")),
    )
    with pytest.raises(PipelineStepFailed) as failed:
        plain.run(complete_rest_source(SOURCE, api))
    assert "atomic_duckdb(path)" in str(failed.value)
    assert not server.requests


def test_rows_that_nothing_has_proven_are_refused(pipeline: Pipeline, warehouse: Path) -> None:
    with pytest.raises(PipelineStepFailed, match="complete_rest_source"):
        pipeline.run([{"id": 1}], table_name="invoices")
    assert not warehouse.exists()


def test_rows_that_nothing_has_proven_are_refused_beside_those_that_are(
    pipeline: Pipeline, warehouse: Path, api: Api
) -> None:
    source = complete_rest_source(SOURCE, api)
    source.resources.add(dlt.resource([{"id": 1}], name="other"))
    with pytest.raises(PipelineStepFailed, match="complete_rest_source"):
        pipeline.run(source)
    assert not warehouse.exists()


@pytest.mark.parametrize(
    "how", [{"refresh": "drop_sources"}, {"refresh": "drop_data"}, {"write_disposition": "replace"}], ids=str
)
def test_ways_of_dlt_to_throw_rows_away_are_refused(
    pipeline: Pipeline, warehouse: Path, api: Api, how: dict[str, Any]
) -> None:
    pipeline.run(complete_rest_source(SOURCE, api))
    with pytest.raises(PipelineStepFailed, match="nothing was changed"):
        pipeline.run(complete_rest_source(SOURCE, api), **how)
    assert rows(warehouse, "SELECT count(*) FROM w.invoicing.invoices") == [(250,)]


def test_settings_of_dlt_that_rewrite_files_change_no_row(
    pipeline: Pipeline, warehouse: Path, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_ID", "true")
    pipeline.run(complete_rest_source(SOURCE, api))
    parents = "SELECT _dlt_id FROM w.invoicing.invoices"
    orphans = f"SELECT count(*) FROM w.invoicing.invoices__line_items WHERE _dlt_parent_id NOT IN ({parents})"
    assert rows(warehouse, orphans) == [(0,)]


def test_a_package_that_a_failed_load_has_left_is_not_loaded_later(
    pipeline: Pipeline, api: Api, book: Book, warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("invoices_assets.load.load.write_rows", lambda *_: 1 / 0)
        with pytest.raises(PipelineStepFailed, match="division by zero"):
            pipeline.run(complete_rest_source(SOURCE, api))
    book.update("inv_0000003", status="void")
    with pytest.raises(PipelineStepFailed, match=r"was left by another run.*pipeline\.drop\(\)"):
        pipeline.run(complete_rest_source(SOURCE, api))
    pipeline.drop()
    pipeline.run(complete_rest_source(SOURCE, api))
    assert rows(warehouse, "SELECT count(*) FROM w.invoicing.invoices") == [(250,)]


def test_a_bug_in_a_sweep_shows_no_key(pipeline: Pipeline, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise ValueError(f"a bug, with {SANDBOX_KEY} in hand")

    monkeypatch.setattr("invoices_assets.refresh.source.sweep_resource", refuse)
    with pytest.raises(PipelineStepFailed) as failed:
        pipeline.run(complete_rest_source(SOURCE, api))
    shown = "".join(traceback.format_exception(failed.value))
    assert "a bug, with ***" in shown
    assert SANDBOX_KEY not in shown


def test_dlt_finds_all_tables_that_it_has_heard_of_in_the_script_that_has_loaded(pipeline: Pipeline, api: Api) -> None:
    pipeline.run(complete_rest_source(SOURCE, api))
    counts = dict(pipeline.dataset().row_counts().fetchall())
    assert counts["invoices"] == 250
    assert set(counts) == {"invoices", "invoices__line_items"}
