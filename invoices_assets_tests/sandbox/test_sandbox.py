"""The sandbox keeps the contract of the project's own source file, and can be run by hand."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import requests

import invoices_assets
from invoices_assets.sandbox import Sandbox, serve
from invoices_assets.sandbox.live import LiveBook
from invoices_assets_tests.support.sandbox_client import Clock, get, ids


@pytest.fixture(scope="module")
def live() -> Iterator[Sandbox]:
    with serve(LiveBook(clock=Clock())) as server:
        yield server


# The default contract


def test_a_request_without_the_key_or_with_a_wrong_one_gets_401_as_json(live: Sandbox) -> None:
    for key in (None, "", "wrong"):
        answer = get(live, api_key=key)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")


def test_an_unknown_path_gets_404_as_json(live: Sandbox) -> None:
    answer = requests.get(live.url + "/v2/bills", timeout=10)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_a_sweep_by_offset_brings_every_invoice_once_in_order_of_id(live: Sandbox) -> None:
    total = get(live).json()["total"]
    seen = [id for offset in range(0, total, 100) for id in ids(get(live, offset=offset))]
    assert len(seen) == total > 12_000
    assert seen == sorted(set(seen))


def test_a_limit_above_100_is_cut_to_100_in_silence(live: Sandbox) -> None:
    assert [len(ids(get(live, limit=limit))) for limit in (1, 100, 101, 5000)] == [1, 100, 100, 100]


def test_past_the_end_is_an_empty_page_with_the_total(live: Sandbox) -> None:
    answer = get(live, offset=1_000_000).json()
    assert answer["data"] == []
    assert answer["total"] > 12_000


@pytest.mark.parametrize("query", [{"limit": "x"}, {"limit": 0}, {"offset": -1}, {"updated_since": "last week"}])
def test_a_bad_parameter_gets_400_and_is_named(live: Sandbox, query: dict[str, Any]) -> None:
    answer = get(live, **query)
    assert answer.status_code == 400
    assert next(iter(query)) in answer.json()["error"]["message"]


def test_updated_since_is_inclusive(live: Sandbox) -> None:
    some = get(live, updated_since="2026-11-18T00:00:00Z").json()["data"]
    newest = max(record["updated_at"] for record in some)
    later = newest.replace("Z", ".5Z").replace(".5", ".500000")
    assert newest in get(live, updated_since=newest).text
    assert newest not in get(live, updated_since=later).text


def test_created_from_and_created_to_cut_the_history_into_windows(live: Sandbox) -> None:
    edges = ["2020-01-01", "2025-06-01", "2026-01-01T12:00:00Z", "2030-01-01"]
    windows = [get(live, created_from=start, created_to=end).json()["total"] for start, end in pairwise(edges)]
    assert min(windows) > 0
    assert sum(windows) == get(live).json()["total"]


# The running server


def test_the_port_is_closed_after_the_block() -> None:
    with serve(LiveBook(1)) as server:
        get(server)
    with pytest.raises(requests.ConnectionError):
        get(server)


def test_a_taken_port_is_an_os_error() -> None:
    with serve(LiveBook(1)) as server:
        port = int(server.url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"), serve(LiveBook(1), port=port):
            pytest.fail("two servers share a port")


def test_nothing_is_printed_or_logged(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(0), serve(LiveBook(5)) as server:
        get(server)
        get(server, api_key="wrong")
    assert "".join(capfd.readouterr()) == ""
    assert [record for record in caplog.records if record.name.startswith("uvicorn")] == []


def test_latency_is_waited_for() -> None:
    with serve(LiveBook(1), latency=0.2) as server:
        start = time.monotonic()
        get(server)
        assert time.monotonic() - start >= 0.2


def test_a_rate_limit_answers_429_with_retry_after_until_tokens_are_back() -> None:
    with serve(LiveBook(1), rate_limit=3) as server:
        answers = [get(server) for _ in range(40)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert [answer.status_code for answer in answers[:3]] == [200, 200, 200]
    assert refused
    assert {answer.headers["retry-after"] for answer in refused} == {"1"}


# By hand


ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(invoices_assets.__file__).parents[1])}


def command(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "invoices_assets.sandbox", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )


def test_the_command_tells_the_variables_to_set_and_ends_cleanly_on_ctrl_c() -> None:
    process = command("--port", "0", "--api-key", "mine", "--records", "500", "--max-page", "50")
    assert process.stdout
    told = dict(re.findall(r"export (\w+)=(\S+)", "".join(process.stdout.readline() for _ in range(5))))
    answer = requests.get(
        told["INVOICES_API_BASE_URL"] + "/v1/invoices",
        params={"api_key": told["INVOICES_API_KEY"]},
        timeout=10,
    )
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=10)
    assert told["INVOICES_API_KEY"] == "mine"
    assert len(ids(answer)) == 50
    assert (process.returncode, errors) == (0, "")


def test_a_taken_port_gets_one_clear_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        process = command("--port", port)
        output, errors = process.communicate(timeout=30)
    assert (process.returncode, output) == (1, "")
    assert errors == f"Port {port} is taken; choose another with --port (0 takes a free one).\n"


def test_an_impossible_option_is_named() -> None:
    process = command("--max-page", "0")
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "--max-page: 0 is not possible: it must be at least 1" in errors


def test_loading_the_definitions_loads_no_web_server() -> None:
    code = "import sys, invoices_assets.definitions; print({'uvicorn', 'starlette'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True, env=ENVIRONMENT) == "set()\n"
