"""The graph: the API, its resources, the tables beside them, and what is open; also a part of it alone."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from invoices_assets.load.reports.amounts import AGES
from invoices_assets_tests.support.project import Project
from invoices_assets_tests.support.selecting import materialized, run_only
from invoices_assets_tests.support.sweep_helpers import config
from invoices_assets_tests.vendor import Book, Vendor, serve

TAGS = [{"name": "a"}, {"name": "b"}]


@pytest.fixture
def book() -> Book:
    return Book.of(5)


def specs(project: Project) -> dict[str, dg.AssetSpec]:
    return {spec.key.path[-1]: spec for spec in project.definitions().resolve_all_asset_specs()}


def deps(spec: dg.AssetSpec) -> set[str]:
    return {dep.asset_key.path[-1] for dep in spec.deps}


def project_of(monkeypatch: pytest.MonkeyPatch, folder: Path, source: dict[str, Any] | None = None) -> Project:
    address = "https://user:passw0rd@api.vendor.example:8443/t0ken/v2?key=s3cret"
    return Project(monkeypatch, folder, address, source=source)


# What the code location shows


def test_the_api_is_an_asset_with_its_address_and_nothing_that_may_be_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    spec = specs(project_of(monkeypatch, tmp_path))["api"]
    assert spec.key == dg.AssetKey(["invoicing", "api"])
    assert "dagster/kind/api" in spec.tags
    assert spec.metadata["address"] == dg.MetadataValue.url("https://api.vendor.example:8443")
    for part in ("user", "passw0rd", "t0ken", "s3cret"):
        assert part not in repr(spec)


def test_nothing_materializes_the_api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    defs = project_of(monkeypatch, tmp_path).definitions()
    assert dg.AssetKey(["invoicing", "api"]) in defs.resolve_asset_graph().external_asset_keys


def test_each_table_hangs_on_what_it_is_made_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = {name: deps(spec) for name, spec in specs(project_of(monkeypatch, tmp_path)).items()}
    assert found == {
        "api": set(),
        "invoices": {"api"},
        "invoices__line_items": {"invoices"},
        "invoices_rejected": {"invoices"},
        "receivables": {"invoices"},
    }


@pytest.mark.parametrize("name", ["api", "receivables"])
def test_a_resource_takes_the_place_of_what_would_have_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    source = config()
    source["resources"].append({"name": name, "endpoint": {"path": f"v1/{name}", "paginator": "single_page"}})
    spec = specs(project_of(monkeypatch, tmp_path, source))[name]
    assert f"(`v1/{name}`)" in str(spec.description)
    assert "dagster/kind/rest" in spec.tags


@pytest.mark.parametrize("missing", ["due_date", "amount_due", "currency"])
def test_a_source_that_does_not_declare_what_it_takes_has_no_receivables(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, missing: str
) -> None:
    source = config()
    del source["resources"][0]["columns"][missing]
    assert "receivables" not in specs(project_of(monkeypatch, tmp_path, source))


@pytest.mark.parametrize(("column", "kind"), [("amount_due", "text"), ("amount_due", "double"), ("due_date", "bool")])
def test_amounts_and_days_that_nobody_can_add_up_exactly_have_no_receivables(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, column: str, kind: str
) -> None:
    source = config()
    source["resources"][0]["columns"][column] = {"data_type": kind}
    assert "receivables" not in specs(project_of(monkeypatch, tmp_path, source))


# What a run makes


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Project, dict[str, dg.AssetMaterialization]]]:
    """A run of everything, of records with a list that nobody has declared."""
    book = Book.of(40, lambda record: record | {"tags": TAGS})
    with pytest.MonkeyPatch.context() as patch, serve(book=book) as server:
        project = Project(patch, tmp_path_factory.mktemp("graph"), server.url)
        result = project.run()
        assert result.success, project.failure(result)
        yield project, materialized(result)


Whole = tuple[Project, dict[str, dg.AssetMaterialization]]


def test_each_table_that_a_load_writes_is_materialized(whole: Whole) -> None:
    _, made = whole
    assert set(made) == {
        "invoices", "invoices__line_items", "invoices__tags", "invoices_rejected", "receivables",
    }  # fmt: skip


def test_a_list_that_nobody_has_declared_tells_its_rows_and_columns(whole: Whole) -> None:
    _, made = whole
    told = made["invoices__tags"].metadata
    assert told["dagster/row_count"].value == 80
    schema = told["dagster/column_schema"].value
    assert isinstance(schema, dg.TableSchema)
    assert "name" in {column.name for column in schema.columns}


def test_receivables_are_those_of_the_records_to_the_cent(whole: Whole) -> None:
    project, _ = whole
    wanted: dict[tuple[str, str], Decimal] = {}
    for record in Book.of(40).records:
        if record["amount_due"]:
            key = (record["customer"]["name"], record["currency"])
            wanted[key] = wanted.get(key, Decimal(0)) + Decimal(record["amount_due"])
    assert len(wanted) > 5
    found = project.query("SELECT customer, currency, amount_due FROM receivables")
    assert {(customer, currency): amount for customer, currency, amount in found} == wanted


def test_receivables_tell_where_each_column_comes_from(whole: Whole) -> None:
    _, made = whole
    lineage = made["receivables"].metadata["dagster/column_lineage"].value
    assert isinstance(lineage, dg.TableColumnLineage)
    from_columns = {name: {dep.column_name for dep in deps} for name, deps in lineage.deps_by_column.items()}
    assert from_columns == {
        "customer": {"customer__name"},
        "currency": {"currency"},
        "amount_due": {"amount_due"},
        **{name: {"amount_due", "due_date"} for name in AGES},
    }
    assert {dep.asset_key for deps in lineage.deps_by_column.values() for dep in deps} == {
        dg.AssetKey(["invoicing", "invoices"])
    }


def test_the_resource_alone_tells_of_its_other_tables_as_well(project: Project) -> None:
    made = materialized(run_only(project, "invoices"))
    assert set(made) == {"invoices", "invoices__line_items", "invoices_rejected"}


def test_a_child_table_alone_is_refused_and_nothing_is_asked(project: Project, server: Vendor) -> None:
    result = run_only(project, "invoices__line_items")
    assert project.failure(result).startswith(
        "`invoicing/invoices__line_items` is written by the load of `invoicing/invoices`: select that asset as well."
    )
    assert server.requests == []
    assert not project.warehouse.exists()


def test_an_account_without_invoices_has_no_receivables_and_no_failed_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with serve(book=Book()) as server:
        project = Project(monkeypatch, tmp_path, server.url)
        result = project.run()
        assert result.success, project.failure(result)
        assert project.query("SELECT * FROM receivables") == []
