"""Change stamps in every notation: how a cursor reads, orders, keeps and asks for them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from invoices_assets.errors import SourceError
from invoices_assets.extract.watermark import Watermark
from invoices_assets.source.resource import ResourceSpec
from invoices_assets.source.timestamps import TimestampFormat, parse_since
from invoices_assets_tests.support.invoices import NOON, asked_since, invoice, stamped, without_lag
from invoices_assets_tests.support.loader import Loader, loaded
from invoices_assets_tests.support.sweep_helpers import config, spec_of
from invoices_assets_tests.vendor import Book, Contract, Filter, serve
from invoices_assets_tests.vendor.fake_api import Asked, FakeApi, Reply

STYLES = {
    "iso_z": ({}, "2024-03-01T12:00:30Z", "2024-03-01T11:50:30Z"),
    "iso_offset": ({}, "2024-03-01T12:00:30+00:00", "2024-03-01T11:50:30+00:00"),
    "iso_no_zone": ({}, "2024-03-01T12:00:30", "2024-03-01T11:50:30"),
    "iso_space": ({}, "2024-03-01 12:00:30", "2024-03-01 11:50:30"),
    "epoch_s": ({"x-format": "epoch_s"}, 1709294430, "1709293830"),
    "epoch_ms": ({"x-format": "epoch_ms"}, 1709294430000, "1709293830000"),
}


def cursor_spec(
    *, lag: float = 600, path: str = "updated_at", initial_value: Any = None, **column: Any
) -> ResourceSpec:
    """The default source with another cursor, and `column` as the hints of its column."""
    incremental = {
        "cursor_path": path,
        "start_param": "updated_since",
        "lag": lag,
        "initial_value": initial_value,
    }
    content = config(incremental={key: value for key, value in incremental.items() if value is not None})
    content["resources"][0]["columns"]["updated_at"] = column or {"data_type": "timestamp"}
    return spec_of(content)


@pytest.mark.parametrize("style", STYLES)
def test_stamps_of_every_style_are_stored_and_asked_for_as_the_api_writes_them(style: str, tmp_path: Path) -> None:
    hints, stored, asked = STYLES[style]
    content = config()
    content["resources"][0]["columns"]["updated_at"] = {"data_type": "timestamp", **hints}
    book = Book([invoice("a"), invoice("b", stamped(30)), invoice("old", stamped(-7200))])
    with serve(book=book, contract=Contract(stamps=style)) as server:
        loader = Loader(tmp_path, server.url, content)
        loader.refresh()
        assert loader.cursor == stored
        asked_since(server)
        book.update("a", total=11, updated_at=stamped(45))
        done = loader.refresh()
        assert asked_since(server) == {asked}
        assert (done.swept.rows, loaded(done).changed, done.remarks) == (2, 1, [])
        assert loader.query("SELECT updated_at::VARCHAR FROM invoices WHERE id = 'a'") == [("2024-03-01 12:00:45+00",)]


def test_a_date_only_cursor_steps_back_by_days(tmp_path: Path) -> None:
    content = config(incremental={**without_lag(), "lag": 2})
    content["resources"][0]["columns"]["updated_at"] = {"data_type": "date"}
    book = Book([invoice("a"), invoice("old", stamped(0, "2024-02-01"))])
    with serve(book=book, contract=Contract(stamps="day", filters=(Filter(by_day=True),))) as server:
        loader = Loader(tmp_path, server.url, content)
        loader.refresh()
        assert loader.cursor == "2024-03-01"
        asked_since(server)
        book.insert(invoice("late", stamped(0, "2024-02-28")))
        done = loader.refresh()
        assert asked_since(server) == {"2024-02-28"}
        assert (done.swept.rows, loaded(done).new) == (2, 1)


def test_a_cursor_of_another_format_is_read_written_and_ordered_by_it(tmp_path: Path) -> None:
    rows = {"a": "30-01-2024", "b": "02-02-2024"}
    with FakeApi() as api:

        @api.route("/v1/invoices")
        def answer(asked: Asked) -> Reply:
            since = asked.query.get("updated_since", ["01-01-2000"])[0]
            shown = [{"id": id, "updated_at": day} for id, day in rows.items() if by_day(day) >= by_day(since)]
            return Reply(body={"data": shown[int(asked.query["offset"][0]) :], "total": len(shown)})

        content = config(incremental={**without_lag(), "lag": 1})
        content["resources"][0]["columns"]["updated_at"] = {"data_type": "date", "x-format": "%d-%m-%Y"}
        loader = Loader(tmp_path, api.url, content)
        loader.refresh()
        assert loader.cursor == "02-02-2024"
        rows["c"] = "01-02-2024"
        assert loader.load().new == 1
        assert api.asked[-1].query["updated_since"] == ["01-02-2024"]


def by_day(text: str) -> datetime:
    return datetime.strptime(text, "%d-%m-%Y")


def test_a_fraction_of_a_second_survives_the_warehouse(tmp_path: Path) -> None:
    content = config()
    content["resources"][0]["columns"]["updated_at"] = {"data_type": "timestamp", "x-format": "epoch_s"}
    with FakeApi() as api:

        @api.route("/v1/invoices")
        def answer(asked: Asked) -> Reply:
            row = b'{"id": "a", "updated_at": 1709294430.25}' if asked.query["offset"] == ["0"] else b""
            return Reply(body=b'{"data": [%b], "total": 1}' % row)

        loader = Loader(tmp_path, api.url, content)
        loader.refresh()
        assert loader.cursor == Decimal("1709294430.25")
        loader.refresh()
        assert api.asked[-1].query["updated_since"] == ["1709293830"]


@pytest.mark.parametrize(
    ("stamps", "column", "furthest"),
    [
        (["2024-03-01T12:00:00.9Z", "2024-03-01T12:00:00.10Z"], {}, "2024-03-01T12:00:00.9Z"),
        (["2024-03-01T13:00:00+02:00", "2024-03-01T12:00:00+00:00"], {}, "2024-03-01T12:00:00+00:00"),
        (
            ["31-01-2024 12:00:00Z", "01-02-2024 12:00:00Z"],
            {"x-format": "%d-%m-%Y %H:%M:%SZ"},
            "01-02-2024 12:00:00Z",
        ),
        ([9, 10, Decimal("9.5")], {}, 10),
        (["9", "10"], {}, "10"),
        ([1709294430, 10**18], {"x-format": "epoch_s"}, 1709294430),
        (["0001-01-01T00:00:00+02:00", NOON], {}, NOON),
        ([True, None, {}, NOON], {}, NOON),
    ],
)
def test_the_furthest_stamp_is_the_latest_moment_not_the_last_text(
    stamps: list[Any], column: dict[str, Any], furthest: Any
) -> None:
    reader = Watermark(cursor_spec(data_type="timestamp", **column))
    reader.read([{"id": at, "updated_at": stamp} for at, stamp in enumerate(stamps)])
    assert reader.last_value == furthest


@pytest.mark.parametrize(
    ("last", "lag", "column", "start"),
    [
        ("2024-03-01T12:00:00.123Z", 600, {}, "2024-03-01T11:50:00.123Z"),
        ("2024-03-01T12:00:00.123456789Z", 0.5, {}, "2024-03-01T11:59:59.623456Z"),
        ("2024-03-01T12:00:00+05:30", 600, {}, "2024-03-01T11:50:00+05:30"),
        ("2024-03-01T12:00:00-0500", 600, {}, "2024-03-01T11:50:00-0500"),
        ("20240301", 1, {}, "20240229"),
        ("1709294430", 600, {}, "1709293830"),
        (42, 2, {}, 40),
        ("2024-03-31 03:05:00", 600, {"x-timezone": "Europe/Berlin"}, "2024-03-31 01:55:00"),
        ("2024-03-31", 1, {"x-timezone": "Europe/Berlin"}, "2024-03-30"),
    ],
)
def test_the_overlap_is_exact_in_every_notation(last: Any, lag: float, column: dict[str, Any], start: Any) -> None:
    assert TimestampFormat(cursor_spec(lag=lag, data_type="timestamp", **column)).start_after(last) == start


BERLIN = {"x-timezone": "Europe/Berlin"}
WALL = {**BERLIN, "x-format": "%d.%m.%Y %H:%M"}
ZONED = {**BERLIN, "x-format": "%d.%m.%Y %H:%M %z"}


@pytest.mark.parametrize(
    ("last", "lag", "column", "start"),
    [
        ("2025-10-26T02:50:00", 600, BERLIN, "2025-10-26T01:40:00"),
        ("2025-10-26T02:50:00", 0, BERLIN, "2025-10-26T01:50:00"),
        ("2025-10-26T03:05:00", 600, BERLIN, "2025-10-26T01:55:00"),
        ("2025-10-26T03:05:00", 4200, BERLIN, "2025-10-26T01:55:00"),
        ("2025-10-26T03:10:00", 600, BERLIN, "2025-10-26T03:00:00"),
        ("2025-10-26T01:59:00", 0, BERLIN, "2025-10-26T01:59:00"),
        ("2025-04-06T01:45:00", 0, {"x-timezone": "Australia/Lord_Howe"}, "2025-04-06T01:15:00"),
        ("26.10.2025 02:50", 600, WALL, "26.10.2025 01:40"),
        ("26.10.2025 02:50 +0200", 600, ZONED, "26.10.2025 02:40 +0200"),
        ("2025-10-26T02:50:00+02:00", 600, BERLIN, "2025-10-26T02:40:00+02:00"),
        ("2025-10-26T02:50:00Z", 600, BERLIN, "2025-10-26T02:40:00Z"),
        (1761439800, 600, {**BERLIN, "x-format": "epoch_s"}, 1761439200),
        ("2025-10-26", 0, BERLIN, "2025-10-26"),
    ],
)
def test_a_start_in_an_hour_that_comes_twice_lies_before_both(
    last: Any, lag: float, column: dict[str, Any], start: Any
) -> None:
    assert TimestampFormat(cursor_spec(lag=lag, data_type="timestamp", **column)).start_after(last) == start


def test_since_in_an_hour_that_comes_twice_is_asked_for_from_before_both() -> None:
    spec = cursor_spec(data_type="timestamp", **BERLIN)
    assert parse_since(spec, "2025-10-26T01:30:00Z", "2025-10-01T00:00:00") == "2025-10-26T01:30:00"


def test_a_record_that_changes_in_the_second_of_two_hours_is_not_missed(tmp_path: Path) -> None:
    rows = {"a": "2024-10-27 02:50:00"}
    with FakeApi() as api:

        @api.route("/v1/invoices")
        def answer(asked: Asked) -> Reply:
            since = asked.query.get("updated_since", [""])[0]
            shown = [{"id": id, "updated_at": at} for id, at in rows.items() if at >= since]
            return Reply(body={"data": shown[int(asked.query["offset"][0]) :], "total": len(shown)})

        content = config()
        content["resources"][0]["columns"]["updated_at"] = {"data_type": "timestamp", **BERLIN}
        loader = Loader(tmp_path, api.url, content)
        loader.refresh()
        rows["b"] = "2024-10-27 02:10:00"
        assert loader.load().new == 1


@pytest.mark.parametrize(
    ("moment", "like", "column", "written"),
    [
        ("2024-03-01T12:00:00.123Z", 1, {"x-format": "epoch_ms"}, 1709294400123),
        ("2262-04-11T23:47:16.854Z", 1, {"x-format": "epoch_ms"}, 9223372036854),
        ("1969-12-31T23:59:59.999Z", 1, {"x-format": "epoch_s"}, -1),
        ("2024-03-01T12:00:00.5Z", "2024-01-01T00:00:00,000", {}, "2024-03-01T12:00:00,500"),
        ("2024-03-01T12:00:00Z", "2024-01-01 00:00:00 +02", {}, "2024-03-01 14:00:00 +02"),
    ],
)
def test_a_moment_is_written_to_the_digit_as_the_api_writes(
    moment: str, like: Any, column: dict[str, Any], written: Any
) -> None:
    spec = cursor_spec(data_type="timestamp", **column)
    assert TimestampFormat(spec).write(datetime.fromisoformat(moment), like) == written


def test_the_overlap_does_not_cross_the_initial_value() -> None:
    spec = cursor_spec(initial_value="2024-03-01T11:59:00Z")
    assert TimestampFormat(spec).start_after(NOON) == "2024-03-01T11:59:00Z"


def test_a_stored_cursor_that_is_no_stamp_names_the_way_out() -> None:
    with pytest.raises(SourceError, match="mode: full"):
        TimestampFormat(cursor_spec()).start_after("yesterday")


@pytest.mark.parametrize("declared", ["updated_at", "updatedAt"])
def test_the_declaration_of_the_cursor_is_found_by_the_name_of_its_column(declared: str) -> None:
    content = config(incremental={"cursor_path": "updatedAt", "start_param": "updated_since", "lag": 600})
    columns = content["resources"][0]["columns"]
    del columns["updated_at"]
    columns[declared] = {"data_type": "timestamp", "x-format": "epoch_ms"}
    assert TimestampFormat(spec_of(content)).start_after(1709294430000) == 1709293830000


@pytest.mark.parametrize(
    ("since", "like", "column", "start"),
    [
        ("2024-03-01", None, {}, "2024-03-01T00:00:00Z"),
        ("2024-03-01T12:00:00+01:00", NOON, {}, "2024-03-01T11:00:00Z"),
        ("2024-03-01T12:00:00Z", "2024-01-01 00:00:00", {}, "2024-03-01 12:00:00"),
        ("2024-03-01T12:00:00Z", None, {"data_type": "date"}, "2024-03-01"),
        ("2024-03-01T12:00:00Z", 1, {"x-format": "epoch_s"}, 1709294400),
        ("1709294400", 1, {"x-format": "epoch_s"}, "1709294400"),
        ("2024-03-01", None, {"data_type": "date", "x-format": "%d-%m-%Y"}, "01-03-2024"),
    ],
)
def test_since_is_written_as_the_api_writes(since: str, like: Any, column: dict[str, Any], start: Any) -> None:
    assert parse_since(cursor_spec(**{"data_type": "timestamp", **column}), since, like) == start


def test_since_that_is_no_moment_is_refused() -> None:
    with pytest.raises(SourceError, match="must be a moment in ISO 8601"):
        parse_since(cursor_spec(), "last week", NOON)


@pytest.mark.parametrize("lag", [-60, float("inf"), float("nan")])
def test_a_lag_that_would_leave_a_gap_is_refused(lag: float) -> None:
    with pytest.raises(SourceError, match=r"`lag: .*`; it must be a number that is not negative"):
        cursor_spec(lag=lag)


@pytest.mark.parametrize(("stamp", "lag"), [("2024-03-01T12:00:00Z", 1e14), ("2024-03-01", 1e6), ("2024-03-01", 1e12)])
def test_a_lag_that_reaches_back_behind_the_year_1_is_told(stamp: str, lag: float) -> None:
    with pytest.raises(SourceError, match=r"reaches back behind the year 1.*for dates in days"):
        TimestampFormat(cursor_spec(lag=lag)).start_after(stamp)
