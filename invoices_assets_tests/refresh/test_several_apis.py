"""Several APIs load into one DuckDB file, also at the same time: each has what its own API has, and nothing else."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from invoices_assets_tests.support.loader import Loader
from invoices_assets_tests.vendor import Book, Contract, Paging, serve

NAMES = ("stripe", "dolibarr", "pretix")
apis = st.sampled_from(NAMES)
modes = st.sampled_from(["incremental", "full", "reconcile"])


@dataclass
class Api:
    """One API, its dataset, and what the last green run has seen of it: id -> amount."""

    book: Book
    loader: Loader
    loaded: dict[str, Decimal]

    def refresh(self, mode: Any) -> None:
        self.loader.refresh(mode, max_deleted_share=1.0)
        shown = {record["id"]: Decimal(record["total"]) for record in self.book.records}
        # what the API no longer has stays until a reconciliation
        self.loaded = shown if mode == "reconcile" else {**self.loaded, **shown}

    @property
    def stored(self) -> dict[str, Decimal]:
        if not self.loader.warehouse.exists() or not self.loaded:
            return {}
        return dict(self.loader.query("SELECT id, total FROM invoices WHERE deleted_at IS NULL"))


class SeveralApis(RuleBasedStateMachine):
    """Three APIs whose books change, and one warehouse."""

    @initialize()
    def start(self) -> None:
        self.stack = ExitStack()
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.apis: dict[str, Api] = {}
        for name in NAMES:
            book = Book.of(3, seed=len(self.apis))
            server = self.stack.enter_context(serve(book, contract=Contract(paging=Paging(largest=2))))
            self.apis[name] = Api(book, Loader(folder, server.url, dataset=name), {})
        self.pool = self.stack.enter_context(ThreadPoolExecutor(len(NAMES)))

    def teardown(self) -> None:
        self.stack.close()

    @rule(name=apis, cents=st.integers(0, 10**6))
    def change(self, name: str, cents: int) -> None:
        book = self.apis[name].book
        if book.records:
            book.update(book.records[0]["id"], total=Decimal(cents) / 100)

    @rule(name=apis)
    def add(self, name: str) -> None:
        book = self.apis[name].book
        fresh = Book.of(1, seed=7).records[0]
        book.insert({**fresh, "id": f"inv_{len(book):03}_new"})
        book.update(f"inv_{len(book) - 1:03}_new")

    @rule(name=apis)
    def delete(self, name: str) -> None:
        book = self.apis[name].book
        if len(book) > 1:
            book.delete(book.records[-1]["id"])

    @rule(name=apis, mode=modes)
    def refresh(self, name: str, mode: str) -> None:
        self.apis[name].refresh(mode)

    @rule(chosen=st.lists(modes, min_size=len(NAMES), max_size=len(NAMES)))
    def refresh_all_at_once(self, chosen: list[str]) -> None:
        list(self.pool.map(lambda pair: pair[0].refresh(pair[1]), zip(self.apis.values(), chosen, strict=True)))

    @invariant()
    def each_has_what_its_own_api_has(self) -> None:
        for api in getattr(self, "apis", {}).values():
            assert api.stored == api.loaded


SeveralApis.TestCase.settings = settings(
    max_examples=6, stateful_step_count=8, deadline=None, suppress_health_check=list(HealthCheck)
)
TestSeveralApis = pytest.mark.usefixtures("waits")(SeveralApis.TestCase)
