"""The incremental cursor: what a refresh asks for, and what it never misses."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from dlt.common.versioned_state import decompress_state

from invoices_assets.extract.cursor import CursorReader
from invoices_assets.extract.errors import ExtractError, SourceError
from invoices_assets.extract.notation import Notation, parse_since
from invoices_assets.extract.source import ResourceSpec
from invoices_assets.load.errors import WarehouseError
from invoices_assets.sandbox import Book, Contract, Faults, Filter, Sandbox, faults, serve
from invoices_assets_tests.fake_api import Asked, FakeApi, Reply
from invoices_assets_tests.refreshing import Loader, loaded
from invoices_assets_tests.running import Project
from invoices_assets_tests.sweeping import config, spec_of

NOON = "2024-03-01T12:00:00Z"


def invoice(id: str, updated_at: Any = NOON, **fields: Any) -> dict[str, Any]:
    return {"id": id, "total": 10, "updated_at": updated_at, **fields}


def stamped(seconds: float, day: str = "2024-03-01") -> str:
    moment = datetime.fromisoformat(f"{day}T12:00:00+00:00") + timedelta(seconds=seconds)
    return moment.isoformat().replace("+00:00", "Z")


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
    return spec_of(content, "http://127.0.0.1:9")


def asked_since(server: Sandbox) -> set[str | None]:
    """The starts that requests had since the last call."""
    asked = {call.query.get("updated_since") for call in server.requests}
    server.requests.clear()
    return asked


# What is stored, and when


def test_the_state_is_the_one_that_dlt_itself_keeps(tmp_path: Path) -> None:
    with serve(book=Book([invoice("a"), invoice("b", stamped(5))])) as server:
        loader = Loader(tmp_path, server.url)
        loader.refresh()
    [(state,)] = loader.query("SELECT state FROM _dlt_pipeline_state")
    assert decompress_state(state)["sources"]["invoicing"]["resources"]["invoices"]["incremental"] == {
        "updated_at": {"initial_value": None, "last_value": "2024-03-01T12:00:05Z", "unique_hashes": []}
    }


def test_an_incomplete_sweep_leaves_the_cursor_where_it_was(tmp_path: Path) -> None:
    book, switches = Book(invoice(f"{at:03}") for at in range(250)), Faults()
    with serve(book=book, faults=switches) as server:
        loader = Loader(tmp_path, server.url)
        loader.refresh()
        for at in range(150):
            book.update(f"{at:03}", total=11, updated_at=stamped(60))
        switches.append(faults.status(503, on=faults.where(offset=100)))
        with pytest.raises(ExtractError):
            loader.refresh()
        assert loader.cursor == NOON
        switches.clear()
        assert loader.load().changed == 150
        assert loader.cursor == stamped(60)


def test_a_load_that_is_refused_leaves_the_cursor_where_it_was(tmp_path: Path) -> None:
    book = Book(invoice(f"{at}") for at in range(10))
    with serve(book=book) as server:
        loader = Loader(tmp_path, server.url)
        loader.refresh()
        for at in range(8):
            book.delete(f"{at}")
        book.update("9", total=11, updated_at=stamped(60))
        with pytest.raises(WarehouseError, match="marked as deleted"):
            loader.refresh("reconcile")
        assert loader.cursor == NOON
        assert loader.query("SELECT total FROM invoices WHERE id = '9'") == [(Decimal(10),)]


@pytest.mark.parametrize("request_", [{"limit": 1}, {"dry_run": True}])
def test_a_trial_leaves_the_cursor_where_it_was(request_: dict[str, Any], tmp_path: Path) -> None:
    book = Book([invoice("a")])
    with serve(book=book) as server:
        loader = Loader(tmp_path, server.url)
        loader.refresh()
        book.insert(invoice("b", stamped(60)))
        done = loader.refresh(**request_)
        assert (done.cursor_before, done.cursor_after, loader.cursor) == (NOON, NOON, NOON)


def test_a_refresh_of_everything_moves_the_cursor_too(tmp_path: Path) -> None:
    book = Book([invoice("a")])
    with serve(book=book) as server:
        loader = Loader(tmp_path, server.url)
        loader.refresh()
        book.insert(invoice("b", stamped(60)))
        asked_since(server)
        loader.refresh("full")
        assert asked_since(server) == {None}
        assert loader.cursor == stamped(60)


def test_since_never_leaves_a_gap_behind_the_cursor(tmp_path: Path) -> None:
    book = Book([invoice("a")])
    with serve(book=book) as server:
        loader = Loader(tmp_path, server.url)
        loader.refresh()
        book.insert(invoice("in the gap", stamped(3600)))
        book.insert(invoice("after it", stamped(9000)))
        loader.refresh(since=stamped(7200))
        assert loader.cursor == NOON
        loader.refresh()
        assert loader.query("SELECT count(*) FROM invoices") == [(3,)]
        assert loader.cursor == stamped(9000)


def test_an_older_answer_never_moves_the_cursor_back(tmp_path: Path) -> None:
    book = Book([invoice("a", stamped(60)), invoice("b")])
    with serve(book=book) as server:
        loader = Loader(tmp_path, server.url)
        loader.refresh()
        book.delete("a")
        loader.refresh("full")
        assert loader.cursor == stamped(60)


# Overlap


def test_the_overlap_brings_a_record_that_was_written_late_with_an_older_stamp(tmp_path: Path) -> None:
    book = Book([invoice("a")])
    with serve(book=book) as server:
        loader = Loader(tmp_path, server.url)
        loader.refresh()
        book.insert(invoice("late", stamped(-599)))
        asked_since(server)
        assert loader.load().new == 1
        assert asked_since(server) == {stamped(-600)}


def test_unchanged_rows_of_the_overlap_are_neither_counted_nor_rewritten(tmp_path: Path) -> None:
    book = Book(invoice(f"{at}", stamped(at), line_items=[{"amount": at}]) for at in range(20))
    with serve(book=book) as server:
        loader = Loader(tmp_path, server.url)
        loader.refresh()
        before = dict(loader.query("SELECT id, _dlt_load_id FROM invoices"))
        book.update("3", total=99, updated_at=stamped(30))
        result = loader.load()
        assert (result.new, result.changed, result.unchanged) == (0, 1, 19)
        after = dict(loader.query("SELECT id, _dlt_load_id FROM invoices"))
        assert {id for id in after if after[id] != before[id]} == {"3"}


def test_records_with_the_stamp_of_the_border_are_not_lost(tmp_path: Path) -> None:
    book = Book([invoice("a")])
    with serve(book=book) as server:
        loader = Loader(tmp_path, server.url, config(incremental=without_lag()))
        loader.refresh()
        book.insert(invoice("same second"))
        asked_since(server)
        assert loader.load().new == 1
        assert asked_since(server) == {NOON}


def test_an_exclusive_filter_loses_nothing_at_the_border_thanks_to_the_overlap(tmp_path: Path) -> None:
    book = Book([invoice("a")])
    with serve(book=book, contract=Contract(filters=(Filter(op=">"),))) as server:
        loader = Loader(tmp_path, server.url)
        loader.refresh()
        book.insert(invoice("same second"))
        done = loader.refresh()
        assert (loaded(done).new, done.remarks) == (1, [])


def test_an_answer_without_a_record_is_believed_only_of_an_api_that_shows_others(tmp_path: Path) -> None:
    book = Book([invoice("a")])
    with serve(book=book, contract=Contract(filters=(Filter(op=">"),))) as server:
        loader = Loader(tmp_path, server.url, config(incremental=without_lag()))
        loader.refresh()
        done = loader.refresh()
        assert (done.swept.rows, loaded(done).load_id, loader.cursor) == (0, None, NOON)
        book.delete("a")
        with pytest.raises(ExtractError, match="shows no `invoices` at all"):
            loader.refresh()


def without_lag() -> dict[str, Any]:
    return {"cursor_path": "updated_at", "start_param": "updated_since"}


# Clocks and missing stamps


def test_a_stamp_in_the_future_does_not_move_the_cursor(tmp_path: Path) -> None:
    ahead = (datetime.now(timezone.utc) + timedelta(days=400)).isoformat()
    book = Book([invoice("a"), invoice("wrong clock", ahead)])
    with serve(book=book) as server:
        loader = Loader(tmp_path, server.url)
        done = loader.refresh()
        assert loader.cursor == NOON
        assert done.remarks == [
            "records with `updated_at` in the future, which did not move the cursor (1 rows)"
        ]
        book.insert(invoice("b", stamped(60)))
        assert loader.load().new == 1
        assert loader.query("SELECT count(*) FROM invoices") == [(3,)]


def test_a_change_behind_the_back_of_a_sweep_is_found_by_the_next_refresh(tmp_path: Path) -> None:
    book = Book(invoice(f"{at:03}") for at in range(250))
    with serve(book=book) as server:
        loader = Loader(tmp_path, server.url, config(incremental=without_lag()), window=1)

        @server.on_request
        def change(request: int) -> None:
            if request == 3:
                book.update("000", total=11)
                book.update("249", total=11)

        loader.refresh()
        assert loader.query("SELECT id FROM invoices WHERE total = 11") == [("249",)]
        result = loader.load()
        assert (result.changed, result.unchanged) == (1, 249)
        assert loader.load().load_id is None


def test_records_without_a_stamp_are_loaded_and_told(tmp_path: Path) -> None:
    book = Book([invoice("a"), invoice("null", None), {"id": "absent", "total": 1}, invoice("text", "soon")])
    content = config()
    del content["resources"][0]["columns"]["updated_at"]
    with serve(book=book) as server:
        loader = Loader(tmp_path, server.url, content)
        done = loader.refresh()
        assert loaded(done).new == 4
        assert done.remarks == ["records without `updated_at` (3 rows)"]
        assert loader.cursor == NOON


def test_without_any_stamp_each_refresh_asks_for_everything(tmp_path: Path) -> None:
    book = Book([invoice("a", None)])
    with serve(book=book) as server:
        loader = Loader(tmp_path, server.url)
        loader.refresh()
        book.insert(invoice("b", None))
        assert loader.load().new == 1
        assert asked_since(server) == {None}


def test_an_api_that_ignores_the_filter_is_noticed_told_once_and_loaded_right(tmp_path: Path) -> None:
    book = Book(invoice(f"{at:03}", stamped(0 if at else 7200)) for at in range(250))
    with serve(book=book, contract=Contract(filters=())) as server:
        loader = Loader(tmp_path, server.url)
        assert loader.refresh().remarks == []
        book.update("007", total=11, updated_at=stamped(8000))
        done = loader.refresh()
        assert (done.swept.rows, loaded(done).changed, loaded(done).unchanged) == (250, 1, 249)
        assert done.remarks == [
            "records older than asked for: the API ignores or widens its filter on `updated_at` (248 rows)"
        ]


# Notations

STYLES = {
    "iso_z": ({}, "2024-03-01T12:00:30Z", "2024-03-01T11:50:30Z"),
    "iso_offset": ({}, "2024-03-01T12:00:30+00:00", "2024-03-01T11:50:30+00:00"),
    "iso_no_zone": ({}, "2024-03-01T12:00:30", "2024-03-01T11:50:30"),
    "iso_space": ({}, "2024-03-01 12:00:30", "2024-03-01 11:50:30"),
    "epoch_s": ({"x-format": "epoch_s"}, 1709294430, "1709293830"),
    "epoch_ms": ({"x-format": "epoch_ms"}, 1709294430000, "1709293830000"),
}


@pytest.mark.parametrize("style", STYLES)
def test_stamps_of_every_style_are_stored_and_asked_for_as_the_api_writes_them(
    style: str, tmp_path: Path
) -> None:
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
        assert loader.query("SELECT updated_at::VARCHAR FROM invoices WHERE id = 'a'") == [
            ("2024-03-01 12:00:45+00",)
        ]


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
            shown = [
                {"id": id, "updated_at": day} for id, day in rows.items() if by_day(day) >= by_day(since)
            ]
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
    reader = CursorReader(cursor_spec(data_type="timestamp", **column))
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
def test_the_overlap_is_exact_in_every_notation(
    last: Any, lag: float, column: dict[str, Any], start: Any
) -> None:
    assert Notation(cursor_spec(lag=lag, data_type="timestamp", **column)).start_after(last) == start


def test_the_overlap_does_not_cross_the_initial_value() -> None:
    spec = cursor_spec(initial_value="2024-03-01T11:59:00Z")
    assert Notation(spec).start_after(NOON) == "2024-03-01T11:59:00Z"


def test_a_stored_cursor_that_is_no_stamp_names_the_way_out() -> None:
    with pytest.raises(SourceError, match="mode: full"):
        Notation(cursor_spec()).start_after("yesterday")


@pytest.mark.parametrize("declared", ["updated_at", "updatedAt"])
def test_the_declaration_of_the_cursor_is_found_by_the_name_of_its_column(declared: str) -> None:
    content = config(incremental={"cursor_path": "updatedAt", "start_param": "updated_since", "lag": 600})
    columns = content["resources"][0]["columns"]
    del columns["updated_at"]
    columns[declared] = {"data_type": "timestamp", "x-format": "epoch_ms"}
    assert Notation(spec_of(content, "http://127.0.0.1:9")).start_after(1709294430000) == 1709293830000


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
def test_since_is_written_as_the_api_writes(
    since: str, like: Any, column: dict[str, Any], start: Any
) -> None:
    assert parse_since(cursor_spec(**{"data_type": "timestamp", **column}), since, like) == start


def test_since_that_is_no_moment_is_refused() -> None:
    with pytest.raises(SourceError, match="must be a moment in ISO 8601"):
        parse_since(cursor_spec(), "last week", NOON)


# Through the job


def test_a_refresh_of_55_of_20_000_invoices_costs_at_most_5_requests_and_loads_55_rows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    book = Book.of(19_999)
    book.insert(invoice("newest", stamped(0, "2026-11-20")))
    with serve(book=book) as server:
        project = Project(monkeypatch, tmp_path, server.url)
        assert project.metadata(project.run())["rows_new"] == 20_000
        for number in range(50):
            book.update(f"inv_{number * 397 + 1:07}", note=f"changed {number}")
        for number in range(5):
            book.insert(invoice(f"new_{number}", now()))

        refreshed = project.metadata(project.run())
        assert refreshed["requests"] <= 5
        assert (refreshed["rows_new"], refreshed["rows_changed"], refreshed["rows_unchanged"]) == (5, 50, 1)
        loads = f"SELECT count(*) FROM invoices WHERE _dlt_load_id = '{refreshed['load_id']}'"
        assert project.query(loads) == [(55,)]

        again = project.run()
        assert again.success
        described = project.metadata(again)
        assert (described["load_id"], described["loaded"]) == ("none", True)
        assert [described[f"rows_{kind}"] for kind in ("new", "changed", "deleted", "rejected")] == [0] * 4
        assert described["dagster/row_count"] == described["table_rows"] == 20_005
        assert described["cursor_before"] == described["cursor_after"] == refreshed["cursor_after"]
        assert described["requests"] <= 2
        assert project.query("SELECT count(*) FROM _dlt_loads") == [(2,)]


def now() -> str:
    return datetime.now(timezone.utc).isoformat()
