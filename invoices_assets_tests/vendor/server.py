"""The fake vendor: a server that answers from books as a `Contract` says, but for its `Faults`."""

from __future__ import annotations

import json
import random
import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hmac import compare_digest
from operator import ge, gt, le, lt
from typing import Any

from invoices_assets.sandbox import SANDBOX_KEY
from invoices_assets.sandbox.live import LiveBook
from invoices_assets_tests.vendor import paging
from invoices_assets_tests.vendor.book import AnyBook, Rows
from invoices_assets_tests.vendor.call import Call, Refusal, Window
from invoices_assets_tests.vendor.contract import Contract, Filter, Path
from invoices_assets_tests.vendor.fake_api import Asked, FakeApi, Reply
from invoices_assets_tests.vendor.faults import Fault, Faults
from invoices_assets_tests.vendor.text import Raw, dumps, parse_stamp, restyle

JSON = {"content-type": "application/json"}

_OPS = {">=": ge, ">": gt, "<=": le, "<": lt, "ge": ge, "gt": gt, "le": le, "lt": lt}
_HOLE = '"\x7fdata\x7f"'


class Vendor(FakeApi):
    """An API with invoices.

    Parameters:
        book: the invoices; by default 12,000 that change with the clock.
        faults: how it misbehaves; by default not at all.
        contract: how it looks; by default as the project's own source file describes it.
        key: the one it accepts.
        more: further paths with books of their own, under the same contract.

    Attributes:
        requests: every request so far.
    """

    def __init__(
        self,
        book: AnyBook | None = None,
        faults: Faults | None = None,
        contract: Contract | None = None,
        key: str = SANDBOX_KEY,
        more: Mapping[str, AnyBook] | None = None,
    ) -> None:
        super().__init__()
        self.book = book if book is not None else LiveBook()
        self.faults = faults if faults is not None else Faults()
        self.contract = contract or Contract()
        self.key = key
        self.requests: list[Call] = []
        self._books = {self.contract.path: self.book, **(more or {})}
        self._callbacks: list[Callable[[int], Any]] = []
        self._number = 0
        self._wrong_keys = 0
        for path in self._books:
            self.route(path)(self._answer)

    def on_request(self, callback: Callable[[int], Any]) -> Callable[[int], Any]:
        """Calls back with the number of each request before it is answered, from the server's thread."""
        self._callbacks.append(callback)
        return callback

    def _answer(self, asked: Asked) -> Reply:
        if asked.method != self.contract.method:
            return self._refused(Refusal(404, "not_found", "there is nothing at this path"))
        self._number += 1
        call = self._call(asked)
        self.requests.append(call)
        for callback in self._callbacks:
            callback(call.number)
        reply, active = None, []
        for fault in list(self.faults):
            if fault.applies(call):
                active.append(fault)
                reply = fault.before(call) if fault.before else None
                if reply is not None:
                    break
        if reply is None:
            reply = self._served(call, active)
        for fault in active:
            reply = fault.after(call, reply) if fault.after else reply
        call.status = reply.status
        return replace(reply, delay=call.delay)

    def _call(self, asked: Asked) -> Call:
        query = {name: values[-1] for name, values in asked.query.items()}
        if asked.body:
            query |= _fields(asked.body)
        call = Call(
            self._number,
            asked.method,
            asked.path,
            f"http://{asked.headers['host']}{asked.target}",
            query,
            asked.headers,
            asked.body,
            datetime.now(UTC),
            asked.at,
        )
        call.key = self._key_sent(call)
        return call

    def _key_sent(self, call: Call) -> str:
        key = self.contract.key
        if key.where == "basic":
            return call.headers.get("authorization", "")
        return (call.headers.get(key.name.lower()) if key.where == "header" else call.query.get(key.name)) or ""

    def _served(self, call: Call, active: Sequence[Fault]) -> Reply:
        try:
            self._check_required(call)
            if self._key_is_right(call):
                return self._page(call, active)
            if self.contract.key.wrong == "empty":
                return self._body([], 0, None, None)
            raise Refusal(self.contract.key.wrong, "unauthorized", "the API key is missing or wrong")
        except Refusal as refusal:
            return self._refused(refusal)

    def _check_required(self, call: Call) -> None:
        for name, value in self.contract.required.items():
            if value not in (call.query.get(name), call.headers.get(name.lower())):
                raise Refusal(400, "missing_parameter", f"{name} must be {value}")

    def _key_is_right(self, call: Call) -> bool:
        key = self.contract.key
        expected = key.template.replace("{key}", self.key)
        if key.where == "basic":
            expected = "Basic " + b64encode(expected.encode()).decode()
        right = compare_digest(call.key.encode(), expected.encode())
        self._wrong_keys += not right
        if key.ban_after is not None and self._wrong_keys >= key.ban_after:
            raise Refusal(403, "banned", "too many wrong keys")
        return right

    def _page(self, call: Call, active: Sequence[Fault]) -> Reply:
        contract = self.contract
        rows, positions = self._selected(call)

        def find(id: str) -> int | None:
            return next((at for at, row in enumerate(positions) if str(rows.record(row).get("id")) == id), None)

        shown = paging.window(contract.paging, call.query, len(positions), find)
        for fault in active:
            shown = fault.window(call, shown) if fault.window else shown
        chosen = positions[shown.offset : shown.offset + shown.limit]
        texts = rows.texts(chosen)
        if contract.stamps != "iso_z" or contract.dates != "%Y-%m-%d":
            texts = [restyle(text, contract.stamps, contract.dates) for text in texts]
        total: Any = len(positions)
        for fault in active:
            texts = fault.rows(call, texts) if fault.rows else texts
            total = fault.total(call, total) if fault.total else total
        return self._body(texts, total, *self._next(call, rows, chosen, shown, len(positions)))

    def _selected(self, call: Call) -> tuple[Rows, Sequence[int]]:
        """The rows that the request's filters leave, as positions in the API's order."""
        contract, book = self.contract, self._books[call.path]
        bounds = [(each.field, *bound) for each in contract.filters if (bound := _bound(each, call))]
        # A book can find what changed since a moment without looking at every record.
        quick = next((bound for bound in bounds if bound[0] == "updated_at" and bound[1] in (ge, gt)), None)
        rows = book.rows(quick[2] if quick else None)
        positions: Sequence[int] = range(len(rows))
        for field, op, moment in bounds:
            if (field, op, moment) != quick or op is gt:
                moments = ((at, parse_stamp(rows.record(at).get(field))) for at in positions)
                positions = [at for at, own in moments if own is not None and op(own, moment)]
        if contract.show_all not in call.query:
            for field, hidden in contract.hides.items():
                positions = [at for at in positions if rows.record(at).get(field) not in hidden]
        if contract.order == "book" or (contract.sort and contract.sort in call.query):
            return rows, positions
        if contract.order == "newest":
            return rows, positions[::-1]
        if contract.order == "random":
            return rows, random.sample(positions, len(positions))
        return rows, sorted(positions, key=lambda at: str(rows.record(at).get(contract.order)))

    def _next(
        self, call: Call, rows: Rows, chosen: Sequence[int], shown: Window, size: int
    ) -> tuple[str | None, str | None]:
        """What the body and the Link header say about the next page."""
        style, end = self.contract.paging.style, shown.offset + len(chosen)
        if style in ("offset", "page") or not chosen or (end >= size and not self.contract.paging.empty_end):
            return None, None
        last_id = rows.record(chosen[-1]).get("id") if paging.counting(self.contract.paging) == "token" else None
        position = paging.next_position(self.contract.paging, shown, end, last_id)
        if style == "cursor":
            return position, None
        link = paging.address(self.contract, call, position)
        return (link, None) if style == "json_link" else (None, f'<{link}>; rel="next"')

    def _body(self, texts: list[bytes], total: Any, next_value: str | None, link: str | None) -> Reply:
        contract, headers = self.contract, dict(JSON)
        if contract.total.form == "page_count":
            total = len(texts)
        elif contract.total.form == "minus_one":
            total = -1
        elif contract.total.form == "string":
            total = str(total)
        data = texts[0] if contract.collapse_single and len(texts) == 1 else b"[" + b",".join(texts) + b"]"
        if contract.total.header:
            headers[contract.total.header] = str(total)
        if link:
            headers["link"] = link
        if contract.data == ():
            return Reply(200, data, headers)
        tree = dict(contract.envelope)
        _put(tree, contract.data, Raw(_HOLE))
        if contract.total.body is not None:
            _put(tree, contract.total.body, total)
        if contract.paging.style in ("cursor", "json_link"):
            _put(tree, contract.paging.next, next_value)
        head, _, tail = dumps(tree).partition(_HOLE)
        return Reply(200, head.encode() + data + tail.encode(), headers)

    def _refused(self, refusal: Refusal) -> Reply:
        return Reply(refusal.status, dumps(refusal.body).encode(), JSON)


def _fields(body: bytes) -> dict[str, str]:
    """The fields of a JSON body, as text."""
    try:
        sent = json.loads(body)
    except ValueError:
        return {}
    return {str(name): str(value) for name, value in sent.items()} if isinstance(sent, dict) else {}


def _bound(each: Filter, call: Call) -> tuple[Callable[[Any, Any], bool], datetime] | None:
    """The comparison that a filter asks for in this request, or None if it is not used."""
    text = (call.headers.get(each.name.lower()) if each.where == "header" else call.query.get(each.name)) or ""
    op = _OPS[each.op]
    if each.where == "expression":
        pattern = re.escape(each.field) + r"\s*:?\s*(>=|<=|>|<|ge\b|gt\b|le\b|lt\b)\s*:?\s*['\"]?([-+:.\w ]+)"
        found = re.search(pattern, text)
        if found:
            op, text = _OPS[found[1]], found[2].strip()
        elif text:
            raise Refusal(400, "bad_parameter", f"{each.name} is not an expression on {each.field}")
    if not text:
        return None
    moment = parse_stamp(text)
    if moment is None:
        raise Refusal(400, "bad_parameter", f"{each.name} must be a time stamp such as 2026-01-31T08:00:00Z")
    if each.by_day:
        moment = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return op, moment


def _put(tree: dict[str, Any], path: Path, value: Any) -> None:
    for key in path[:-1]:
        tree = tree.setdefault(key, {})
    tree[path[-1]] = value


serve = Vendor
"""Read as what it does: `with serve(book) as vendor:`."""
