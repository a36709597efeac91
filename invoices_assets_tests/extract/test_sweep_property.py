"""Whatever the server does with its pages: a sweep that does not raise has exactly what the server has."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from invoices_assets.errors import ExtractError
from invoices_assets_tests.support.sweep_helpers import config, swept_from
from invoices_assets_tests.vendor import Book, Contract, Faults, Paging, Total, faults, serve

QUICK = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def small(count: int) -> Book:
    return Book({"id": number, "updated_at": "2026-01-01T00:00:00Z"} for number in range(count))


changes = st.lists(
    st.tuples(
        st.integers(1, 12),
        st.sampled_from(["insert_front", "insert_end", "delete_first", "delete_last", "touch_first"]),
        st.integers(1, 3),
    ),
    max_size=4,
)


def apply(book: Book, kind: str, number: int) -> None:
    ids = [record["id"] for record in book.records]
    if kind.startswith("insert"):
        book.insert({"id": 10_000 + number}, at=0 if kind == "insert_front" else None)
    elif ids and kind.startswith("delete"):
        book.delete(ids[0] if kind == "delete_first" else ids[-1])
    elif ids:
        record = next(record for record in book.records if record["id"] == ids[0])
        book.delete(ids[0])
        book.insert(record)


def totals(form: str) -> Total:
    return Total(body=None) if form == "absent" else Total(form=form)


@pytest.mark.parametrize("window", [1, 4])
@QUICK
@given(
    count=st.integers(0, 45),
    cap=st.integers(1, 12),
    total=st.sampled_from(["number", "string", "minus_one", "page_count", "absent"]),
    past_end=st.sampled_from(["empty", "404", "last_page"]),
)
def test_a_server_at_rest_is_read_exactly_or_not_at_all(
    window: int, count: int, cap: int, total: str, past_end: Any
) -> None:
    contract = Contract(total=totals(total), paging=Paging(largest=cap, past_end=past_end))
    with serve(book=small(count), contract=contract) as server:
        content = config(paginator={"type": "offset", "limit": 10, "total_path": "total"})
        try:
            swept, records = swept_from(server, content, window=window)
        except ExtractError:
            assert past_end == "last_page"
            return
        assert sorted(records.ids) == list(range(count))
        assert swept.complete


@pytest.mark.parametrize("total_path", ["total", None])
@QUICK
@example(count=1, cap=2, moves=[(2, "delete", 1)])
@example(count=0, cap=2, moves=[(1, "insert_front", 1), (2, "insert_front", 1)])
@example(count=4, cap=9, moves=[(2, "delete", 4), (3, "insert", 1)])
@example(count=30, cap=10, moves=[(2, "delete_first", 1), (2, "insert_end", 1)])
@given(count=st.integers(0, 60), cap=st.integers(2, 12), moves=changes)
def test_no_record_that_stays_is_lost_while_others_move(
    total_path: str | None, count: int, cap: int, moves: list[tuple[int, str, int]]
) -> None:
    book = small(count)
    total = totals("number" if total_path else "absent")
    with serve(book=book, contract=Contract(total=total, paging=Paging(largest=cap))) as server:
        numbers = iter(range(1000))
        touched: set[int] = set()

        @server.on_request
        def change(request: int) -> None:
            for at, kind, times in moves:
                if at == request:
                    for _ in range(times):
                        touched.update(record["id"] for record in book.records[:1] if kind == "touch_first")
                        apply(book, kind, next(numbers))

        at_first = {record["id"] for record in book.records}
        content = config(paginator={"type": "offset", "limit": 10, "total_path": total_path})
        try:
            _, records = swept_from(server, content, window=1)
        except ExtractError:
            return
        at_last = {record["id"] for record in book.records}
        assert (at_first & at_last) - touched <= set(records.ids)
        # What comes and goes without a shift, where the pass had been before, is left to the next refresh.
        kinds = [{kind.partition("_")[0] for at, kind, _ in moves if at == request} for request in range(1, 13)]
        if total_path and not any(kind >= {"insert", "delete"} for kind in kinds):
            assert sorted(records.ids) == sorted(at_last)


@QUICK
@given(
    count=st.integers(0, 45),
    cap=st.integers(1, 12),
    total=st.sampled_from(["number", "absent", "page_count"]),
    first=st.sampled_from([0, 1]),
    past_end=st.sampled_from(["empty", "404", "last_page"]),
)
def test_page_numbers_are_read_exactly_or_not_at_all(
    count: int, cap: int, total: str, first: int, past_end: Any
) -> None:
    paging = Paging(style="page", position="page", first_page=first, largest=cap, past_end=past_end)
    with serve(book=small(count), contract=Contract(total=totals(total), paging=paging)) as server:
        content = config(
            paginator={"type": "page_number", "base_page": first, "total_path": "total"}, params={"limit": 10}
        )
        try:
            _, records = swept_from(server, content)
        except ExtractError:
            assert past_end == "last_page"
            return
        assert sorted(records.ids) == list(range(count))


@QUICK
@given(count=st.integers(1, 45), at=st.integers(1, 8), kind=st.sampled_from(["empty", "same", "ignore", "error"]))
def test_a_page_that_goes_wrong_is_never_taken_for_the_end(count: int, at: int, kind: str) -> None:
    switch = {
        "empty": faults.empty_page(on=at, times=1),
        "same": faults.same_page(on=at),
        "ignore": faults.ignore_offset(on=at),
        "error": faults.answer({"error": {"code": "busy"}}, on=at),
    }[kind]
    with serve(book=small(count), faults=Faults(switch), contract=Contract(paging=Paging(largest=7))) as server:
        try:
            _, records = swept_from(server, window=1)
        except ExtractError:
            return
        assert sorted(records.ids) == list(range(count))
