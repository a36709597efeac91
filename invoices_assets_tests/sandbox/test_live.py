"""The sandbox's invoices are realistic and exact, and grow with the clock."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from invoices_assets.sandbox.live import LiveBook
from invoices_assets_tests.support.sandbox_client import START, Clock

# The invoices


def exact(book: LiveBook, count: int) -> list[dict[str, Any]]:
    return [json.loads(text, parse_float=Decimal) for text in book.rows().texts(range(count))]


def test_amounts_of_an_invoice_add_up_exactly() -> None:
    for invoice in exact(LiveBook(clock=Clock()), 12_000):
        lines = sum(line["amount"] for line in invoice["line_items"])
        assert lines == invoice["total"] == invoice["amount_paid"] + invoice["amount_due"]
        assert invoice["subtotal"] + invoice["tax_amount"] == invoice["total"]


def test_amounts_are_written_without_trailing_zeros_whole_and_fractional_mixed() -> None:
    texts = LiveBook(clock=Clock()).rows().texts(range(12_000))
    written = re.findall(rb'"(?:total|amount_paid)":([^,]+)', b"".join(texts))
    assert all(re.fullmatch(rb"0|[1-9]\d*(\.\d?[1-9])?", amount) for amount in written)
    assert {len(amount.partition(b".")[2]) for amount in written} == {0, 1, 2}


def test_invoices_have_the_variety_of_real_ones() -> None:
    invoices = exact(LiveBook(clock=Clock()), 12_000)
    assert {invoice["status"] for invoice in invoices} == {"draft", "open", "paid", "void", "overdue"}
    assert {invoice["currency"] for invoice in invoices} == {"EUR", "USD", "GBP", "JPY", "CHF", "SEK"}
    assert {len(invoice["line_items"]) for invoice in invoices} == {1, 2, 3, 4}
    for field in ("due_date", "note", "paid_at"):
        assert {invoice[field] is None for invoice in invoices} == {True, False}
    assert {invoice["customer"]["vat_id"] is None for invoice in invoices} == {True, False}
    names = "".join(invoice["customer"]["name"] for invoice in invoices)
    assert "Αθηνά" in names
    assert "株式会社" in names
    assert "🚀" in names
    assert all(invoice["paid_at"] for invoice in invoices if invoice["status"] == "paid")
    assert all(invoice["created_at"] <= invoice["updated_at"] for invoice in invoices)


def test_yen_amounts_are_whole() -> None:
    for invoice in exact(LiveBook(clock=Clock()), 12_000):
        if invoice["currency"] == "JPY":
            assert invoice["total"] == int(invoice["total"])


def test_two_books_at_the_same_moment_are_the_same_and_another_seed_is_not() -> None:
    texts = [LiveBook(100, seed, Clock()).rows().texts(range(100)) for seed in (0, 0, 1)]
    assert texts[0] == texts[1] != texts[2]


def test_a_million_invoices_are_made_only_when_read() -> None:
    rows = LiveBook(1_000_000, clock=Clock()).rows()
    assert len(rows) > 1_000_000
    assert rows.record(999_999)["id"] == "inv_1000000"


# The clock


def test_a_minute_later_there_is_something_to_fetch_and_a_refresh_misses_nothing() -> None:
    clock = Clock()
    book = LiveBook(2_000, clock=clock)
    mirror = {record["id"]: record for record in map(book.rows().record, range(len(book.rows())))}
    for _ in range(20):
        before, clock.now = clock.now, clock.now + timedelta(minutes=1)
        changed = book.rows(since=before)
        assert len(changed) > 0
        mirror.update({record["id"]: record for record in map(changed.record, range(len(changed)))})
    rows = book.rows()
    assert [mirror[record["id"]] for record in map(rows.record, range(len(rows)))] == [
        rows.record(at) for at in range(len(rows))
    ]
    assert len(mirror) == len(rows) > 2_000


def test_an_invoice_that_once_existed_never_vanishes_and_growth_stays_bounded() -> None:
    clock = Clock()
    book = LiveBook(clock=clock)
    sizes = []
    for days in (0, 1, 30, 365, 3650):
        clock.now = START + timedelta(days=days)
        sizes.append(len(book.rows()))
    assert sizes == sorted(sizes)
    assert sizes[-1] < 70_000


def test_a_clock_before_the_books_epoch_still_serves_the_history() -> None:
    book = LiveBook(50, clock=Clock(datetime(2020, 1, 1, tzinfo=UTC)))
    assert len(book.rows()) == 50
    assert book.rows().record(0)["id"] == "inv_0000001"
