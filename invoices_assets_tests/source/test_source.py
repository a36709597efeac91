"""The source file: dlt's own format, refused in one sentence where it could lose rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from dlt.sources.helpers.rest_client.auth import APIKeyAuth
from dlt.sources.helpers.rest_client.paginators import OffsetPaginator

from invoices_assets.errors import SourceError
from invoices_assets.source.file import DEFAULT_SOURCE, read_source
from invoices_assets_tests.support.sweep_helpers import config, source_file, spec_of


def refusal(folder: Path, content: dict[str, Any]) -> str:
    with pytest.raises(SourceError) as caught:
        source_file(folder, content)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_default_source_is_the_contract_of_the_design() -> None:
    spec = spec_of(read_source(DEFAULT_SOURCE).config, "key")
    assert (spec.path, spec.data_selector, spec.primary_key) == ("/v1/invoices", "data", ("id",))
    assert isinstance(spec.paginator, OffsetPaginator)
    assert isinstance(spec.auth, APIKeyAuth)
    assert (spec.paginator.limit, spec.auth.name, spec.auth.location) == (100, "api_key", "query")
    assert spec.cursor is not None
    assert (spec.cursor.path, spec.cursor.start_param, spec.cursor.lag) == (
        "updated_at",
        "updated_since",
        600,
    )


def test_anchors_and_merges_may_be_overridden(tmp_path: Path) -> None:
    text = DEFAULT_SOURCE.read_text(encoding="utf-8")
    path = tmp_path / "source.yaml"
    path.write_text(
        text.replace("resource_defaults:", "resource_defaults: &defaults").replace(
            "resources:",
            "resources:\n  - <<: *defaults\n    primary_key: number\n    name: payments\n"
            "    endpoint: &one {path: /v1/payments, data_selector: data, paginator: {type: single_page}}\n"
            "  - {<<: *defaults, name: refunds, endpoint: {<<: *one, path: /v1/refunds}}",
        ),
        encoding="utf-8",
    )
    resources = read_source(path).resources
    assert {name: spec.primary_key for name, spec in resources.items()} == {
        "payments": ("number",),
        "refunds": ("id",),
        "invoices": ("id",),
    }
    assert resources["refunds"].path == "/v1/refunds"


def test_a_word_of_yaml_in_quotes_is_the_name_of_a_column(tmp_path: Path) -> None:
    path, default = tmp_path / "source.yaml", DEFAULT_SOURCE.read_text(encoding="utf-8")
    path.write_text(default.replace("columns:", "columns:\n      'no': {data_type: text}", 1), encoding="utf-8")
    assert read_source(path).resources["invoices"].columns["no"].kind == "text"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"paginator": {"type": "offzet"}}, "offzet"),
        ({"paginator": {"type": "offset"}}, "limit"),
        ({"paginator": None}, "names no paginator"),
        ({"paginater": 1}, "paginater"),
        ({"incremental": {"cursor_path": "updated_at", "start_param": "since", "lagg": 1}}, "lagg"),
        ({"params": {"q": "updated_at ge {incremental.start_value}"}}, "initial_value"),
        ({"auth": {"type": "api_key", "name": "k", "api_key": "written-here"}}, "belongs into the settings"),
        ({"auth": {"type": "magic"}}, "magic"),
        ({"auth": {"type": "api_key", "name": "k", "location": "cookie"}}, "cookie"),
        ({"auth": {"type": "bearer", "x-prefix": "Token "}}, "`x-prefix` stands before an `api_key` in a header"),
        ({"auth": {"type": "api_key", "name": "k", "location": "query", "x-prefix": "T "}}, "`x-prefix`"),
        ({"auth": {"type": "api_key", "name": "k", "x-prefix": 7}}, "`x-prefix` of the auth must be a text"),
        ({"auth": {"type": "api_key", "name": "k", "x-suffix": "T "}}, "x-suffix"),
        ({"paginator": {"type": "json_link", "x-link": True}}, "only the paginator `header_cursor` can have"),
        ({"paginator": {"type": "header_cursor", "x-links": True}}, "x-links"),
    ],
)
def test_what_cannot_be_loaded_safely_is_refused_with_the_reason(
    change: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    said = refusal(tmp_path, config(**change))
    assert sentence in said
    assert "written-here" not in said


def test_a_resource_without_a_key_to_merge_on_is_refused(tmp_path: Path) -> None:
    content = config()
    del content["resource_defaults"]["primary_key"]
    assert "primary_key" in refusal(tmp_path, content)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("Invoices", "the resources `invoices` and `Invoices` would both be loaded into the table `invoices`"),
        ("invoices__line_items", "the resource `invoices__line_items` has the name of a child table of `invoices`"),
        ("Invoices Rejected", "`Invoices Rejected` has the name of the table of the rejected records of `invoices`"),
        ("invoices_history", "`invoices_history` has the name of the table of the history of `invoices`"),
    ],
)
def test_two_resources_that_would_share_a_table_are_refused(name: str, sentence: str, tmp_path: Path) -> None:
    content = config()
    content["resources"][0]["write_disposition"] = {"disposition": "merge", "strategy": "scd2"}
    content["resources"].append({"name": name, "endpoint": {"path": "/other", "paginator": "single_page"}})
    assert sentence in refusal(tmp_path, content)


@pytest.mark.parametrize("name", ["Größe", "all bills", "_dlt_loads", "_DLT-loads", "😀"])
def test_a_resource_that_can_be_no_asset_or_no_table_is_refused(name: str, tmp_path: Path) -> None:
    content = config()
    content["resources"][0]["name"] = name
    sentence = "needs a name of a-z, 0-9, `_`, `-` and `.` that does not begin with `_dlt_`"
    assert f"the resource `{name}` {sentence}" in refusal(tmp_path, content)


def test_a_resource_named_like_a_history_that_is_not_kept_is_read(tmp_path: Path) -> None:
    content = config()
    content["resources"].append({"name": "invoices_history", "endpoint": {"path": "/o", "paginator": "single_page"}})
    assert set(source_file(tmp_path, content).resources) == {"invoices", "invoices_history"}


@pytest.mark.parametrize("text", ["resources: [", "- 1", "resources: []", "a: b", "\x00"])
def test_a_file_that_is_no_source_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "source.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SourceError, match=r"source\.yaml"):
        read_source(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"nowhere\.yaml"):
        read_source(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize(
    ("auth", "key", "field", "value"),
    [
        ({"type": "bearer"}, "abc", "token", "abc"),
        ("bearer", "abc", "token", "abc"),
        (
            {"type": "api_key", "name": "Authorization", "location": "header"},
            "Token abc",
            "api_key",
            "Token abc",
        ),
        ({"type": "api_key", "name": "Authorization", "x-prefix": "Token "}, "abc", "api_key", "Token abc"),
        ({"type": "http_basic", "username": "ada"}, "abc", "password", "abc"),
        ({"type": "http_basic"}, "ada:abc", "password", "abc"),
        ({"type": "http_basic", "password": "x"}, "abc", "username", "abc"),
        (
            {
                "type": "oauth2_client_credentials",
                "access_token_url": "http://a.example/t",
                "client_id": "me",
            },
            "abc",
            "client_secret",
            "abc",
        ),
    ],
)
def test_the_secret_goes_into_the_field_of_its_auth_type(auth: Any, key: str, field: str, value: str) -> None:
    assert getattr(spec_of(config(auth=auth), key).auth, field) == value
