"""SIGKILL at any moment of a real run: the tables have the old state or the new one, and the next run is right."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from invoices_assets_tests.support.processes import EVERYTHING, Deployment
from invoices_assets_tests.support.project import Project
from invoices_assets_tests.support.rows import invoices, lines, loaded, loaded_lines, put_rows
from invoices_assets_tests.vendor import Book, Vendor, serve

BEFORE, NOW = 40, 450


@pytest.fixture(scope="module")
def book() -> Book:
    """More invoices than the warehouse has, and some changed ones."""
    book = Book.of(NOW)
    for record in book.records[:20]:
        book.update(record["id"], status="void", line_items=record["line_items"][:1])
    return book


@pytest.fixture(scope="module")
def server(book: Book) -> Iterator[Vendor]:
    with serve(book) as running:
        yield running


@pytest.fixture
def place(server: Vendor, tmp_path: Path) -> Deployment:
    place = Deployment(tmp_path, server.url)
    put_rows(place, BEFORE)
    return place


def state_of(project: Project) -> tuple[Any, Any]:
    return loaded(project), loaded_lines(project)


def check(place: Deployment, book: Book, monkeypatch: pytest.MonkeyPatch) -> str:
    """The warehouse has one of the two states, and the next run makes it the new one; which one it had."""
    project = Project(monkeypatch, place.folder, place.url, place.key)
    old = Book.of(BEFORE).records
    states = {
        "old": (invoices(old), lines(old)),
        "new": (invoices(book.records), lines(book.records)),
    }
    found = [name for name, state in states.items() if state == state_of(project)]
    assert found, "neither the old state nor the new one"
    result = project.run(mode="full")
    assert result.success, project.failure(result)
    assert state_of(project) == states["new"]
    left = {path.name for path in place.warehouse.parent.iterdir()}
    assert left <= {place.warehouse.name, f"{place.warehouse.name}.lock"}
    assert not (place.folder / "home" / ".dlt").exists()
    return found[0]


@pytest.fixture(scope="module")
def seconds_after_the_last_page(server: Vendor, tmp_path_factory: pytest.TempPathFactory) -> float:
    """How long a run goes on when it has all pages, on this machine."""
    place = Deployment(tmp_path_factory.mktemp("measured"), server.url)
    put_rows(place, BEFORE)
    last: list[float] = []
    server.on_request(lambda number: last.append(time.monotonic()))
    assert place.run(config=EVERYTHING).status == 0
    return time.monotonic() - last[-1]


@pytest.mark.parametrize("share", [0.1, 0.25, 0.4, 0.55, 0.7])
def test_a_run_killed_at_any_moment_of_the_load_leaves_the_old_state_or_the_new(
    share: float,
    seconds_after_the_last_page: float,
    place: Deployment,
    server: Vendor,
    book: Book,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answered = threading.Event()
    first = len(server.requests)
    server.on_request(lambda _: answered.set() if len(server.requests) >= first + NOW // 100 else None)
    run = place.start(config=EVERYTHING)
    assert answered.wait(60)
    time.sleep(share * seconds_after_the_last_page)
    run.kill()
    check(place, book, monkeypatch)


def test_a_run_killed_while_it_reads_the_api_leaves_the_old_state(
    place: Deployment, server: Vendor, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = threading.Event()
    first = len(server.requests)
    server.on_request(lambda _: asked.set() if len(server.requests) >= first + 2 else None)
    run = place.start(config=EVERYTHING)
    assert asked.wait(60)
    run.kill()
    assert run.status == -signal.SIGKILL
    assert check(place, book, monkeypatch) == "old"


def dies(when: str, where: str) -> None:
    """Lets the process kill itself at the beginning or the end of a stage of the load."""
    from invoices_assets.load.load import LoadResult

    original = LoadResult.timed

    @contextmanager
    def timed(self: LoadResult, stage: str) -> Iterator[None]:
        with original(self, stage):
            if (when, stage) == ("before", where):
                os.kill(os.getpid(), signal.SIGKILL)
            yield
            if (when, stage) == ("after", where):
                os.kill(os.getpid(), signal.SIGKILL)

    # in a process of its own, which this sabotage ends with
    LoadResult.timed = timed  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("when", "stage", "left"),
    [
        ("before", "open", "old"),
        ("after", "compare", "old"),
        ("after", "write", "old"),
        ("before", "commit", "old"),
        ("after", "commit", "new"),
        ("after", "close", "new"),
    ],
)
def test_a_run_killed_before_the_commit_leaves_the_old_state_and_one_killed_after_it_the_new(
    when: str, stage: str, left: str, place: Deployment, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = place.run(partial(dies, when, stage), EVERYTHING)
    assert run.status == -signal.SIGKILL, run.said
    assert check(place, book, monkeypatch) == left
