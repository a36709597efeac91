"""A book of invoices can be changed while it is served, and is written digit by digit."""

from __future__ import annotations

from decimal import Decimal

import pytest

from invoices_assets_tests.support.sandbox_client import Clock, get, ids
from invoices_assets_tests.vendor import Book, Raw, serve


def test_a_book_can_be_changed_while_it_is_served() -> None:
    book = Book.of(5)
    with serve(book) as server:
        book.insert({"id": "new", "total": Decimal("1.10")}, at=0)
        book.update("inv_0000002", status="void")
        book.delete("inv_0000003")
        answer = get(server)
    assert ids(answer) == ["new", "inv_0000001", "inv_0000002", "inv_0000004", "inv_0000005"]
    assert answer.json()["data"][2]["status"] == "void"
    assert [record["id"] for record in book.records] == ids(answer)
    with pytest.raises(KeyError):
        book.delete("inv_0000003")


def test_an_update_moves_updated_at_unless_it_is_given() -> None:
    book = Book.of(2, clock=Clock())
    book.update("inv_0000001", note="x")
    book.update("inv_0000002", note="late", updated_at="2026-01-01T00:00:00Z")
    assert [record["updated_at"] for record in book.records] == [
        "2026-11-19T00:00:00Z",
        "2026-01-01T00:00:00Z",
    ]


def test_numbers_are_written_digit_by_digit() -> None:
    book = Book([{"id": 1, "a": Decimal("-0.00"), "b": Raw("1e3"), "c": Decimal("1234567890123456789.10")}])
    with serve(book) as server:
        assert '"a":-0.00,"b":1e3,"c":1234567890123456789.10' in get(server).text


def test_records_may_take_another_shape() -> None:
    book = Book.of(1, change=lambda invoice: {"uid": invoice["id"], "cents": int(invoice["total"] * 100)})
    assert book.records[0].keys() == {"uid", "cents"}
