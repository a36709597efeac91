"""Takes the pictures in `docs/`: `python -m invoices_assets_tests.browser.screenshots docs/`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from invoices_assets_tests.browser.ui import Ui, opened
from invoices_assets_tests.support.chromium import chromium_or_skip, headless
from invoices_assets_tests.support.dagster_dev import sandbox_dev

LARGEST_KILOBYTES = 250


def take_all(folder: Path) -> None:
    """Loads the sandbox in a `dagster dev` of its own, and takes a picture of each page.

    Parameters:
        folder: for `graph.png`, `asset.png` and `checks.png`.
    """
    with (
        tempfile.TemporaryDirectory(prefix="invoices-screenshots-") as place,
        headless(chromium_or_skip()) as browser,
        sandbox_dev(Path(place)) as dev,
        opened(browser, dev.url) as ui,
    ):
        ui.materialize_all()
        ui.open_graph()
        ui.page.get_by_role("button", name="run_success").nth(3).wait_for()
        take(ui, folder / "graph.png")
        ui.open_asset()
        # what a load tells is below them
        ui.page.get_by_role("button", name="Columns").click()
        ui.told("chart").get_by_role("img").wait_for()
        take(ui, folder / "asset.png")
        ui.open_asset("checks")
        ui.text("Succeeded").first.wait_for()
        take(ui, folder / "checks.png")


def take(ui: Ui, path: Path) -> None:
    """Takes a picture of the page, once nothing moves in it.

    Raises:
        SystemExit: it is too large to be kept in the repository.
    """
    ui.page.wait_for_load_state("networkidle")
    size = len(ui.page.screenshot(path=path, animations="disabled", caret="hide")) // 1000
    print(f"{path}: {size} kB")
    if size > LARGEST_KILOBYTES:
        raise SystemExit(f"{path} has more than {LARGEST_KILOBYTES} kB")


if __name__ == "__main__":
    take_all(Path(sys.argv[1]))
