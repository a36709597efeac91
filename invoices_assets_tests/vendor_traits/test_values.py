"""Amounts and dates in the notations of vendors, and fields that nobody declared: all arrive exactly."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from invoices_assets_tests.support.loader import Loader
from invoices_assets_tests.support.project import Project
from invoices_assets_tests.support.rows import NEUTRAL, assert_same_as, loaded, neutral
from invoices_assets_tests.support.traits import SECRET, Record, change, source
from invoices_assets_tests.vendor import Book, Contract, Raw, serve
from invoices_assets_tests.vendor.text import loads

pytestmark = pytest.mark.usefixtures("waits")

GONE = object()
MONEY = ("total", "amount_paid", "amount_due")


def changed(**fields: Callable[[Record], Any]) -> Callable[[Record], Record]:
    """Turns an invoice of the sandbox into the vendor's: fields are made anew, `GONE` removes one."""

    def change(record: Record) -> Record:
        made = {**record, **{name: make(record) for name, make in fields.items()}}
        return {name: value for name, value in made.items() if value is not GONE}

    return change


def money(write: Callable[[Decimal], Any]) -> Callable[[Record], Record]:
    return changed(**{name: lambda record, name=name: write(Decimal(record[name])) for name in MONEY})


def decimals(**hints: Any) -> Record:
    """Columns for the three amounts; in hints `{}` stands for the name."""
    own = {"data_type": "decimal", "precision": 38, "scale": 9}
    return {
        name: {
            **own,
            **{hint: value.format(name) if isinstance(value, str) else value for hint, value in hints.items()},
        }
        for name in MONEY
    }


NOTATIONS = [
    pytest.param(money(lambda amount: f"{amount:.8f}"), source(), {}, id="amounts as strings with 8 decimals"),
    pytest.param(
        money(lambda amount: int(amount * 100)),
        source(columns=decimals(**{"x-scale": -2})),
        {},
        id="amounts in cents",
    ),
    pytest.param(
        money(lambda amount: int(amount * 1000)),
        source(columns=decimals(**{"x-scale": -3})),
        {},
        id="amounts in milli-units",
    ),
    pytest.param(
        money(lambda amount: {"amount": amount, "code": "EUR"}),
        source(columns=decimals(**{"x-from": "{}.amount"})),
        {},
        id="amounts as objects with a code",
    ),
    pytest.param(
        changed(total_ttc=lambda record: str(record["total"]), total=lambda _: GONE),
        source(columns={"total": {"data_type": "decimal", "precision": 38, "scale": 9, "x-from": "total_ttc"}}),
        {},
        id="an amount under the vendor's own name",
    ),
    pytest.param(
        changed(),
        source(columns={name: {"data_type": "date", "x-format": "%d-%m-%Y"} for name in ("issue_date", "due_date")}),
        {"dates": "%d-%m-%Y"},
        id="dates as dd-mm-yyyy",
    ),
]


@pytest.mark.parametrize(("write", "content", "style"), NOTATIONS)
def test_every_value_arrives_exactly_from(
    write: Callable[[Record], Record],
    content: Record,
    style: Record,
    tmp_path: Path,
) -> None:
    with serve(Book.of(120, change=write), contract=Contract(**style), key=SECRET) as server:
        loader = Loader(tmp_path, server.url, content, key=SECRET)
        loader.refresh()
        assert loaded(loader, NEUTRAL) == neutral(Book.of(120).records)


def stamps(**hints: Any) -> Record:
    return source(columns={name: {"data_type": "timestamp", **hints} for name in ("created_at", "updated_at")})


def in_berlin(record: Record) -> Record:
    """The stamps as a server writes them that knows no zones and stands in Berlin."""
    moved = {}
    for name in ("created_at", "updated_at"):
        moment = datetime.fromisoformat(record[name].replace("Z", "+00:00"))
        moved[name] = moment.astimezone(ZoneInfo("Europe/Berlin")).strftime("%Y-%m-%d %H:%M:%S")
    return {**record, **moved}


STAMPS = [
    pytest.param("iso_offset", source(), id="ISO with an offset"),
    pytest.param("iso_no_zone", source(), id="ISO without a zone"),
    pytest.param("iso_space", source(), id="ISO with a space"),
    pytest.param("epoch_s", stamps(**{"x-format": "epoch_s"}), id="epoch seconds"),
    pytest.param("epoch_ms", stamps(**{"x-format": "epoch_ms"}), id="epoch milliseconds"),
]


@pytest.mark.parametrize(("style", "content"), STAMPS)
def test_stamps_arrive_exactly_and_a_refresh_asks_in_their_notation(
    style: str, content: Record, tmp_path: Path
) -> None:
    book = Book.of(120)
    with serve(book, contract=Contract(stamps=style), key=SECRET) as server:
        loader = Loader(tmp_path, server.url, content, key=SECRET)
        loader.refresh()
        assert loaded(loader, NEUTRAL) == neutral(book.records)
        change(book)
        result = loader.refresh()
        assert loaded(loader, NEUTRAL) == neutral(book.records)
        assert result.swept.rows < len(book)


def test_stamps_without_a_zone_are_read_in_the_declared_one(tmp_path: Path) -> None:
    content = stamps(**{"x-timezone": "Europe/Berlin"})
    with serve(Book.of(120, change=in_berlin), key=SECRET) as server:
        loader = Loader(tmp_path, server.url, content, key=SECRET)
        loader.refresh()
        assert loaded(loader, NEUTRAL) == neutral(Book.of(120).records)


NUMBERS = {
    "1e3": "1000",
    "-0.00": "0",
    "10": "10",
    "10.5": "10.5",
    "1234567890123456789.123456789": "1234567890123456789.123456789",
    "0.000000001": "0.000000001",
    '"12.50"': "12.5",
    '"1234567890123456789"': "1234567890123456789",
    "-99999999999999999999999999999.999999999": "-99999999999999999999999999999.999999999",
}


def test_amounts_arrive_digit_by_digit_and_those_that_do_not_fit_are_rejected(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    template = Book.of(1).records[0]
    book = Book(
        {**template, "id": written, "total": Raw(written)}
        for written in [*NUMBERS, "0.0000000001", "123456789012345678901234567890", '"twelve"']
    )
    with serve(book, key=SECRET) as server:
        project = Project(monkeypatch, tmp_path, server.url, SECRET)
        result = project.run()
        assert result.success
        assert dict(project.query("SELECT id, total FROM invoices")) == {
            written: Decimal(number) for written, number in NUMBERS.items()
        }
        rejected = project.query("SELECT key, raw, reason, _dlt_load_id FROM invoices_rejected ORDER BY key")
        assert [key for key, *_ in rejected] == ['"twelve"', "0.0000000001", "123456789012345678901234567890"]
        assert [loads(raw)["total"] for _, raw, *_ in rejected] == [
            "twelve",
            Decimal("1E-10"),
            123456789012345678901234567890,
        ]
        assert all(load_id for *_, load_id in rejected)
        assert [reason.partition(":")[0] for _, _, reason, _ in rejected] == [
            "`total` is not a number that can be stored",
            "`total` has more than 9 digits after the point",
            "`total` has more than 29 digits before the point",
        ]
        checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
        assert not checks["no_rejected_records"].passed
        assert checks["no_rejected_records"].metadata["rejected_records"].value == 3


def test_whole_and_fractional_amounts_of_undeclared_fields_share_one_exact_column(tmp_path: Path) -> None:
    whole = [{"id": f"{at:03}", "fee": at} for at in range(150)]
    book = Book([*whole, *({"id": f"{at:03}", "fee": Decimal(at) + Decimal("0.5")} for at in range(150, 300))])
    with serve(book, key=SECRET) as server:
        loader = Loader(tmp_path, server.url, key=SECRET)
        loader.refresh()
        assert loader.query("SELECT sum(fee) FROM invoices") == [(sum(Decimal(r["fee"]) for r in book.records),)]
        columns = loader.query("SELECT * FROM (DESCRIBE invoices) WHERE column_name LIKE 'fee%'")
        assert [column[:2] for column in columns] == [("fee", "DECIMAL(38,9)")]


def test_a_field_of_the_last_page_becomes_a_column(tmp_path: Path) -> None:
    book = Book.of(230)
    book.update(book.records[-1]["id"], po_number="4711/B")
    with serve(book, key=SECRET) as server:
        loader = Loader(tmp_path, server.url, key=SECRET)
        loader.refresh()
        found = loader.query("SELECT po_number, count(*) FROM invoices GROUP BY 1 ORDER BY 2")
        assert found == [("4711/B", 1), (None, 229)]


def test_a_text_that_turns_into_an_object_is_kept_and_told(tmp_path: Path) -> None:
    book = Book.of(30)
    for record in book.records:
        book.update(record["id"], terms="net 30")
    with serve(book, key=SECRET) as server:
        loader = Loader(tmp_path, server.url, key=SECRET)
        loader.refresh()
        last = book.records[-1]["id"]
        book.update(last, terms={"days": 30, "text": "net 30"})
        result = loader.refresh("full")
        assert result.remarks == ["field `terms` came as text and as an object (1 rows)"]
        assert loader.query(f"SELECT terms, terms__days, terms__text FROM invoices WHERE id = '{last}'") == [
            (None, Decimal(30), "net 30")
        ]
        assert loader.query("SELECT count(*) FROM invoices WHERE terms = 'net 30'") == [(29,)]
        assert_same_as(loader, book)
