"""A page costs at most four requests, whatever goes wrong with it, in any mix."""

from __future__ import annotations

import gzip
import itertools
import logging
import zlib

import pytest

from invoices_assets.errors import ApiStatusError, BadAnswer, ExtractError, IncompleteSweep, KeyRefused, NotFound
from invoices_assets.extract.endpoint import Endpoint
from invoices_assets.extract.page import Page
from invoices_assets_tests.support.fake_clock import FakeClock
from invoices_assets_tests.support.http_helpers import client
from invoices_assets_tests.support.sweep_helpers import config, spec_of
from invoices_assets_tests.vendor.fake_api import FakeApi, Reply

PATH = "/v1/invoices"
FULL = Reply(body={"data": [{"id": "1"}], "total": 2500})
EMPTY = Reply(body={"data": [], "total": 2500})
BODY = b'{"data": [{"id": "1"}], "total": 2500}'
BODIES = {
    "gzip": (gzip.compress(BODY), {"Content-Encoding": "gzip"}),
    "x-gzip": (gzip.compress(BODY), {"Content-Encoding": "x-gzip"}),
    "deflate": (zlib.compress(BODY), {"Content-Encoding": "deflate"}),
    "deflate without its header": (zlib.compress(BODY, wbits=-15), {"Content-Encoding": "deflate"}),
    "gzip of gzip": (gzip.compress(gzip.compress(BODY)), {"Content-Encoding": "gzip, gzip"}),
}
FAULTS = {
    "status": Reply(503),
    "too busy": Reply(429),
    "cut body": Reply(body=b'{"data": [1, 2, 3]}', cut=5),
    "broken gzip": Reply(body=gzip.compress(b'{"data": []}' * 99)[:-9], headers={"Content-Encoding": "gzip"}),
    "unreadable body": Reply(body=b'{"data": [', headers={"Content-Type": "application/json"}),
    "no answer": Reply(hang_up=True),
    "impossible empty page": EMPTY,
    "404 that goes away": Reply(404),
}


def endpoint(api: FakeApi, clock: FakeClock) -> Endpoint:
    return Endpoint(client(None, clock=clock), spec_of(config()), api.url)


def not_the_end(came: Page | ApiStatusError) -> str | None:
    """What a walk knows that has read 1,000 of 2,500 records."""
    if isinstance(came, ApiStatusError):
        return f"status {came.status} after 1,000 of 2,500 records" if isinstance(came, NotFound) else None
    return None if came.outline else "an empty page after 1,000 of 2,500 records"


@pytest.mark.parametrize("faults", list(itertools.combinations(FAULTS, 3)), ids="-".join)
def test_any_three_faults_in_a_row_cost_three_more_requests(api: FakeApi, faults: tuple[str, ...]) -> None:
    api.route(PATH, *[FAULTS[fault] for fault in faults], FULL)
    clock = FakeClock()
    asker = endpoint(api, clock)

    page = asker.page(asker.request(None)).get(not_the_end)

    assert page.records == [{"id": "1"}]
    assert len(api.asked) == 4
    assert clock.sleeps == [2, 4, 8]


@pytest.mark.parametrize("last", FAULTS)
@pytest.mark.parametrize("first", FAULTS)
def test_no_mix_of_faults_costs_a_fifth_request(api: FakeApi, first: str, last: str) -> None:
    api.route(PATH, FAULTS[first], FAULTS["unreadable body"], FAULTS["impossible empty page"], FAULTS[last])
    asker = endpoint(api, FakeClock())

    with pytest.raises(ExtractError, match=f"^GET {api.url}/v1/invoices failed after 4 attempts: "):
        asker.page(asker.request(None)).get(not_the_end)

    assert len(api.asked) == 4


def test_a_page_fetched_ahead_is_judged_when_it_is_used(api: FakeApi) -> None:
    api.route(PATH, Reply(503), EMPTY, FULL)
    asker = endpoint(api, FakeClock())
    page = asker.page(asker.request(None))

    assert page.get().records == []
    assert len(api.asked) == 2

    assert page.get(not_the_end).records == [{"id": "1"}]
    assert page.get(not_the_end).records == [{"id": "1"}]
    assert len(api.asked) == 3


def test_what_fetching_ahead_has_spent_is_not_spent_again(api: FakeApi) -> None:
    api.route(PATH, Reply(503), Reply(body=b"{"), Reply(503), EMPTY, FULL)
    asker = endpoint(api, FakeClock())
    page = asker.page(asker.request(None))
    page.get()

    with pytest.raises(IncompleteSweep, match=r"failed after 4 attempts: an empty page after 1,000 of 2,500 records$"):
        page.get(not_the_end)

    assert len(api.asked) == 4


def test_a_404_fetched_ahead_is_asked_again_once_it_is_known_to_be_impossible(api: FakeApi) -> None:
    api.route(PATH, Reply(404), FULL)
    asker = endpoint(api, FakeClock())
    page = asker.page(asker.request(None))

    with pytest.raises(NotFound):
        page.get()

    assert page.get(not_the_end).records == [{"id": "1"}]
    assert len(api.asked) == 2


def test_a_status_that_is_not_contradicted_is_final(api: FakeApi) -> None:
    api.route(PATH, Reply(400))
    asker = endpoint(api, FakeClock())

    with pytest.raises(ApiStatusError, match="answered 400"):
        asker.page(asker.request(None)).get(not_the_end)

    assert len(api.asked) == 1


def test_a_refused_key_is_not_asked_again_whatever_contradicts_it(api: FakeApi) -> None:
    api.route(PATH, Reply(403), FULL)
    asker = endpoint(api, FakeClock())

    with pytest.raises(KeyRefused):
        asker.page(asker.request(None)).get(lambda came: "impossible")

    assert len(api.asked) == 1


def test_an_answer_without_the_selected_data_is_final(api: FakeApi) -> None:
    api.route(PATH, Reply(body={"error": "values stay out"}), FULL)
    asker = endpoint(api, FakeClock())

    with pytest.raises(BadAnswer, match=r"^GET /v1/invoices: the answer has no `data`; it is an object with the keys"):
        asker.page(asker.request(None)).get(not_the_end)

    assert len(api.asked) == 1


def test_204_is_an_empty_page(api: FakeApi) -> None:
    api.route(PATH, Reply(204, b""))
    asker = endpoint(api, FakeClock())

    assert asker.page(asker.request(None)).get().records == []


def test_the_log_says_what_contradicts_a_page(api: FakeApi, caplog: pytest.LogCaptureFixture) -> None:
    api.route(PATH, EMPTY, FULL)
    asker = endpoint(api, FakeClock())

    with caplog.at_level(logging.WARNING, "invoices_assets"):
        asker.page(asker.request(None)).get(not_the_end)

    assert caplog.messages == [
        f"GET {api.url}/v1/invoices: an empty page after 1,000 of 2,500 records; trying again in 2 s (attempt 2 of 4)"
    ]


@pytest.mark.parametrize(("body", "headers"), BODIES.values(), ids=BODIES)
def test_a_packed_body_that_ends_early_is_asked_for_again(api: FakeApi, body: bytes, headers: dict[str, str]) -> None:
    """The packing of urllib3 accepts a stream that stops in the middle; what is unpacked of it is no JSON then."""
    kept = [length for length in range(len(body)) if length < len(body) - 8]
    api.route(PATH, *[Reply(body=body[:length], headers=headers) for length in kept[:: len(kept) // 3]][:3], FULL)
    asker = endpoint(api, FakeClock())

    assert asker.page(asker.request(None)).get().records == [{"id": "1"}]
    assert len(api.asked) == 4


@pytest.mark.parametrize(("body", "headers"), BODIES.values(), ids=BODIES)
def test_a_packed_body_is_unpacked(api: FakeApi, body: bytes, headers: dict[str, str]) -> None:
    api.route(PATH, Reply(body=body, headers=headers))
    asker = endpoint(api, FakeClock())

    assert asker.page(asker.request(None)).get().total == 2500
    assert asker._http.stats.bytes_received == len(body)
