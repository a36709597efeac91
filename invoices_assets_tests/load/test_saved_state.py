"""The cursor is dlt's own state, committed with the rows and read back from the warehouse."""

from __future__ import annotations

from pathlib import Path

import dlt
import duckdb
import pytest
from dlt.common.pipeline import TPipelineState

from invoices_assets.errors import TableRefused
from invoices_assets.load.inspect import known_state
from invoices_assets.load.request import Scope
from invoices_assets.load.saved_state import cursor_state, next_load_id
from invoices_assets_tests.support.load_helpers import Loader, invoice
from invoices_assets_tests.support.state import read_state


@pytest.fixture
def loader(tmp_path: Path) -> Loader:
    return Loader(tmp_path / "invoices.duckdb")


def test_what_was_set_comes_back(loader: Loader) -> None:
    state = {**cursor_state("updated_at", "2020-01-01", "2026-02-03T04:05:06Z"), "sweeps": {"full": 1}}
    loader.load([invoice(1)], state=state)
    assert read_state(loader.settings, "invoices") == state
    assert read_state(loader.settings, "customers") == {}


def test_what_is_said_of_a_column_may_be_in_any_language(loader: Loader) -> None:
    loader.columns["total"] = {**loader.columns["total"], "description": "Betrag für alles – 合計"}
    for number in (1, 2):
        assert loader.load([invoice(number)], scope=Scope.PART).new == 1
    assert known_state(loader.settings, "invoices").doubt is None


def test_no_file_is_no_state_and_stays_no_file(loader: Loader) -> None:
    assert read_state(loader.settings, "invoices") == {}
    assert list(loader.path.parent.iterdir()) == []


@pytest.mark.parametrize(("table", "column"), [("_dlt_pipeline_state", "state"), ("_dlt_version", "schema")])
def test_what_dlt_cannot_read_of_it_is_refused_and_can_be_dropped(loader: Loader, table: str, column: str) -> None:
    loader.load([invoice(1)], state=cursor_state("updated_at", None, "a"))
    with duckdb.connect(str(loader.path)) as connection:
        connection.execute(f"UPDATE invoicing.{table} SET {column} = 'odd'")
    with pytest.raises(TableRefused, match=f"the last row of invoicing.{table} holds what dlt cannot read"):
        known_state(loader.settings, "invoices")
    with duckdb.connect(str(loader.path)) as connection:
        connection.execute(f"DROP TABLE invoicing.{table}")
    assert loader.load([invoice(1), invoice(2)]).new == 1


def test_a_file_without_tables_is_no_state(loader: Loader) -> None:
    duckdb.connect(str(loader.path)).close()
    assert read_state(loader.settings, "invoices") == {}


def test_a_new_cursor_alone_is_loaded(loader: Loader) -> None:
    loader.load([invoice(1)], state=cursor_state("updated_at", None, "a"))
    result = loader.load([invoice(1)], state=cursor_state("updated_at", None, "b"))
    assert result.load_id is not None
    assert result.unchanged == 1
    assert read_state(loader.settings, "invoices")["incremental"]["updated_at"]["last_value"] == "b"


def test_an_unchanged_cursor_alone_is_not_loaded(loader: Loader) -> None:
    loader.load([invoice(1)], state=cursor_state("updated_at", None, "a"))
    assert loader.load([invoice(1)], state=cursor_state("updated_at", None, "a")).load_id is None


def test_a_cursor_of_an_api_without_records_is_loaded(loader: Loader) -> None:
    loader.load([], state=cursor_state("updated_at", None, "a"))
    assert read_state(loader.settings, "invoices")["incremental"]["updated_at"]["last_value"] == "a"
    assert loader.load([invoice(1)], state=cursor_state("updated_at", None, "b")).new == 1


def test_other_keys_of_the_state_survive_an_update(loader: Loader) -> None:
    loader.load([invoice(1)], state={**cursor_state("updated_at", None, "a"), "mine": 1})
    loader.load([invoice(1)], state=cursor_state("created_at", None, "b"))
    state = read_state(loader.settings, "invoices")
    assert set(state["incremental"]) == {"updated_at", "created_at"}
    assert state["mine"] == 1


def test_plain_dlt_restores_the_state_and_its_incremental_continues_from_it(loader: Loader) -> None:
    loader.load([invoice(1)], state=cursor_state("updated_at", "2020", "2026"))
    pipeline = dlt.pipeline(
        loader.dataset,
        pipelines_dir=str(loader.path.parent / "dlt"),
        destination=dlt.destinations.duckdb(str(loader.path)),
        dataset_name=loader.dataset,
    )
    pipeline.sync_destination()
    state: TPipelineState = pipeline.state
    pipeline.deactivate()
    assert state["sources"]["invoicing"]["resources"]["invoices"]["incremental"] == {
        "updated_at": {"initial_value": "2020", "last_value": "2026", "unique_hashes": []}
    }
    assert state["destination_type"] == "dlt.destinations.duckdb"
    assert "invoices__line_items" in pipeline.default_schema.tables


@pytest.mark.parametrize(
    ("before", "proposed", "given"),
    [
        ([], "1795600119.78", "1795600119.78"),
        (["1795600119.5", "1795600119.7"], "1795600119.78", "1795600119.78"),
        (["9999999999.5", "1795600119.7"], "1795600119.78", "9999999999.500001"),
    ],
)
def test_a_load_has_a_higher_id_than_any_before_it(
    loader: Loader, before: list[str], proposed: str, given: str
) -> None:
    loader.load([invoice(1)])
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{loader.path}' AS warehouse")
        connection.execute("DELETE FROM warehouse.invoicing._dlt_loads")
        for load_id in before:
            connection.execute(f"INSERT INTO warehouse.invoicing._dlt_loads VALUES ('{load_id}', '', 0, now(), '')")
        assert next_load_id(connection, "invoicing", proposed) == given


def test_a_load_that_took_long_gets_an_id_of_the_time_of_its_commit(loader: Loader) -> None:
    loader.load([invoice(1)])
    [earlier] = loader.column("SELECT load_id FROM {d}._dlt_loads")
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{loader.path}' AS warehouse (READ_ONLY)")
        assert next_load_id(connection, "invoicing", "1.5") > earlier
