"""`InvoicesComponent`: one API of several, with names, settings and a key of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import dagster as dg
import pytest
import yaml
from pydantic import ValidationError

from invoices_assets.component import InvoicesComponent
from invoices_assets_tests.support.apis import Location, sentence, serving
from invoices_assets_tests.vendor import Book


@pytest.fixture
def location(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Location]:
    with serving(tmp_path, monkeypatch, stripe=Book.of(20), dolibarr=Book.of(30, seed=1)) as location:
        yield location


def names_of(defs: dg.Definitions) -> dict[str, list[str]]:
    repository = defs.get_repository_def()
    return {
        "assets": sorted(key.to_user_string() for key in repository.assets_defs_by_key),
        "jobs": sorted(job.name for job in repository.get_all_jobs() if not job.name.startswith("__")),
        "schedules": sorted(schedule.name for schedule in repository.schedule_defs),
        "sensors": sorted(sensor.name for sensor in repository.sensor_defs),
        "resources": sorted(repository.get_top_level_resources()),
    }


def test_all_names_begin_with_that_of_the_api(location: Location) -> None:
    assert names_of(location.component("stripe").definitions()) == {
        "assets": [
            "stripe/api",
            "stripe/invoices",
            "stripe/invoices__line_items",
            "stripe/invoices_rejected",
            "stripe/receivables",
        ],
        "jobs": ["stripe_maintain_warehouse", "stripe_reconcile_invoices", "stripe_refresh_invoices"],
        "schedules": [
            "stripe_maintain_warehouse_schedule",
            "stripe_reconcile_invoices_schedule",
            "stripe_refresh_invoices_schedule",
        ],
        "sensors": [
            "default_automation_condition_sensor",
            "stripe_failed_checks_alert",
            "stripe_failed_runs_alert",
            "stripe_invoices_changed_sensor",
        ],
        "resources": ["stripe_api", "stripe_dlt", "stripe_warehouse"],
    }


def test_the_names_of_an_api_called_invoicing_are_those_of_a_project_with_one(location: Location) -> None:
    location.servers["invoicing"] = location.servers["stripe"]
    names = names_of(location.component("invoicing").definitions())
    assert names["jobs"] == ["maintain_warehouse", "reconcile_invoices", "refresh_invoices"]
    assert names["resources"] == ["api", "dlt", "warehouse"]


def test_each_loads_into_its_own_dataset_of_one_file(location: Location) -> None:
    assert location.run("stripe_refresh_invoices").success
    assert location.run("dolibarr_reconcile_invoices").success
    assert location.query("SELECT count(*), sum(total) FROM stripe.invoices") == expected(location.books["stripe"])
    assert location.query("SELECT count(*), sum(total) FROM dolibarr.invoices") == expected(location.books["dolibarr"])


def expected(book: Book) -> list[tuple[int, Any]]:
    return [(len(book), sum(record["total"] for record in book.records))]


def test_run_config_that_sets_one_field_keeps_address_key_and_file(location: Location) -> None:
    settings = {"stripe_api": {"config": {"window": 2}}, "stripe_warehouse": {"config": {"memory_limit": "200MB"}}}
    os.environ["INVOICES_API_BASE_URL"] = "http://127.0.0.1:9"  # of another API, which must not be asked
    try:
        assert location.run("stripe_refresh_invoices", resources=settings).success
    finally:
        del os.environ["INVOICES_API_BASE_URL"]
    assert location.query("SELECT count(*) FROM stripe.invoices") == [(20,)]


def test_a_key_that_is_missing_is_named_with_its_api(location: Location) -> None:
    defs = location.definitions()
    location.monkeypatch.delenv("STRIPE_API_KEY")
    assert sentence(location.run("stripe_refresh_invoices", defs)) == (
        "STRIPE_API_KEY is not set: it must hold the key of `stripe`."
    )


def test_a_refused_deletion_names_the_job_of_its_api(location: Location) -> None:
    location.run("stripe_refresh_invoices")
    for record in location.books["stripe"].records[:15]:
        location.books["stripe"].delete(record["id"])
    assert "launch `stripe_reconcile_invoices`" in sentence(location.run("stripe_reconcile_invoices"))


def test_the_sensor_asks_its_own_api(location: Location) -> None:
    sensor = location.definitions().resolve_sensor_def("dolibarr_invoices_changed_sensor")
    with dg.build_sensor_context(instance=location.instance) as context:
        tick = sensor.evaluate_tick(context)
    assert len(tick.run_requests or []) == 1
    assert (len(location.servers["stripe"].requests), len(location.servers["dolibarr"].requests)) == (0, 1)


def test_schedules_sensor_owners_and_tags_are_as_the_component_says(location: Location) -> None:
    defs = location.component(
        "stripe", refresh="5 * * * *", reconcile=None, sensor=False, owners=["team:ledger"], tags={"country": "de"}
    ).definitions()
    names = names_of(defs)
    assert names["schedules"] == ["stripe_maintain_warehouse_schedule", "stripe_refresh_invoices_schedule"]
    assert "stripe_invoices_changed_sensor" not in names["sensors"]
    spec = defs.resolve_assets_def(dg.AssetKey(["stripe", "invoices"])).specs_by_key[
        dg.AssetKey(["stripe", "invoices"])
    ]
    assert (spec.owners, spec.tags["country"], spec.tags["source"]) == (["team:ledger"], "de", "stripe")


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"name": "Stripe EU", "base_url": "https://x", "api_key_env": "K"}, "must be small letters"),
        ({"name": "a__b", "base_url": "https://x", "api_key_env": "K"}, "must be small letters"),
        ({"name": "sandbox", "base_url": "https://x"}, "is that of the embedded API"),
        (
            {"name": "main", "base_url": "https://x", "api_key_env": "K"},
            "is a schema that databases have for themselves",
        ),
        ({"name": "public", "base_url": "https://x", "api_key_env": "K"}, "is a schema that databases have"),
        ({"name": "stripe", "base_url": "https://x"}, "an `api_key_env` of its own"),
        ({"name": "stripe", "api_key_env": "K"}, "needs a `base_url`"),
        ({"name": "stripe", "base_url": "https://x", "api_key_env": "K", "api_key": "secret"}, "api_key"),
    ],
)
def test_attributes_that_cannot_be_are_refused(attributes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        InvoicesComponent(**attributes)


def test_importing_the_package_imports_neither_dagster_nor_dlt() -> None:
    code = "import sys, invoices_assets; print(sorted({'dagster', 'dlt', 'pyarrow'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.fixture
def folder(location: Location) -> Path:
    """What `INVOICES_APIS` may name: two components, each with its source file."""
    folder = location.folder / "apis"
    folder.mkdir()
    for name in location.servers:
        component = location.component(name)
        attributes = {
            "name": name,
            "source": f"../{name}.yaml",
            **component.model_dump(include={"base_url", "api_key_env"}),
        }
        write(folder / f"{name}.yaml", attributes)
    location.monkeypatch.setenv("INVOICES_APIS", str(folder))
    location.monkeypatch.setenv("INVOICES_DUCKDB_PATH", str(location.warehouse))
    return folder


def with_attributes(**attributes: Any) -> str:
    """A component that lacks nothing."""
    whole = {"name": "b", "source": "../stripe.yaml", "base_url": "http://x", "api_key_env": "K"} | attributes
    return yaml.safe_dump({"type": "invoices_assets.InvoicesComponent", "attributes": whole})


def write(path: Path, attributes: dict[str, Any]) -> None:
    content = {"type": "invoices_assets.InvoicesComponent", "attributes": attributes}
    path.write_text(yaml.safe_dump(content), encoding="utf-8")


def project() -> dg.Definitions:
    import importlib

    from invoices_assets import definitions

    return importlib.reload(definitions).defs


def test_a_folder_of_components_makes_a_location_with_all_of_them(location: Location, folder: Path) -> None:
    defs = project()
    assert {"all_invoices", "dolibarr/invoices", "receivables", "stripe/invoices"} <= set(names_of(defs)["assets"])
    assert location.run("stripe_refresh_invoices", defs).success
    assert location.query("SELECT source, count(*) FROM all_invoices GROUP BY source") == [("stripe", 20)]


def test_the_files_that_dg_scaffolds_make_a_location_as_they_stand(location: Location, folder: Path) -> None:
    scaffolded = {"type": "invoices_assets.AllInvoicesComponent"}
    (folder / "all_invoices.yaml").write_text(yaml.safe_dump(scaffolded), encoding="utf-8")
    assert {"all_invoices", "stripe/invoices"} <= set(names_of(project())["assets"])


def test_a_folder_that_kubernetes_mounts_has_each_file_once(location: Location, folder: Path) -> None:
    mounted = location.folder / "mounted"
    (mounted / "..2026_11_29").mkdir(parents=True)
    (mounted / "..data").symlink_to("..2026_11_29")
    for name in ("stripe.yaml", "dolibarr.yaml"):
        content = (folder / name).read_text(encoding="utf-8").replace("../", f"{location.folder}/")
        (mounted / "..data" / name).write_text(content, encoding="utf-8")
        (mounted / name).symlink_to(f"..data/{name}")
    location.monkeypatch.setenv("INVOICES_APIS", str(mounted))
    assert {"dolibarr/invoices", "stripe/invoices"} <= set(names_of(project())["assets"])


def test_a_file_that_is_no_yaml_is_told_without_what_stands_in_it(location: Location, folder: Path) -> None:
    (folder / "broken.yaml").write_text("attributes:\n  api_key_env: s3cr3t-0f-an-api\n  api_key_env: A\n")
    with pytest.raises(click.ClickException) as refused:
        project()
    assert "broken.yaml cannot be used: `api_key_env` stands there twice (line 3, column 3)" in refused.value.message
    assert "s3cr3t" not in str(refused.value.message)


def test_a_folder_may_be_below_the_home_folder(location: Location, folder: Path) -> None:
    location.monkeypatch.setenv("HOME", str(folder.parent))
    location.monkeypatch.setenv("INVOICES_APIS", f"~/{folder.name}")
    assert "stripe/invoices" in names_of(project())["assets"]


def test_the_api_of_the_environment_stands_beside_those_of_the_folder(location: Location, folder: Path) -> None:
    location.monkeypatch.setenv("INVOICES_API_BASE_URL", location.servers["stripe"].url)
    assert "invoicing/invoices" in names_of(project())["assets"]
    assert "refresh_invoices" in names_of(project())["jobs"]


def test_two_apis_that_are_both_called_invoicing_are_refused_in_one_sentence(location: Location, folder: Path) -> None:
    location.monkeypatch.setenv("INVOICES_API_BASE_URL", location.servers["stripe"].url)
    attributes = {"name": "invoicing", "source": "../stripe.yaml", "base_url": "http://x", "api_key_env": "K"}
    write(folder / "third.yaml", attributes)
    with pytest.raises(click.ClickException) as refused:
        project()
    assert refused.value.message == (
        f"{folder} has a component with `name: invoicing`, which is the name of the API at INVOICES_API_BASE_URL: "
        "give it another name, or unset INVOICES_API_BASE_URL and INVOICES_API_KEY."
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("x: 1", "has no `type: invoices_assets.InvoicesComponent`"),
        ("type: [", "cannot be used"),
        (
            "{type: invoices_assets.InvoicesComponent, attributes: {name: B, base_url: 'http://x', api_key_env: K}}",
            "must be small letters",
        ),
        (
            "{type: invoices_assets.InvoicesComponent, attributes: {name: b, base_url: 'http://x', api_key_env: K, "
            "source: none.yaml}}",
            "cannot be read",
        ),
        (
            "{type: invoices_assets.InvoicesComponent, attributes: {name: stripe, base_url: 'http://x', "
            "api_key_env: K, source: ../stripe.yaml}}",
            "both have `name: stripe`",
        ),
        (with_attributes(refresh="every hour"), "`refresh`: `every hour` is no schedule that Dagster can follow"),
        (with_attributes(reconcile="* * * * * *"), "`reconcile`: `* * * * * *` is no schedule that Dagster can follow"),
        (with_attributes(owners=["finance"]), "`owners`: `finance` is neither an e-mail address nor team:name"),
        (with_attributes(tags={"a b": "c"}), "`tags`: Found invalid tag keys: ['a b']"),
        (
            with_attributes(api_key_env="sk-l1ve"),
            "`api_key_env`: it must be the name of a variable, in capital letters",
        ),
        (with_attributes(window=0), "`window`: Input should be greater than or equal to 1"),
        ("{type: invoices_assets.InvoicesComponent, attributes: [1]}", "`attributes`: Input should be an object"),
    ],
)
def test_a_file_that_fails_names_itself_in_one_sentence(folder: Path, content: str, said: str) -> None:
    (folder / "bad.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(click.ClickException) as refused:
        project()
    assert "bad.yaml" in refused.value.message
    assert said in refused.value.message
    assert len(refused.value.message.splitlines()) == 1
    assert "sk-l1ve" not in refused.value.message


def test_dagsters_command_prints_the_sentence_of_a_file_that_fails_once(folder: Path) -> None:
    (folder / "bad.yaml").write_text("type: [", encoding="utf-8")
    command = [sys.executable, "-m", "dagster", "job", "execute", "-m", "invoices_assets.definitions", "-j", "any"]
    done = subprocess.run(command, capture_output=True, text=True)
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1, done.stderr
    assert "bad.yaml" in errors[0]
    assert "cannot be used" in errors[0]
