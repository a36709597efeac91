"""localstripe: cursors that are ids, amounts in cents, no filter by change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from invoices_assets_tests.support.drafting import draft_of
from invoices_assets_tests.support.project import Project
from invoices_assets_tests.support.servers import contradicted, example, running

KEY = "sk_test_an_invented_key"
INVOICES = 250

# As its own command, but on loopback only, and without the file that it writes to a fixed place after each request.
SERVER = """
import sys
from aiohttp import web
from localstripe import resources
resources.Store.dump_to_disk = lambda store: None
from localstripe.server import app
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]))
"""


@dataclass
class Stripe:
    """A running localstripe, asked for single invoices: its list is what the project reads."""

    url: str
    ids: list[str] = field(default_factory=list)
    subscribed: list[dict[str, str]] = field(default_factory=list)
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.session.headers["Authorization"] = f"Bearer {KEY}"
        for interval in ("week", "month", "year"):
            self.subscribe(interval)

    def subscribe(self, interval: str) -> None:
        """A customer with a card, who pays by subscription: no invoice is without one here."""
        card = {"number": "4242424242424242", "exp_month": "12", "exp_year": "2040", "cvc": "123"}
        method = self.post("payment_methods", type="card", **{f"card[{name}]": value for name, value in card.items()})
        customer = self.post("customers", name=f"Ærø & Søn ({interval})")["id"]
        self.post(f"payment_methods/{method['id']}/attach", customer=customer)
        settings = {"invoice_settings[default_payment_method]": method["id"]}
        self.post(f"customers/{customer}", **settings)
        plan = {"currency": "eur", "interval": interval, "product[name]": f"by the {interval}"}
        plan_id = self.post("plans", amount=1999, **plan)["id"]
        made = self.post("subscriptions", customer=customer, **{"items[0][plan]": plan_id})
        self.ids.append(made["latest_invoice"])
        self.subscribed.append({"customer": customer, "subscription": made["id"]})

    def post(self, path: str, **data: Any) -> Any:
        answer = self.session.post(f"{self.url}/v1/{path}", data=data, timeout=30)
        assert answer.ok, answer.text
        return answer.json()

    def add(self, number: int) -> None:
        """A draft of an invoice, with one to three lines."""
        of = self.subscribed[number % 3]
        for line in range(number % 3):
            self.post("invoiceitems", customer=of["customer"], amount=number * 101 + line, currency="eur")
        self.ids.append(self.post("invoices", **of, tax_percent="7.5", description=f"no. {number}")["id"])

    def delete(self, invoice: str) -> None:
        assert self.session.delete(f"{self.url}/v1/invoices/{invoice}", timeout=30).ok
        self.ids.remove(invoice)

    def truth(self) -> list[dict[str, Any]]:
        return [self.session.get(f"{self.url}/v1/invoices/{each}", timeout=30).json() for each in sorted(self.ids)]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stripe]:
    with running(
        "localstripe", ["-c", SERVER, "{port}"], tmp_path_factory.mktemp("localstripe"), "/v1/invoices"
    ) as url:
        server = Stripe(url)
        for number in range(INVOICES - len(server.ids)):
            server.add(number)
        yield server


def test_all_is_loaded_refreshed_and_reconciled_to_the_cent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, filled: Stripe
) -> None:
    project = Project(monkeypatch, tmp_path, filled.url, KEY, example("localstripe"))
    result = project.run()
    assert result.success, project.failure(result)
    assert (project.metadata(result).get("remarks"), project.metadata(result)["end_proven"]) == (None, True)
    assert project.metadata(result)["pages"] == 3
    assert_same(project, filled.truth())

    for number in range(INVOICES, INVOICES + 7):
        filled.add(number)
    for paid in filled.ids[10:20]:
        filled.post(f"invoices/{paid}/pay")
    filled.post(f"invoices/{filled.ids[30]}", description="corrected")
    done = project.metadata(project.run())
    assert (done["rows_new"], done["rows_changed"], done["rows_unchanged"]) == (7, 11, INVOICES - 11)
    assert_same(project, filled.truth())

    for gone in filled.ids[40:50]:
        filled.delete(gone)
    assert project.metadata(project.run("reconcile_invoices"))["rows_deleted"] == 10
    assert_same(project, filled.truth())


def test_the_server_contradicts_nothing_of_the_example(filled: Stripe) -> None:
    assert contradicted("localstripe", filled.url, KEY) == []


def assert_same(project: Project, invoices: list[dict[str, Any]]) -> None:
    columns = "status, currency, description, issued_at, created_at, subtotal, tax, total, amount_due, amount_paid"
    stored = project.query(f"SELECT id, {columns} FROM invoices WHERE deleted_at IS NULL ORDER BY id")
    assert stored == [
        (
            *(one[name] for name in ("id", "status", "currency", "description")),
            *(datetime.fromtimestamp(one[name], UTC) for name in ("date", "created")),
            *(units(one[name]) for name in ("subtotal", "tax", "total", "amount_due", "amount_paid")),
        )
        for one in invoices
    ]
    lines = project.query(
        "SELECT i.id, l.id, l.amount FROM invoices__lines__data l JOIN invoices i ON i._dlt_id = l._dlt_parent_id "
        "WHERE i.deleted_at IS NULL ORDER BY i.id, l._dlt_list_idx"
    )
    assert lines == [
        (one["id"], line["id"], units(line["amount"])) for one in invoices for line in one["lines"]["data"]
    ]


def units(cents: int) -> Decimal:
    return Decimal(cents) / 100


def test_a_draft_loads_everything_without_an_edit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, filled: Stripe
) -> None:
    project = Project(monkeypatch, tmp_path, filled.url, KEY, draft_of(filled.url, None, KEY))
    result = project.run()
    assert result.success, project.failure(result)
    assert (project.metadata(result).get("remarks"), project.metadata(result)["end_proven"]) == (None, True)
    stored = project.query("SELECT id, total, tax, created, description FROM invoices ORDER BY id")
    assert stored == [
        (one["id"], one["total"], one["tax"], datetime.fromtimestamp(one["created"], UTC), one["description"])
        for one in filled.truth()
    ]
    lines = project.query("SELECT id, amount FROM invoices__lines__data ORDER BY id")
    assert lines == sorted((line["id"], line["amount"]) for one in filled.truth() for line in one["lines"]["data"])
