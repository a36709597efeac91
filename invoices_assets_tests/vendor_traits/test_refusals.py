"""What APIs refuse: waited out, told once, or told in a clear sentence."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from invoices_assets.errors import ApiStatusError, KeyRefused
from invoices_assets_tests.support.fake_clock import EPOCH
from invoices_assets_tests.support.loader import Loader
from invoices_assets_tests.support.rows import assert_same_as, put_rows, untouched
from invoices_assets_tests.support.sweep_helpers import swept_from
from invoices_assets_tests.support.traits import SECRET
from invoices_assets_tests.vendor import Book, Contract, Faults, Key, serve
from invoices_assets_tests.vendor.faults import status

IN_40_SECONDS = format_datetime(datetime.fromtimestamp(EPOCH + 40, UTC), usegmt=True)
"""By the clock of the client."""


@pytest.mark.parametrize(
    ("retry_after", "waited"),
    [
        pytest.param(7, 7, id="in seconds"),
        pytest.param(IN_40_SECONDS, 40, id="as a date"),
        pytest.param(0, 2, id="of 0"),
        pytest.param(None, 2, id="absent"),
    ],
)
def test_429_is_waited_out_with_retry_after(retry_after: Any, waited: float, tmp_path: Path) -> None:
    book = Book.of(150)
    with serve(book, Faults(status(429, retry_after=retry_after, times=1)), key=SECRET) as server:
        loader = Loader(tmp_path, server.url, key=SECRET)
        result = loader.refresh()
        assert_same_as(loader, book)
        assert max(loader.clock.sleeps) >= waited
        assert result.stats.retries == 1


def test_a_wrong_key_is_sent_once_for_some_apis_ban_a_client_after_several() -> None:
    with serve(Book.of(150), contract=Contract(key=Key(ban_after=2)), key=SECRET) as server:
        with pytest.raises(KeyRefused, match=r"^the API refused the key \(401\)"):
            swept_from(server, key="wrong key")
        assert [call.status for call in server.requests] == [401]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("html", ": Oops, 400 "),
        ("text", ": upstream is not well"),
        ("json", "answered by a switch"),
        ("empty", "400 Bad Request"),
    ],
)
def test_an_error_body_is_told_without_markup_as(body: str, told: str, tmp_path: Path) -> None:
    with serve(Book.of(150), Faults(status(400, body=body)), key=SECRET) as server:
        loader = Loader(tmp_path, server.url, key=SECRET)
        put_rows(loader, 40)
        with untouched(loader), pytest.raises(ApiStatusError, match="answered 400 Bad Request") as caught:
            loader.refresh()
    assert told in str(caught.value)
    assert "<" not in str(caught.value)
