"""What dlt's format can say and would change the rows is followed, or refused in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from invoices_assets.assets.load_assets import build_assets
from invoices_assets.assets.specs import AssetTraits
from invoices_assets.errors import SourceError
from invoices_assets.names import Names
from invoices_assets_tests.support.sweep_helpers import config, source_file

CURSOR = {"cursor_path": "updated_at", "start_param": "since"}
STARTS = {"s": {"type": "incremental", "cursor_path": "x"}}


def with_resource(**changes: Any) -> dict[str, Any]:
    content = config()
    content["resources"][0].update(changes)
    return content


def with_column(**hints: Any) -> dict[str, Any]:
    content = config()
    content["resources"][0]["columns"]["total"].update(hints)
    return content


def with_cursor(**changes: Any) -> dict[str, Any]:
    return config(incremental=CURSOR | changes)


REFUSED = [
    (with_resource(table_name="bills"), "`table_name`"),
    (with_resource(merge_key="day"), "`merge_key`"),
    (with_resource(merge_key=["id", "day"]), "`merge_key`"),
    (with_resource(nested_hints={"line_items": {"columns": {"a": {"data_type": "decimal"}}}}), "`nested_hints`"),
    (with_resource(max_table_nesting=0), "`max_table_nesting`"),
    (with_resource(schema_contract="freeze"), "`schema_contract`"),
    (with_resource(table_format="iceberg"), "`table_format`"),
    (with_resource(file_format="jsonl"), "`file_format`"),
    (with_column(primary_key=True), "`primary_key` in column `total`"),
    (with_column(merge_key=True), "`merge_key` in column `total`"),
    (with_cursor(last_value_func="min"), "`last_value_func` in `incremental`"),
    (with_cursor(allow_external_schedulers=True), "`allow_external_schedulers`"),
    (with_cursor(on_cursor_value_missing="exclude"), "`on_cursor_value_missing: exclude`"),
    (config(incremental=CURSOR, params=STARTS), "`incremental` besides one of its `params`"),
    (config(params={"q": "{incremental.end_value}"}, incremental=CURSOR | {"initial_value": "2020"}), "end_value"),
    (config(method="POST", json={"a": 1}, data="b=2"), "`data` beside `json`"),
]


@pytest.mark.parametrize(("content", "what"), REFUSED, ids=[what for _, what in REFUSED])
def test_what_is_not_followed_is_refused(content: dict[str, Any], what: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"resource `invoices` has .*is not followed here: ") as refused:
        source_file(tmp_path, content)
    assert what in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "content",
    [
        with_resource(merge_key="id", parallelized=True, schema_contract="evolve"),
        with_resource(references=[{"columns": ["id"], "referenced_table": "c", "referenced_columns": ["id"]}]),
        with_column(unique=True, cluster=True, partition=True, sort=True),
        with_cursor(row_order="asc", range_start="open", last_value_func="max", primary_key="id"),
        with_cursor(on_cursor_value_missing="raise", allow_external_schedulers=False),
    ],
)
def test_what_changes_no_row_is_left_alone(content: dict[str, Any], tmp_path: Path) -> None:
    assert source_file(tmp_path, content).resource_names == ["invoices"]


@pytest.mark.parametrize("place", ["resource", "defaults"])
def test_a_resource_that_is_not_selected_is_there_for_its_dependents_only(place: str, tmp_path: Path) -> None:
    content = config()
    child = {"path": "/v1/invoices/{resources.invoices.id}/payments", "paginator": "single_page"}
    content["resources"].append({"name": "payments", "selected": True, "endpoint": child})
    (content["resources"][0] if place == "resource" else content["resource_defaults"])["selected"] = False
    source = source_file(tmp_path, content)
    assert (source.resource_names, source.main_resource) == (["payments"], "payments")
    assert set(source.resources) == {"invoices", "payments"}
    keys = sorted(
        key.path[-1] for assets in build_assets(source, Names("invoicing"), AssetTraits()) for key in assets.keys
    )
    assert keys == ["payments", "payments_rejected"]


def test_a_file_that_selects_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="has `selected: false` on each of its resources"):
        source_file(tmp_path, with_resource(selected=False))
