"""Whatever happens upstream, in whatever order: after a green run the warehouse has what it should have."""

from __future__ import annotations

import itertools
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from invoices_assets.errors import ExtractError, WarehouseError
from invoices_assets_tests.support.loader import Loader
from invoices_assets_tests.support.versioning import assert_gapless, with_history
from invoices_assets_tests.vendor import Book, Contract, Faults, Paging, faults, serve

LAG = timedelta(minutes=10)
PAGE = 5
WRONG_CLOCK = "2999-01-01T00:00:00Z"

delays = st.integers(0, int(LAG.total_seconds()))
"""Seconds by which a change is written late, with an older stamp than others that were shown before."""

stamps = st.one_of(delays, delays, delays, st.just("future"), st.none())
amounts = st.integers(0, 10**6).map(lambda cents: Decimal(cents) / 100)
lines = st.lists(st.integers(0, 9), max_size=3)
switches = st.sampled_from(
    [
        faults.status(503, times=1),
        faults.status(503, times=8),
        faults.status(403, on=faults.where(offset=PAGE)),
        faults.drop(times=1),
        faults.cut(times=2),
        faults.half_json(times=1),
        faults.empty_page(on=faults.where(offset=PAGE)),
        faults.empty_page(on=faults.where(offset=PAGE), times=1),
        faults.same_page(on=faults.where(offset=PAGE)),
        faults.ignore_offset(),
        faults.answer({"error": "not today"}, times=1),
        faults.answer({"error": "not today"}),
    ]
)


class Upstream(RuleBasedStateMachine):
    """An API whose book changes, and a warehouse that follows it; beside them what the warehouse must have.

    `expected` has of each id the row that the last green run must have stored, and whether it is marked as
    deleted. A refresh brings what is stamped at or after the cursor less the overlap; a complete sweep, all.
    """

    @initialize(count=st.integers(0, 2 * PAGE))
    def start(self, count: int) -> None:
        self.stack = ExitStack()
        self.folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.book, self.switches = Book(), Faults()
        contract = Contract(paging=Paging(largest=PAGE))
        server = self.stack.enter_context(serve(book=self.book, faults=self.switches, contract=contract))
        self.loader = Loader(self.folder, server.url, with_history())
        self.ids = (f"inv_{number:03}" for number in itertools.count())
        self.now = datetime(2024, 3, 1, tzinfo=UTC)
        self.cursor: datetime | None = None
        self.hidden = False
        self.expected: dict[str, tuple[Any, bool]] = {}
        self.idle_runs = 0
        for _ in range(count):
            self._write(next(self.ids), Decimal(10), [1], 0)

    def teardown(self) -> None:
        self.stack.close()

    # What happens upstream

    @rule(amount=amounts, line_items=lines, stamp=stamps)
    def insert(self, amount: Decimal, line_items: list[int], stamp: int | str | None) -> None:
        self._write(next(self.ids), amount, line_items, stamp)

    @rule(count=st.integers(2, 9), amount=amounts, stamp=delays)
    def insert_several(self, count: int, amount: Decimal, stamp: int) -> None:
        for _ in range(count):
            self._write(next(self.ids), amount, [1], stamp)

    @precondition(lambda self: len(self.book) > 0)
    @rule(data=st.data(), amount=amounts, line_items=lines, stamp=stamps)
    def change(self, data: st.DataObject, amount: Decimal, line_items: list[int], stamp: int | str | None) -> None:
        id = data.draw(st.sampled_from([record["id"] for record in self.book.records]))
        self.idle_runs = 0
        self.book.update(id, total=amount, line_items=_items(line_items), updated_at=self._stamp(stamp))

    @precondition(lambda self: len(self.book) > 0)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        self.idle_runs = 0
        self.book.delete(data.draw(st.sampled_from([record["id"] for record in self.book.records])))

    @precondition(lambda self: any(deleted for _, deleted in self.expected.values()))
    @rule(data=st.data(), amount=amounts, stamp=delays)
    def bring_back(self, data: st.DataObject, amount: Decimal, stamp: int) -> None:
        present = {record["id"] for record in self.book.records}
        gone = sorted(id for id, (_, deleted) in self.expected.items() if deleted and id not in present)
        if gone:
            self._write(data.draw(st.sampled_from(gone)), amount, [2], stamp)

    @rule(seconds=st.integers(1, 7200))
    def pass_time(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(switch=switches)
    def go_wrong(self, switch: faults.Fault) -> None:
        self.idle_runs = 0
        switch.hits = 0
        self.switches.append(switch)

    # What the project does

    @precondition(lambda self: self.idle_runs < 2)
    @rule()
    def refresh(self) -> None:
        known = self.cursor is not None and self.expected and not self.hidden
        self._run("incremental", self.cursor - LAG if known and self.cursor else None)

    @precondition(lambda self: self.idle_runs < 2)
    @rule(mode=st.sampled_from(["reconcile", "reconcile", "full"]))
    def sweep(self, mode: str) -> None:
        self._run(mode, None)

    def _run(self, mode: str, since: datetime | None) -> None:
        before = self._stored() if self.expected else {}
        shown = [record for record in self.book.records if since is None or _is_shown(record, since)]
        self.idle_runs += 1
        lost = not len(self.book) and any(not deleted for _, deleted in self.expected.values())
        try:
            self.loader.refresh(mode, max_deleted_share=1.0)
        except (ExtractError, WarehouseError):
            assert lost or self.switches, "a run failed for no reason"
            assert (self._stored() if self.expected else {}) == before
            return
        finally:
            self.switches.clear()
        assert not lost, "an API that shows nothing was believed"
        fetched = {record["id"]: _row(record) for record in shown}
        if mode == "reconcile":
            self.expected = {id: (row, True) for id, (row, _) in self.expected.items()}
        self.expected |= {id: (row, False) for id, row in fetched.items()}
        if since is None:
            self.hidden = any(record["updated_at"] is None for record in shown)
        moments = [_moment(record) for record in shown if record["updated_at"] not in (None, WRONG_CLOCK)]
        self.cursor = max([*moments, *([self.cursor] if self.cursor else [])], default=None)
        if self.expected:
            assert self._stored() == self.expected
            assert_gapless(self.loader)
        if mode == "reconcile" and self.expected:
            live = {id: row for id, (row, deleted) in self._stored().items() if not deleted}
            assert live == {record["id"]: _row(record) for record in self.book.records}

    def _stored(self) -> dict[str, tuple[Any, bool]]:
        """Each row of the warehouse with its line items, and whether it is marked as deleted."""
        items: dict[str, list[Decimal]] = {}
        tables = {name for (name,) in self.loader.query("SELECT table_name FROM duckdb_tables()")}
        if "invoices__line_items" in tables:
            for root, amount in self.loader.query(
                "SELECT _dlt_root_id, amount FROM invoices__line_items ORDER BY _dlt_root_id, _dlt_list_idx"
            ):
                items.setdefault(root, []).append(amount)
        rows = self.loader.query("SELECT id, total, updated_at, _dlt_id, deleted_at IS NOT NULL FROM invoices")
        return {id: ((total, stamp, items.pop(key, [])), deleted) for id, total, stamp, key, deleted in rows}

    def _write(self, id: str, amount: Decimal, line_items: list[int], stamp: int | str | None) -> None:
        self.idle_runs = 0
        record = {
            "id": id,
            "total": amount,
            "line_items": _items(line_items),
            "updated_at": self._stamp(stamp),
        }
        self.book.insert(record)

    def _stamp(self, stamp: int | str | None) -> str | None:
        if stamp is None:
            return None
        if stamp == "future":
            return WRONG_CLOCK
        return (self.now - timedelta(seconds=int(stamp))).isoformat().replace("+00:00", "Z")


def _items(amounts: list[int]) -> list[dict[str, Any]]:
    return [{"amount": amount} for amount in amounts]


def _moment(record: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(record["updated_at"].replace("Z", "+00:00"))


def _is_shown(record: dict[str, Any], since: datetime) -> bool:
    return record["updated_at"] is not None and _moment(record) >= since


def _row(record: dict[str, Any]) -> tuple[Any, ...]:
    stamp = None if record["updated_at"] is None else _moment(record)
    return Decimal(record["total"]), stamp, [Decimal(item["amount"]) for item in record["line_items"]]


TestUpstream = pytest.mark.filterwarnings("ignore")(Upstream.TestCase)
TestUpstream.settings = settings(
    max_examples=6,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
