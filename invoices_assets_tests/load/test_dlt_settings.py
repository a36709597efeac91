"""Settings of dlt, from the environment or `.dlt/config.toml`, cannot change where or what is loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import dlt
import pytest

from invoices_assets.source import dlt_settings
from invoices_assets.source.dlt_settings import own_settings
from invoices_assets_tests.support.load_helpers import Loader, invoice

HARMFUL = {
    "dataset_name_layout": "elsewhere_%s",
    "destination_name": "elsewhere",
    "destination_type": "dummy",
    "dev_mode": "true",
    "full_refresh": "true",
    "import_schema_path": "/nowhere",
    "naming": "direct",
    "refresh": "drop_sources",
    "replace_strategy": "truncate-and-insert",
    "restore_from_destination": "false",
    "staging_dataset_name_layout": "elsewhere",
    "staging_type": "filesystem",
    "truncate_staging_dataset": "true",
    "use_single_dataset": "false",
    "raise_on_failed_jobs": "false",
    "bucket_url": "/nowhere",
    "add_dlt_id": "true",
    "add_dlt_load_id": "true",
    "workers": "4",
    "enable_dataset_name_normalization": "false",
}
"""Fields that dlt looks for in a load, and what would be wrong with it if they were answered."""

# further ones that it looks for; they are not answered either
HARMLESS = """
allow_identifier_change_on_table_with_data allow_truncated_timestamps arrow_concat_promote_options
as_staging_destination auto_abort_on_terminal_error buffer_max_items coerce_timestamps compression copy_on_fork
create_indexes credentials data_page_size dataset_name delete_completed_jobs disable_compression enable_runtime_trace
environment export_schema_path extensions external_schema_format external_schema_format_remove_defaults file_max_bytes
file_max_items flavor futures_poll_interval global_config host info_tables_query_threshold intercept_signals
json_normalizer layout load_volume_path local_config max_parallel_items next_item_mode normalize_volume_path
parallelism_strategy password pipeline_name pipeline_salt pipelines_dir pool_type port pragmas progress query
raise_on_max_retries read_only row_group_size run_sleep runtime schema_volume_path session_timezone
slack_incoming_hook staging_name start_method start_new_jobs_on_signal statements supports_dictionary_encoding
timestamp_timezone truncate_tables_on_staging_destination_before_load use_break_path_on_normalize
use_compliant_nested_type use_content_defined_chunking username version warn_unsafe_layout_separators write_page_index
"""


@pytest.fixture
def loader(tmp_path: Path) -> Loader:
    return Loader(tmp_path / "invoices.duckdb")


def load_twice(loader: Loader) -> None:
    loader.load(invoice(n) for n in range(10))
    loader.load([*(invoice(n) for n in range(1, 10)), invoice(10, total=7), invoice(11)])


def test_a_new_version_of_dlt_looks_for_no_field_that_nobody_has_judged(
    loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: set[str] = set()

    def judged(key: str, sections: tuple[str, ...]) -> bool:
        asked.add(key)
        return False

    monkeypatch.setattr(dlt_settings, "_may_be_answered", judged)
    load_twice(loader)
    assert "refresh" in asked
    assert asked - HARMFUL.keys() - set(HARMLESS.split()) == set()


@pytest.mark.parametrize("prefix", ["", "INVOICING__", "PIPELINES__INVOICING__", "SCHEMA__", "LOAD__", "NORMALIZE__"])
def test_no_variable_of_dlt_reroutes_a_load(loader: Loader, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in HARMFUL.items():
        monkeypatch.setenv(f"{prefix}{name}".upper(), value)
    load_twice(loader)
    assert_all_is_there(loader)


def assert_all_is_there(loader: Loader) -> None:
    assert loader.rows("SELECT count(*), count(*) FILTER (WHERE deleted_at IS NULL) FROM {d}.invoices") == [(12, 11)]
    schemas = loader.column("SELECT schema_name FROM duckdb_schemas() WHERE database_name = 'w' AND NOT internal")
    assert [name for name in schemas if name != "main"] == ["invoicing"]


IN_A_PROCESS = """
from pathlib import Path
from invoices_assets_tests.load.test_dlt_settings import assert_all_is_there, load_twice
from invoices_assets_tests.support.load_helpers import Loader
loader = Loader(Path("invoices.duckdb"))
load_twice(loader)
assert_all_is_there(loader)
"""


def test_no_settings_file_of_dlt_reroutes_a_load(tmp_path: Path) -> None:
    (tmp_path / ".dlt").mkdir()
    fields = "".join(f'{name} = "{value}"\n' for name, value in HARMFUL.items())
    (tmp_path / ".dlt" / "config.toml").write_text(f"{fields}[pipelines.invoicing]\n{fields}[invoicing]\n{fields}")
    root = str(Path(__file__).parent.parent.parent)
    done = subprocess.run(
        [sys.executable, "-c", IN_A_PROCESS],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


def test_other_pipelines_in_the_process_keep_their_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOMEBODY_ELSES", "setting")
    with own_settings():
        assert dlt.config.get("somebody_elses") is None
    assert dlt.config["somebody_elses"] == "setting"


def test_where_another_destination_is_remains_dlts_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS__HOST", "warehouse")
    monkeypatch.setenv("DATASET_NAME_LAYOUT", "elsewhere_%s")
    with own_settings(but_destination=True):
        assert dlt.config["destination.postgres.credentials.host"] == "warehouse"
        assert dlt.config.get("dataset_name_layout") is None
