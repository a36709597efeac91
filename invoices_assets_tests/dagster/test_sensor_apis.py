"""The sensor with APIs of all kinds, and what it makes of their answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from invoices_assets.extract.probe import EVERYTHING, ProbeResult
from invoices_assets.sensor import Memory, now
from invoices_assets_tests.support.project import Project
from invoices_assets_tests.support.sensor_driver import Watch
from invoices_assets_tests.support.sweep_helpers import config
from invoices_assets_tests.vendor import Book, Contract, Paging, Total, Vendor, faults, serve
from invoices_assets_tests.vendor.fake_api import FakeApi, Reply


@pytest.fixture
def book() -> Book:
    return Book.of(30)


def update(book: Book) -> None:
    book.update("inv_0000007", status="void")


def insert(book: Book) -> None:
    book.insert(book.records[0] | {"id": "inv_new"})


def in_epochs() -> dict[str, Any]:
    """The source of an API whose stamps are numbers of seconds."""
    content = config()
    for stamp in ("created_at", "updated_at"):
        content["resources"][0]["columns"][stamp] = {"data_type": "timestamp", "x-format": "epoch_s"}
    return content


@pytest.mark.parametrize(
    ("contract", "content", "change"),
    [
        (Contract(total=Total(body=None)), config(), update),
        (Contract(total=Total(form="minus_one")), config(), update),
        (Contract(filters=()), config(incremental={"cursor_path": "updated_at"}), update),
        (Contract(filters=()), config(incremental={"cursor_path": "updated_at"}), insert),
        (Contract(filters=()), config(incremental=None), insert),
        (Contract(filters=(), total=Total(body=None)), config(incremental=None), insert),
        (
            Contract(paging=Paging(style="page", position="page")),
            config(paginator={"type": "page_number", "base_page": 1, "total_path": None}),
            update,
        ),
        (
            Contract(paging=Paging(style="cursor", position="cursor")),
            config(paginator={"type": "cursor", "cursor_path": "next", "cursor_param": "cursor"}),
            update,
        ),
        (Contract(stamps="epoch_s"), in_epochs(), update),
    ],
    ids=[
        "no total",
        "total -1",
        "no filter",
        "no filter, new record",
        "no cursor",
        "no cursor, no total",
        "page numbers",
        "page tokens",
        "epoch",
    ],
)
def test_apis_of_all_kinds_get_a_run_for_a_change_and_none_without(
    change: Callable[[Book], None], book: Book, server: Vendor, project: Project
) -> None:
    watch = Watch(project, server)
    assert watch.ticks(3) == [True, False, False]
    change(book)
    assert watch.ticks(3) == [True, False, False]
    assert watch.requests == 1


def test_an_api_that_answers_404_where_nothing_changed_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    content = config(response_actions=[{"status_code": 404, "action": "ignore"}])
    with serve(book=Book.of(30)) as server:
        watch = Watch(Project(monkeypatch, tmp_path, server.url, source=content), server)
        assert watch.tick()
        server.faults.append(faults.status(404))
        assert watch.ticks(2) == [False, False]
        assert watch.reason == "Nothing changed since the last load."


def test_the_sandbox_can_be_watched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with serve(book=Book.of(1)) as nobody:
        assert Watch(Project(monkeypatch, tmp_path), nobody).tick()
        assert nobody.requests == []


def test_an_answer_that_was_no_news_becomes_news_when_its_stamps_are_no_longer_in_the_future() -> None:
    memory = Memory().nothing_new(ProbeResult("since noon", "abc", newer=False))
    assert not memory.is_news(ProbeResult("since noon", "abc", newer=False), "run")
    assert memory.is_news(ProbeResult("since noon", "abc", newer=True), "run")


def test_a_late_record_with_an_older_stamp_is_news_where_the_answer_shows_it() -> None:
    memory = Memory().nothing_new(ProbeResult("since noon", "abc", newer=False))
    assert memory.is_news(ProbeResult("since noon", "other total", newer=False), "run")


def test_after_a_load_another_answer_to_another_question_is_no_news() -> None:
    memory = Memory().asking_for_run(ProbeResult("since noon", "abc", newer=True), "run 1")
    assert not memory.is_news(ProbeResult("since one", "def", newer=False), "run 2")


def test_what_was_never_seen_of_an_api_without_a_filter_is_news() -> None:
    assert Memory().is_news(ProbeResult(EVERYTHING, "abc", newer=False), "run")


@pytest.mark.parametrize(
    "cursor", ["", "garbage", "[]", '{"seen": 1}', "null", '{"failures": "many"}', '{"not_before": null}']
)
def test_a_cursor_of_somebody_else_is_forgotten(cursor: str) -> None:
    assert Memory.read(cursor) == Memory()


def test_an_api_that_is_gone_for_months_is_asked_each_hour() -> None:
    memory = Memory(failures=5000).tick_failed()
    assert (memory.failures, round(memory.not_before - now())) == (5001, 3600)


def test_what_is_remembered_survives_the_way_through_dagsters_cursor() -> None:
    memory = Memory("since noon", "abc", "key", 3, 1.5)
    assert Memory.read(memory.written()) == memory


def test_a_cursor_of_numbers_with_a_fraction_keeps_all_its_digits(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, api: FakeApi
) -> None:
    stamp = "20261122093015123.25"
    api.route("/v1/invoices", Reply(body=b'{"data": [{"id": "a", "updated_at": %s}], "total": 1}' % stamp.encode()))
    content = config(incremental={"cursor_path": "updated_at", "start_param": "updated_since"})
    content["resources"][0]["columns"] = {"id": {"data_type": "text"}, "updated_at": {"data_type": "decimal"}}
    project = Project(monkeypatch, tmp_path, api.url, source=content)
    assert project.metadata(project.run())["cursor_after"] == stamp
    sensor = project.definitions().resolve_sensor_def("invoices_changed_sensor")
    with dg.build_sensor_context(instance=project.instance) as context:
        assert not sensor.evaluate_tick(context).run_requests
    assert api.asked[-1].query["updated_since"] == [stamp]
