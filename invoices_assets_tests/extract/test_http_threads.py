"""Many threads ask one API through one client: pauses, windows and budgets are theirs together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoices_assets.errors import RequestFailed
from invoices_assets.extract.http.client import HttpClient
from invoices_assets.extract.http.rate_limit import RateLimiter
from invoices_assets.redaction.redactor import Redactor
from invoices_assets_tests.support.fake_clock import FakeClock, HeldClock
from invoices_assets_tests.support.http_helpers import (
    OK,
    client,
    get,
)
from invoices_assets_tests.vendor.fake_api import Asked, FakeApi, Reply


def wait_until(happened: Callable[[], bool]) -> None:
    for _ in range(10_000):
        if happened():
            return
        time.sleep(0.001)
    raise AssertionError("it did not happen")


def test_429_pauses_all_threads(api: FakeApi) -> None:
    api.route("/v1/invoices", Reply(429, headers={"Retry-After": "30"}), OK)
    clock = HeldClock()
    http = client(clock=clock)

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(http.send, get(api))
        clock.wait_for_sleepers(1)
        others = [pool.submit(http.send, get(api)) for _ in range(3)]
        wait_until(lambda: len(http._gate._queue) == 4)
        clock.advance(29)
        asked_during_the_pause = len(api.asked)
        clock.advance(1)
        answers = [future.result(10) for future in (first, *others)]

    assert asked_during_the_pause == 1
    assert [answer.status_code for answer in answers] == [200] * 4
    assert len(api.asked) == 5
    assert http.stats.seconds_waited == 30
    assert http.stats.status_counts == {200: 4, 429: 1}


def test_500_holds_up_only_its_own_request(api: FakeApi) -> None:
    api.route("/broken", Reply(500), OK)
    api.route("/v1/invoices", OK)
    clock = HeldClock()
    http = client(clock=clock)

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(http.send, get(api, "/broken"))
        clock.wait_for_sleepers(1)

        assert http.send(get(api)).status_code == 200
        clock.advance(2)
        assert first.result(10).status_code == 200


def test_the_window_halves_on_429_and_grows_back(api: FakeApi) -> None:
    api.route("/v1/invoices", OK, Reply(429), Reply(429), OK)
    http = client(pool=8)
    windows = []

    for _ in range(150):
        http.send(get(api))
        windows.append(http._gate._window)

    assert windows[:2] == [8, 2]
    assert windows[-1] == 8
    assert sorted(windows[1:]) == windows[1:]


def test_no_more_requests_are_under_way_than_the_window(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    under_way = threading.Semaphore(3)
    crowded = []
    meet = threading.Barrier(3)

    def reply(asked: Asked) -> Reply:
        if not under_way.acquire(blocking=False):
            crowded.append(asked)
        meet.wait(10)
        under_way.release()
        return OK

    monkeypatch.setattr(api, "reply_to", reply)  # a route answers one request at a time
    http = client(pool=3)
    with ThreadPoolExecutor(9) as pool:
        list(pool.map(http.send, [get(api) for _ in range(12)]))

    assert crowded == []


@pytest.mark.parametrize("rate", [2.0, 50.0])
def test_a_rate_budget_is_shared_by_all_threads_and_used_up(api: FakeApi, rate: float) -> None:
    clock = FakeClock()
    api.route("/v1/invoices", OK)
    http = client(requests_per_second=rate, clock=clock)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(http.send, [get(api) for _ in range(100)]))

    assert 99 / rate <= clock() <= 1.15 * 99 / rate
    assert http.stats.seconds_waited == 0


@given(
    rate=st.floats(0.1, 200),
    delays=st.lists(st.tuples(st.floats(0, 0.9), st.floats(0, 0.9)), min_size=2, max_size=40),
)
def test_requests_are_never_closer_than_the_budget_allows(rate: float, delays: list[tuple[float, float]]) -> None:
    """Delays are parts of the spacing: how much too long a sleep took, and how long a request."""
    overshoots = iter([too_long for too_long, _ in delays] + [0.0] * 99)

    class Oversleeping(FakeClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds + next(overshoots, 0.0) / rate)

    clock = Oversleeping()
    gate = RateLimiter(1, rate, clock)
    departures = []
    for _, took in delays:
        ticket = gate.enter()
        departures.append(clock())
        FakeClock.sleep(clock, took / rate)
        gate.leave(ticket, throttled=False)

    gaps = [later - earlier for earlier, later in pairwise(departures)]
    assert min(gaps) >= 1 / rate * (1 - 1e-9)


@pytest.mark.parametrize(("refused", "spacing"), [(1, 0.011), (2, 0.0121), (20, 0.015)])
def test_a_budget_that_the_api_finds_too_high_is_lowered_by_up_to_a_third(refused: int, spacing: float) -> None:
    clock = FakeClock()
    gate = RateLimiter(1, 100, clock)
    for _ in range(refused):
        gate.leave(gate.enter(), throttled=True)
    departures = []
    for _ in range(100):
        ticket = gate.enter()
        departures.append(clock())
        gate.leave(ticket, throttled=False)
    gaps = [later - earlier for earlier, later in pairwise(departures)]
    assert min(gaps) >= spacing * (1 - 1e-9)
    assert sum(gaps) <= 99 * spacing * 1.1


def test_of_waiting_requests_the_one_that_failed_most_often_goes_first() -> None:
    clock = HeldClock()
    gate = RateLimiter(1, None, clock)
    gate.pause(5)
    order: list[int] = []

    def pass_through(failures: int) -> None:
        ticket = gate.enter(failures)
        order.append(failures)
        gate.leave(ticket, throttled=False)

    with ThreadPoolExecutor(4) as pool:
        for failures in (0, 1, 2, 3):
            pool.submit(pass_through, failures)
            clock.wait_for_sleepers(failures + 1)
        clock.advance(5)

    assert order == [3, 2, 1, 0]


def test_retries_are_part_of_the_budget(api: FakeApi) -> None:
    clock = FakeClock()
    api.route("/v1/invoices", Reply(500), OK)
    http = client(requests_per_second=0.1, clock=clock)

    http.send(get(api))

    assert clock() >= 10


def test_close_ends_a_long_wait(api: FakeApi) -> None:
    answered = threading.Event()

    @api.route("/v1/invoices")
    def busy(asked: Asked) -> Reply:
        answered.set()
        return Reply(429, headers={"Retry-After": "600"})

    http = HttpClient(auth=None, redactor=Redactor())
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(http.send, get(api)) for _ in range(2)]
        assert answered.wait(10)
        http.close()
        for future in waiting:
            with pytest.raises(RequestFailed):
                future.result(10)


def test_many_threads_get_their_own_answers(api: FakeApi) -> None:
    @api.route("/v1/invoices")
    def own(asked: Asked) -> Reply:
        return Reply(body={"page": asked.query["page"][0]})

    http = client()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda page: http.send(get(api, page=page)).json(), range(200)))

    assert answers == [{"page": str(page)} for page in range(200)]
    assert http.stats.requests == http.stats.status_counts[200] == 200
