"""Dagster's UI as somebody uses it: found by roles and texts, never by its styles."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from playwright.sync_api import Browser, Locator, Page, expect

SIZE = {"width": 1280, "height": 900}
SLOW_SECONDS = 60
"""For a page or a run on a machine that has much else to do."""
ASSET = "sandbox/invoices"
LOCATION = "invoices_assets.definitions"

expect.set_options(timeout=SLOW_SECONDS * 1000)


@dataclass(frozen=True)
class Ui:
    """One tab of a browser.

    Parameters:
        url: of a running `dagster dev`.
    """

    page: Page
    url: str

    def go(self, path: str) -> None:
        self.page.goto(f"{self.url}/{path}")

    def text(self, text: str) -> Locator:
        """Whatever has this text, and nothing else in it."""
        return self.page.get_by_text(text, exact=True)

    def open_graph(self) -> None:
        self.go("asset-groups")
        expect(self.page.get_by_role("button", name="Materialize")).to_be_visible()

    def open_asset(self, tab: str = "overview") -> None:
        self.go(f"assets/{ASSET}?view={tab}")
        expect(self.page.get_by_role("tab", name="Overview").first).to_be_visible()

    def materialize(self) -> None:
        """Materializes the asset from its page, and waits on the page of the run until it has succeeded."""
        self.open_asset()
        self.page.get_by_role("button", name="Materialize").first.click()
        self._follow()

    def materialize_all(self) -> None:
        """The same of all assets, from the graph."""
        self.open_graph()
        self.page.get_by_role("button", name="Materialize all").click()
        self._follow()

    def _follow(self) -> None:
        self.page.get_by_text("Launched run").wait_for()
        self.text("View").click()
        self.see_success()

    def told(self, key: str) -> Locator:
        """The value of an entry of the metadata, on the page of the asset."""
        return self.page.get_by_role("row", name=key, exact=False).filter(has=self.text(key)).get_by_role("cell").nth(2)

    def see_success(self) -> None:
        """Waits on the page of a run until it says that it has succeeded."""
        expect(self.text("Success").first).to_be_visible()

    def launch(self, job: str, mode: str) -> None:
        """Launches a job in the mode typed into the launchpad, and waits until the run has succeeded."""
        self.go(f"locations/{LOCATION}/jobs/{job}/playground")
        self.text("incremental").dblclick()
        self.page.keyboard.type(mode)
        self.page.keyboard.press("Escape")  # the suggestions
        self.page.get_by_role("button", name="Launch Run").click()
        self.see_success()

    def switch(self) -> Locator:
        """The switch on the page of a schedule or sensor, which is off at first."""
        return self.page.get_by_role("row", name="Running").get_by_role("checkbox")

    def switch_on(self) -> None:
        """Switches it on, where people click: on the picture in front of the box."""
        self.page.get_by_role("row", name="Running").locator("label").click()
        expect(self.switch()).to_be_checked()


@contextmanager
def opened(browser: Browser, url: str) -> Iterator[Ui]:
    """A tab of its own, which nobody has used before."""
    page = browser.new_page(viewport=SIZE)
    page.set_default_timeout(SLOW_SECONDS * 1000)
    try:
        yield Ui(page, url)
    finally:
        page.close()
