"""What a sweep leaves undone whose end nothing proves: records behind it may never have been seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from invoices_assets_tests.support.invoices import invoice, stamped
from invoices_assets_tests.support.loader import Loader, loaded
from invoices_assets_tests.support.sweep_helpers import config
from invoices_assets_tests.vendor.fake_api import Asked, FakeApi, Reply

PATH = "/v1/invoices"
RECORDS = [invoice(f"{at:02}", stamped(at)) for at in range(25)]


def links(records: list[dict[str, Any]], *, led_on: bool = True) -> Any:
    """Pages of ten that lead on by a key which no other API has."""

    def answer(asked: Asked) -> Reply:
        start = int(asked.query.get("from", ["0"])[0])
        onward = f"{PATH}?from={start + 10}" if start + 10 < len(records) else None
        return Reply(body={"data": records[start : start + 10], **({"onward": onward} if led_on else {})})

    return answer


@pytest.fixture
def loader(tmp_path: Path, api: FakeApi) -> Loader:
    api.route(PATH)(links(RECORDS))
    return Loader(tmp_path, api.url, paged_by("onward"))


def paged_by(place: str) -> dict[str, Any]:
    return config(paginator={"type": "json_link", "next_url_path": place}, params={"limit": 10})


def test_the_cursor_stays_and_the_run_says_so(loader: Loader) -> None:
    loader.content = paged_by("onwards")
    done = loader.refresh()
    assert (loaded(done).new, done.cursor_after, loader.cursor) == (10, None, None)
    [remark] = done.remarks
    assert remark.startswith("nothing proves that these are all: ")
    assert remark.endswith("; so the cursor stays where it was")


def test_what_lay_behind_it_comes_once_the_source_file_is_right(loader: Loader) -> None:
    loader.content = paged_by("onwards")
    loader.refresh()
    loader.content = paged_by("onward")
    assert loaded(loader.refresh()).table_rows == 25


def test_a_rejected_record_waits_that_may_lie_behind_it(loader: Loader, api: FakeApi) -> None:
    api.route(PATH)(links([*RECORDS[:24], RECORDS[24] | {"total": "a lot"}]))
    loader.refresh()
    assert loader.query("SELECT count(*) FROM invoices_rejected") == [(1,)]
    api.route(PATH)(links(RECORDS[:10], led_on=False))
    assert not loader.refresh("full").swept.proven
    assert loader.query("SELECT count(*) FROM invoices_rejected") == [(1,)]
