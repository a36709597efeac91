"""Server behaviour x outcome: the whole content, digit by digit, or a failed run that changed nothing.

What a server's answers mean is decided while it is swept, so each row is a sweep over real HTTP into a list. What a
sweep that ends in one of these ways does to a warehouse is proven once for each way, by the real job and a real file.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from invoices_assets.errors import ExtractError
from invoices_assets_tests.support.project import Project
from invoices_assets_tests.support.rows import assert_same_as, put_rows, untouched
from invoices_assets_tests.support.sweep_helpers import config, swept_from
from invoices_assets_tests.vendor import Book, Contract, Faults, Paging, Total, Vendor, serve
from invoices_assets_tests.vendor.faults import Fault

KEY = "k3y/of+the=matrix&42"
BEFORE = 40
"""Invoices in the warehouses that are not new: the first of those that the server has."""


@dataclass(frozen=True)
class Case:
    """One server.

    Parameters:
        faults: makes the switches anew, for they count.
        contract: how the API looks.
        endpoint: what of the endpoint's configuration differs from the default source.
        records: how many invoices it has.
        moves: called with the server's book and the number of each request before it is answered.
        mode: of the run.
    """

    faults: Callable[[], list[Fault]] = list
    contract: Contract = field(default_factory=Contract)
    endpoint: Mapping[str, Any] = field(default_factory=dict)
    records: int = 250
    moves: Callable[[Book, int], None] | None = None
    mode: str = "full"


def row(name: str, *outcome: str, **case: Any) -> Any:
    """A row of a matrix: an id, what the failure says if it fails, and the server."""
    return pytest.param(Case(**case), *outcome, id=name)


def paged(**paging: Any) -> Contract:
    return Contract(paging=Paging(**paging))


def told(body: tuple[str, ...] | None = ("total",), **more: Any) -> Contract:
    """A contract by how the total is told, and further parts of it."""
    header, form = more.pop("header", None), more.pop("form", "number")
    return Contract(total=Total(body, header, form), **more)


PAGES = {"type": "page_number", "base_page": 1, "total_path": "total"}
CURSOR = {"type": "cursor", "cursor_path": "next", "cursor_param": "after"}


def by_page(first: int = 1, **paging: Any) -> Paging:
    return Paging(style="page", position="page", first_page=first, **paging)


@contextmanager
def serving(case: Case) -> Iterator[tuple[Vendor, Book]]:
    """The server of a row, and its book."""
    book = Book.of(case.records)
    with serve(book, Faults(*case.faults()), case.contract, KEY) as server:
        if case.moves is not None:
            server.on_request(partial(case.moves, book))
        yield server, book


def assert_swept_completely(case: Case) -> None:
    """The pass that counted has every record of the server, as it is written there, and is proven to."""
    with serving(case) as (server, book):
        result, swept = swept_from(server, config(**case.endpoint))
        assert {record["id"]: record for record in swept.records} == {record["id"]: record for record in book.records}
        assert result.distinct == len(book)
        assert result.complete is True


def assert_not_swept(case: Case, says: str, caplog: pytest.LogCaptureFixture) -> None:
    """The sweep says why in one line; neither error nor log has a value of the API or the key."""
    with serving(case) as (server, _), caplog.at_level(0), pytest.raises(ExtractError) as caught:
        swept_from(server, config(**case.endpoint))
    said = str(caught.value)
    assert re.search(says, said), said
    assert "\n" not in said
    written = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert "values stay out" not in written
    assert KEY not in written


@contextmanager
def deployed(case: Case, monkeypatch: pytest.MonkeyPatch, folder: Path, before: int) -> Iterator[tuple[Project, Book]]:
    """The project for the server of a row, with so many rows of an earlier run, and the server's book."""
    with serving(case) as (server, book):
        project = Project(monkeypatch, folder, server.url, KEY, config(**case.endpoint))
        if before:
            put_rows(project, before)
        yield project, book


def assert_loaded(case: Case, monkeypatch: pytest.MonkeyPatch, folder: Path, before: int) -> None:
    """A run loads all of it."""
    with deployed(case, monkeypatch, folder, before) as (project, book):
        result = project.run(mode=case.mode)
        assert result.success, project.failure(result)
        assert_same_as(project, book)
        assert project.metadata(result)["complete"] is True


def assert_failed(case: Case, says: str, monkeypatch: pytest.MonkeyPatch, folder: Path, before: int) -> None:
    """The run says why in one line, without a value of the API or the key, and changes nothing."""
    with deployed(case, monkeypatch, folder, before) as (project, _):
        with untouched(project):
            result = project.run(mode=case.mode)
        assert not result.success
        assert re.search(says, project.failure(result)), project.failure(result)
        assert "\n" not in project.failure(result)
        assert "values stay out" not in repr(result.all_events)
        assert KEY not in repr(result.all_events)
