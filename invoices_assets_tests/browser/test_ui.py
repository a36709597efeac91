"""What the README says of Dagster's UI, in a browser against a `dagster dev` with the sandbox as its source."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from invoices_assets_tests.support.chromium import chromium_or_skip, headless
from invoices_assets_tests.support.dagster_dev import Dev, sandbox_dev

pytest.importorskip("playwright", reason="playwright is not installed")

from playwright.sync_api import Browser, expect

from invoices_assets_tests.browser.ui import LOCATION, Ui, opened

NODES = ("api", "invoices", "line_items", "invoices_rejected", "receivables")
CHECKS = (
    "children_have_parents",
    "complete",
    "due_after_issued",
    "lines_add_up",
    "no_rejected_records",
    "nothing_missed_by_incremental",
    "paid_within_total",
    "schema_unchanged",
    "source_fits",
    "unique_key",
    "usual_volume",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with headless(chromium_or_skip()) as browser:
        yield browser


@pytest.fixture(scope="module")
def dev(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    with sandbox_dev(tmp_path_factory.mktemp("dagster_dev")) as dev:
        yield dev


@pytest.fixture(scope="module")
def loaded(browser: Browser, dev: Dev) -> Dev:
    """The same, after the asset was materialized from its page."""
    with opened(browser, dev.url) as ui:
        ui.materialize()
    return dev


@pytest.fixture
def ui(browser: Browser, dev: Dev) -> Iterator[Ui]:
    with opened(browser, dev.url) as ui:
        yield ui


def test_the_graph_has_each_asset(ui: Ui) -> None:
    ui.open_graph()
    picture = ui.page.get_by_role("img").filter(has_text="receivables")
    for name in NODES:
        expect(picture).to_contain_text(name)


def test_materializing_it_shows_how_many_rows_there_are(ui: Ui, loaded: Dev) -> None:
    ui.open_asset()
    expect(ui.told("table_rows")).to_be_visible()


def test_the_summary_is_read_without_a_click(ui: Ui, loaded: Dev) -> None:
    ui.open_asset()
    expect(ui.told("summary")).to_contain_text("all that the API has")


def test_the_chart_is_drawn_without_a_click(ui: Ui, loaded: Dev) -> None:
    ui.open_asset()
    chart = ui.told("chart").get_by_role("img")
    expect(chart).to_be_visible()
    assert chart.evaluate("image => image.naturalWidth") > 0


def test_nothing_that_is_told_is_cut_off_at_the_right(ui: Ui, loaded: Dev) -> None:
    ui.open_asset()
    column, section = ui.told("summary").bounding_box(), ui.page.get_by_role("button", name="Metadata").bounding_box()
    assert column is not None
    assert section is not None
    assert column["x"] + column["width"] <= section["x"] + section["width"]


def test_each_check_is_listed_with_its_result(ui: Ui, loaded: Dev) -> None:
    ui.open_asset("checks")
    expect(ui.text(f"Checks ({len(CHECKS)})")).to_be_visible()
    for check in CHECKS:
        expect(ui.page.get_by_text(check).first).to_be_visible()
    expect(ui.text("Succeeded")).to_have_count(len(CHECKS))


def test_the_page_of_a_job_says_how_many_assets_it_makes(ui: Ui) -> None:
    ui.go(f"locations/{LOCATION}/jobs/refresh_invoices")
    expect(ui.text("View 4 assets")).to_be_visible()


def test_the_launchpad_launches_a_full_run(ui: Ui, loaded: Dev) -> None:
    ui.launch("refresh_invoices", "full")
    ui.page.get_by_role("button", name="View tags and config").click()
    expect(ui.text("full").first).to_be_visible()


def test_a_schedule_that_is_switched_on_says_when_it_ticks(ui: Ui) -> None:
    ui.go(f"locations/{LOCATION}/schedules/refresh_invoices_schedule")
    expect(ui.page.get_by_role("row", name="Next tick")).to_have_count(0)
    ui.switch_on()
    expect(ui.page.get_by_role("row", name="Next tick")).to_be_visible()


def test_a_sensor_that_is_switched_on_ticks(ui: Ui, loaded: Dev) -> None:
    ui.go(f"locations/{LOCATION}/sensors/invoices_changed_sensor")
    ui.switch_on()
    expect(ui.page.get_by_role("row", name="View logs").first).to_be_visible()
