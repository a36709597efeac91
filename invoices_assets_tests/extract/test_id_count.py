"""The ids of a sweep are counted exactly, in memory that does not grow with them."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from invoices_assets.errors import WarehouseUnusable
from invoices_assets.extract.id_count import IdCount


def counted(pages: list[list[Any]], in_memory: int, folder: Path) -> IdCount:
    ids = IdCount(folder, in_memory)
    for page in pages:
        ids.add(page)
    return ids


@pytest.fixture
def pages() -> list[list[str]]:
    """2,000 ids on pages of 50, some of them more than once."""
    chance = random.Random(7)
    return [[f"inv_{chance.randrange(1_500)}" for _ in range(50)] for _ in range(40)]


@pytest.mark.parametrize("in_memory", [0, 10, 170, 1_999, 100_000])
def test_ids_in_a_file_are_counted_as_those_in_memory(pages: list[list[str]], in_memory: int, tmp_path: Path) -> None:
    ids = counted(pages, in_memory, tmp_path)
    assert ids.distinct == len({key for page in pages for key in page})
    ids.add(["one more", "inv_0"])
    assert ids.distinct == len({key for page in pages for key in page} | {"one more", "inv_0"})


@pytest.mark.parametrize("in_memory", [0, 70, 100_000])
def test_an_id_is_renewed_as_often_as_its_stamp_differs_from_the_last_one(in_memory: int, tmp_path: Path) -> None:
    chance = random.Random(3)
    ids, last, renewed = IdCount(tmp_path, in_memory), dict[str, int](), 0
    for _ in range(100):
        page = {f"inv_{chance.randrange(300)}": chance.randrange(3) for _ in range(20)}
        renewed += sum(key in last and last[key] != stamp for key, stamp in page.items())
        last |= page
        ids.add(list(page), list(page.values()))
    assert (ids.distinct, ids.renewed) == (len(last), renewed)


@pytest.mark.parametrize("in_memory", [0, 70, 100_000])
def test_what_came_before_is_known(pages: list[list[str]], in_memory: int, tmp_path: Path) -> None:
    assert counted(pages, in_memory, tmp_path).known(["inv_x", pages[0][0], pages[-1][-1]]) == [False, True, True]


@pytest.mark.parametrize("in_memory", [0, 170, 100_000])
def test_two_passes_with_the_same_ids_are_the_same_in_whatever_order(
    pages: list[list[str]], in_memory: int, tmp_path: Path
) -> None:
    one, other = counted(pages, in_memory, tmp_path), counted(pages[::-1], 300, tmp_path)
    assert one.is_same(other)
    other.add(["one more"])
    assert not one.is_same(other)
    one.add(["another one"])
    assert not one.is_same(other)


def test_keys_that_are_alike_are_told_apart(tmp_path: Path) -> None:
    """Also where joining the parts gives the same text."""
    keys: list[Any] = [("a", "b"), ("ab", ""), ("a\0", "b"), ("a", "\0b"), ("-1", "x"), ("-2", "x"), ("\ud800", "")]
    assert counted([keys], 0, tmp_path).distinct == len(keys)
    assert counted([["\u00e9", "e\u0301", "\ud800", "\udc00", ""]], 0, tmp_path).distinct == 5


def test_the_file_has_no_name_that_could_be_left_behind(pages: list[list[str]], tmp_path: Path) -> None:
    with counted(pages, 10, tmp_path):
        assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(WarehouseUnusable, match=r"^the ids of the sweep cannot be kept .* \(No such"):
        counted([["a", "b"]], 0, tmp_path / "gone")


def test_ten_times_as_many_ids_take_as_much_memory(tmp_path: Path) -> None:
    def peak(ids: Iterator[str]) -> int:
        tracemalloc.start()
        try:
            with IdCount(tmp_path, 16_384) as count:
                while page := [key for _, key in zip(range(100), ids, strict=False)]:
                    count.add(page)
                assert count.distinct % 20_000 == 0
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    small, large = (peak(map("inv_{}".format, range(count))) for count in (20_000, 200_000))
    assert large < 1.3 * small
