"""Pages become batches of any size; whatever goes wrong in the thread reaches who waits for it."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest

from invoices_assets.extract.page import Page
from invoices_assets.normalize.batches import BACKLOG, FIRST_BATCH, Batches
from invoices_assets.normalize.converter import Converter
from invoices_assets.normalize.tables import NormalizedBatch
from invoices_assets_tests.support.column_helpers import declared


def batches_of(pages: list[list[dict[str, Any]]], **options: Any) -> list[list[Any]]:
    """The ids of each batch."""
    made: list[NormalizedBatch] = []
    batches = Batches(Converter(declared()), made.append, **options)
    for page in pages:
        batches.add(Page(page))
    batches.finish()
    return [batch.tables["invoices"]["id"].to_pylist() for batch in made]


def test_pages_are_gathered_up_to_the_size_of_a_batch() -> None:
    pages = [[{"id": f"{page}{row}"} for row in "ab"] for page in range(4)]
    assert batches_of(pages, batch_rows=5) == [["0a", "0b", "1a", "1b"], ["2a", "2b", "3a", "3b"]]


def test_a_page_of_more_than_a_batch_is_cut() -> None:
    assert batches_of([[{"id": id_} for id_ in "abcde"]], batch_rows=2) == [["a", "b"], ["c", "d"], ["e"]]


def test_the_first_batch_is_small_as_the_others_are_quicker_for_it() -> None:
    pages = [[{"id": f"{page}-{row}"} for row in range(100)] for page in range(10)]
    assert [len(batch) for batch in batches_of(pages)] == [FIRST_BATCH, 1000 - FIRST_BATCH]


def test_an_id_comes_once_in_a_batch() -> None:
    assert batches_of([[{"id": "a"}, {"id": "a"}, {"id": "b"}, {"id": "a"}]]) == [["a"], ["a"], ["b", "a"]]


def test_an_error_of_the_converter_reaches_the_caller() -> None:
    with pytest.raises(TypeError):
        batches_of([[{"id": "a", "note": 1.5}]])


def test_an_error_of_the_writer_stops_the_pages() -> None:
    def full(_: NormalizedBatch) -> None:
        raise OSError("no space left")

    batches = Batches(Converter(declared()), full, batch_rows=1)
    pages = (Page([{"id": str(number)}]) for number in range(BACKLOG + 3))
    with pytest.raises(OSError, match="no space left"):
        deque(map(batches.add, pages))
    batches.close()
