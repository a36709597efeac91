"""Date windows: how they are declared, and how their ends are written."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from invoices_assets.errors import SourceError
from invoices_assets.source.resource import ResourceSpec
from invoices_assets_tests.support.loader import Loader
from invoices_assets_tests.support.months import by_month, created, month
from invoices_assets_tests.support.sweep_helpers import config, source_file, spec_of
from invoices_assets_tests.vendor import Book, Contract, Filter, serve


def march_of(content: dict[str, Any]) -> dict[str, Any]:
    return month(3).parameters(spec_of(content))


@pytest.mark.parametrize(
    ("first", "column", "start", "end"),
    [
        ("2019-05-01", {}, "2024-03-01", "2024-04-01"),
        (date(2019, 5, 1), {}, "2024-03-01", "2024-04-01"),
        ("2019-05-01T00:00:00Z", {}, "2024-03-01T00:00:00Z", "2024-04-01T00:00:00Z"),
        (datetime(2019, 5, 1, tzinfo=UTC), {}, "2024-03-01T00:00:00Z", "2024-04-01T00:00:00Z"),
        ("2019-05-01 00:00:00", {}, "2024-03-01 00:00:00", "2024-04-01 00:00:00"),
        ("2019-05-01T00:00:00+01:00", {}, "2024-03-01T01:00:00+01:00", "2024-04-01T01:00:00+01:00"),
        ("2019-05-01", {"x-format": "epoch_s"}, "1709251200", "1711929600"),
        ("2019-05-01", {"x-format": "%d-%m-%Y"}, "01-03-2024", "01-04-2024"),
    ],
)
def test_windows_are_written_as_the_api_writes_moments(
    first: Any, column: dict[str, Any], start: str, end: str
) -> None:
    content = by_month(first)
    content["resources"][0]["columns"]["created_at"] = {"data_type": "timestamp", **column}
    assert march_of(content) == {"created_from": start, "created_to": end}


def test_a_lag_makes_windows_overlap_for_an_api_whose_start_is_exclusive(tmp_path: Path) -> None:
    assert march_of(by_month(lag=1)) == {"created_from": "2024-02-29", "created_to": "2024-04-01"}
    assert march_of(by_month("2024-01-01T00:00:00Z", lag=1))["created_from"] == "2024-02-29T23:59:59Z"
    book = Book([{**created("a", "2024-03-01"), "created_at": "2024-03-01T00:00:00Z"}])
    filters = (Filter("created_from", "created_at", ">"), Filter("created_to", "created_at", "<"))
    with serve(book=book, contract=Contract(filters=filters)) as server:
        loader = Loader(tmp_path, server.url, by_month(lag=1))
        assert loader.load(dates=month(3)).new == 1


def test_the_first_month_is_whole_even_if_the_history_begins_within_it() -> None:
    window = spec_of(by_month("2019-05-17")).window
    assert window is not None
    assert window.first_month == "2019-05-01"


def test_without_a_change_parameter_the_window_is_the_change_cursor_too_as_for_dlt() -> None:
    content = config(incremental=by_month()["resources"][0]["endpoint"]["incremental"])
    spec: ResourceSpec = spec_of(content)
    assert spec.cursor is not None
    assert (spec.cursor.path, spec.cursor.start_param) == ("created_at", "created_from")
    assert spec.cursor.initial_value == "2024-01-01"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"initial_value": None}, "needs `initial_value`, the ISO date of its first month"),
        ({"initial_value": "last year"}, "needs `initial_value`, the ISO date of its first month"),
        ({"initial_value": "2024-13-01"}, "needs `initial_value`, the ISO date of its first month"),
        ({"start_param": None}, "has `end_param` and so needs `start_param`"),
    ],
)
def test_a_window_that_is_not_fully_declared_is_refused(
    changes: dict[str, Any], complaint: str, tmp_path: Path
) -> None:
    content = by_month(**{key: value for key, value in changes.items() if value is not None})
    for key in [key for key, value in changes.items() if value is None]:
        del content["resources"][0]["endpoint"]["incremental"][key]
    with pytest.raises(SourceError, match=complaint):
        source_file(tmp_path, content)


def test_a_window_on_a_resource_that_hangs_on_another_one_is_refused(tmp_path: Path) -> None:
    content = by_month()
    child = by_month()["resources"][0]
    child["name"] = "payments"
    child["endpoint"]["path"] = "/v1/invoices/{resources.invoices.id}/payments"
    content["resources"].append(child)
    with pytest.raises(SourceError, match="cannot have `end_param`"):
        source_file(tmp_path, content)
