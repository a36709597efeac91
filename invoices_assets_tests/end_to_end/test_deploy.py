"""The files of `deploy/` name what exists, and hold no secret; `test_many_machines.py` runs what they describe."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from invoices_assets import resources
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.warehouses.catalogs import catalog_of
from invoices_assets.names import INVOICING, Names
from invoices_assets_tests.conftest import PROJECT
from invoices_assets_tests.support.machines import DEPLOY, compose
from invoices_assets_tests.support.warehouses import execute, postgres_server

MODULE = "invoices_assets.definitions"
SETTINGS = {getattr(resources, name) for name in ("BASE_URL", "API_KEY", "SOURCE", "DESTINATION", "WORK_DIR")}
VARIABLE = re.compile(r"\$\{(\w+)(?::\?|:-(\w*))\}")

POOL = Names(INVOICING).pool


def read(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))


def environment(service: str) -> dict[str, str]:
    """What a service of the compose file has, with the name of each variable that is asked for as its value."""
    said = compose()["services"][service]["environment"]
    return {name: VARIABLE.sub(lambda found: found[2] or found[1], value) for name, value in said.items()}


def test_dagster_yaml_is_an_instance_with_its_storage_in_postgres(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("dagster_celery", "dagster_postgres"):
        pytest.importorskip(package, reason=f"{package} is not installed: see constraints-scale.txt")
    from dagster import DagsterInstance

    from invoices_assets_tests.support.machines import storage_in

    monkeypatch.syspath_prepend(str(DEPLOY))
    (tmp_path / "dagster.yaml").write_text((DEPLOY / "dagster.yaml").read_text(encoding="utf-8"))
    with postgres_server() as dsn:
        for name, value in storage_in(dsn, "postgres").items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("DAGSTER_CELERY_BROKER_URL", "redis://127.0.0.1:1/0")
        with DagsterInstance.from_config(str(tmp_path)) as instance:
            assert instance.get_runs() == []
            assert instance.run_launcher.supports_check_run_worker_health
            assert instance.event_log_storage.initialize_concurrency_limit_to_default(POOL)
            [pool] = instance.event_log_storage.get_pool_limits()
            assert (pool.name, pool.limit) == (POOL, 2)
        assert execute(dsn, "SELECT count(*) FROM runs") == [(0,)]


def test_services_that_run_the_projects_code_alone_have_its_settings() -> None:
    of_project = {name for name in compose()["services"] if "INVOICES_API_KEY" in str(compose()["services"][name])}
    assert of_project == {"code", "worker"}
    for name in of_project:
        assert {key for key in environment(name) if key.startswith("INVOICES_")} <= SETTINGS


@pytest.mark.parametrize("destination", ["postgres", "ducklake"])
def test_the_warehouses_of_the_compose_file_are_read_as_meant(
    monkeypatch: pytest.MonkeyPatch, destination: str
) -> None:
    for name, value in environment("worker").items():
        monkeypatch.setenv(name, value)
    catalog = catalog_of(WarehouseSettings("invoicing", destination=destination))
    expected = {"postgres": {"POSTGRES_PASSWORD"}, "ducklake": {"POSTGRES_PASSWORD", "STORAGE_PASSWORD"}}
    assert expected[destination] <= set(catalog.secrets)


def test_addresses_name_services_and_the_code_location_its_port() -> None:
    services = compose()["services"]
    hosts = re.findall(r"(?:@|//)(\w+):\d+", str([environment(name) for name in ("code", "worker", "bucket")]))
    assert set(hosts) == {"postgres", "redis", "storage"} <= set(services)
    [location] = [each["grpc_server"] for each in read("workspace.yaml")["load_from"]]
    assert services[location["host"]]["command"][-3:] == [str(location["port"]), "-m", MODULE]
    assert (
        location["location_name"]
        == yaml.safe_load((PROJECT / "workspace.yaml").read_text())["load_from"][0]["python_module"]["location_name"]
    )


def test_the_image_has_the_files_that_it_copies() -> None:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    copied = [word for line in re.findall(r"^COPY (.+) \S+$", text, re.M) for word in line.split()]
    assert copied
    assert [path for path in copied if not (PROJECT / path).exists()] == []


def test_the_helm_values_name_the_module_and_settings_that_exist() -> None:
    values = read("helm-values.yaml")
    [location] = values["dagster-user-deployments"]["deployments"]
    assert location["dagsterApiGrpcArgs"] == ["-m", MODULE]
    assert set(location["env"]) <= SETTINGS
    assert location["image"]["repository"] == compose()["services"]["code"]["image"]


def test_what_is_secret_comes_from_the_environment() -> None:
    for service in compose()["services"].values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD|KEY|SECRET|AUTH|CREDENTIALS$|CATALOG$|BROKER", name) and "ACCESS_KEY_ID" not in name:
                assert re.search(r"\$\{\w+:\?\}", value), name
    assert "password:" not in (DEPLOY / "helm-values.yaml").read_text(encoding="utf-8").lower()
    assert read("dagster.yaml")["storage"]["postgres"]["postgres_db"]["password"] == {
        "env": "DAGSTER_POSTGRES_PASSWORD"
    }
