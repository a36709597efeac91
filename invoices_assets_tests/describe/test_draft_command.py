"""`python -m invoices_assets.describe draft`, as a person runs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import yaml

from invoices_assets_tests.support.commands import described, described_in_a_process
from invoices_assets_tests.vendor import Book, Contract, Key, Paging, Total, Vendor, serve
from invoices_assets_tests.vendor.fake_api import Asked, FakeApi, Reply

SECRET = "k3y/8+chars-of-a-secret"
HTML = Reply(200, b"<html><title>Sign in</title></html>", {"content-type": "text/html"})


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi() as api:
        yield api


def draft(
    url: str, *options: str, key: str = SECRET, run: Callable[..., CompletedProcess[str]] = described
) -> CompletedProcess[str]:
    """Runs it with a budget that does not slow a test down."""
    budget = [] if "--requests-per-second" in options else ["--requests-per-second", "1000"]
    return run("draft", "--base-url", url, *options, *budget, INVOICES_API_KEY=key)


def refused(done: CompletedProcess[str]) -> str:
    """The one sentence of a draft that could not be made."""
    assert (done.returncode, done.stdout) == (2, ""), done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_the_yaml_alone_goes_to_stdout_and_the_findings_to_stderr() -> None:
    with serve(Book.of(250), key=SECRET) as server:
        done = draft(server.url, run=described_in_a_process)
    assert done.returncode == 0, done.stderr
    assert yaml.safe_load(done.stdout)["resources"][0]["endpoint"]["path"] == "/v1/invoices"
    assert "wrong" not in done.stderr
    assert SECRET not in done.stdout + done.stderr


def test_a_draft_that_the_api_contradicts_is_printed_with_exit_status_1() -> None:
    contract = Contract(paging=Paging(limit="howmany", position="from_which", size=20), total=Total(("total",)))
    with serve(Book.of(250), contract=contract, key=SECRET) as server:
        done = draft(server.url)
    assert done.returncode == 1
    assert yaml.safe_load(done.stdout)["resources"][0]["endpoint"]["paginator"]["type"] == "single_page"
    assert "# unproven: no answer leads to a second page" in done.stdout
    assert "wrong" in done.stderr


def test_an_address_that_nothing_answers_at_is_one_sentence(api: FakeApi) -> None:
    api.__exit__()
    assert "connection" in refused(draft(api.url, run=described_in_a_process)).lower()


def test_a_web_page_is_no_api(api: FakeApi) -> None:
    for path in ("/v1/invoices", "/invoices", "/api/invoices", "/api/v1/invoices", "/v2/invoices", "/api/v2/invoices"):
        api.route(path, HTML)
    said = refused(draft(api.url))
    assert "does not answer like an API" in said
    assert "text/html" in said


def test_a_login_on_the_same_host_is_no_api(api: FakeApi) -> None:
    api.route("/bills", Reply(302, b"", {"location": "/login"}))
    api.route("/login", HTML)
    assert "does not answer like an API" in refused(draft(api.url, "--path", "/bills"))


def test_a_login_on_another_host_does_not_get_the_key(api: FakeApi) -> None:
    api.route("/bills", Reply(302, b"", {"location": "https://login.vendor.invalid/start"}))
    assert "another host, https://login.vendor.invalid" in refused(draft(api.url, "--path", "/bills"))


def test_a_key_that_is_refused_everywhere_is_one_sentence() -> None:
    with serve(Book.of(30), contract=Contract(key=Key("header", "X-Unheard-Of"))) as server:
        said = refused(draft(server.url))
    assert "The key is refused in each place" in said
    assert "`--auth`" in said


def test_a_place_of_the_key_that_is_told_is_the_only_one_tried() -> None:
    with serve(Book.of(30), contract=Contract(key=Key("header", "X-Unheard-Of")), key=SECRET) as server:
        done = draft(server.url, "--auth", "{type: api_key, name: X-Unheard-Of, location: header}")
        assert done.returncode == 0, done.stderr
        assert {call.status for call in server.requests} == {200}


def test_a_path_that_does_not_exist_is_one_sentence() -> None:
    with serve(Book.of(30), key=SECRET) as server:
        assert "has nothing at `/v9/bills` (404)" in refused(draft(server.url, "--path", "/v9/bills"))


def test_no_usual_path_is_one_sentence() -> None:
    with serve(Book.of(30), contract=Contract(path="/rechnungen"), key=SECRET) as server:
        assert "`--path` names where the invoices are" in refused(draft(server.url))


def test_an_answer_without_any_list_is_one_sentence(api: FakeApi) -> None:
    api.route("/v1/invoices", Reply(200, {"version": "1.2", "status": "fine", "tags": ["a", "b"]}))
    assert "has no list of objects" in refused(draft(api.url))


def test_an_empty_list_is_nothing_to_draft_from() -> None:
    with serve(Book(), key=SECRET) as server:
        assert "is empty" in refused(draft(server.url))


def test_after_a_429_nothing_more_is_asked(api: FakeApi) -> None:
    @api.route("/v1/invoices")
    def answer(asked: Asked) -> Reply:
        return Reply(429, b"slow down", {"retry-after": "1"}) if len(api.asked) > 1 else Reply(401, b"no key")

    assert "429 Too Many Requests" in refused(draft(api.url))
    assert len(api.asked) == 2


def test_records_without_any_key_of_their_own_are_one_sentence(api: FakeApi) -> None:
    api.route("/v1/invoices", Reply(200, {"data": [{"total": 1}, {"total": 1}]}))
    assert "there and different in each of the 2 records" in refused(draft(api.url))


def test_without_a_key_in_the_environment_it_says_so(api: FakeApi) -> None:
    assert "INVOICES_API_KEY is not set" in refused(draft(api.url, key=""))


def test_an_address_with_a_query_is_refused_and_nothing_is_asked(api: FakeApi) -> None:
    assert "--base-url must have no user name, `?` or `#`" in refused(draft(f"{api.url}?tenant=7"))
    assert api.asked == []


@pytest.mark.parametrize("path", [f"/v1/invoices?api_key={SECRET}", "/v1/invoices?api_key=k3y%2F8%2Bchars-of-a-secret"])
def test_a_key_in_the_path_is_refused_without_repeating_it(api: FakeApi, path: str) -> None:
    assert "--path holds the key" in refused(draft(api.url, "--path", path))


@pytest.mark.parametrize("auth", ["{type: bearer, token: abc}", "{type: magic}", "{", "[1]"])
def test_an_auth_that_is_none_is_one_sentence(api: FakeApi, auth: str) -> None:
    refused(draft(api.url, "--auth", auth))


def test_a_query_in_the_path_becomes_params(tmp_path: Path) -> None:
    with serve(Book.of(250), contract=Contract(hides={"status": ["void"]}), key=SECRET) as server:
        done = draft(server.url, "--path", "/v1/invoices?show_all=1&sort=id")
    assert yaml.safe_load(done.stdout)["resources"][0]["endpoint"]["params"] == {"show_all": "1", "sort": "id"}


def test_no_request_is_repeated_and_a_usual_api_is_drafted_with_few(tmp_path: Path) -> None:
    with serve(Book.of(2500), key=SECRET) as server:
        done = draft(server.url)
        asked = [
            call.url + call.headers.get("authorization", "") + call.headers.get("x-api-key", "")
            for call in server.requests
        ]
    assert "by 14 requests" in done.stdout
    assert len(set(asked[:10])) == 10


def test_a_server_of_a_usual_kind_is_described_as_a_person_would(server: Vendor) -> None:
    done = draft(server.url, key=server.key)
    assert yaml.safe_load(done.stdout)["resources"][0]["endpoint"] == {
        "path": "/v1/invoices",
        "data_selector": "data",
        "paginator": {"type": "offset", "limit": 100, "total_path": "total"},
        "incremental": {"cursor_path": "updated_at", "start_param": "updated_since", "lag": 600},
    }


def test_fields_with_odd_names_make_no_draft_that_cannot_be_read(api: FakeApi) -> None:
    odd = {
        "id": "a",
        "due\u2028: {x: y}\n  - date": "2026-01-31",
        "\x00null": None,
        "\ud800day": "2026-01-31",
        "'@q'": 1.5,
    }
    api.route("/v1/invoices", Reply(200, {"data": [odd, {**odd, "id": "b"}]}))
    done = draft(api.url)
    assert done.returncode == 0, done.stderr
    assert set(yaml.safe_load(done.stdout)["resources"][0]["columns"]) == {"id", "due\u2028: {x: y}\n  - date", "'@q'"}


def test_the_budget_of_requests_holds_for_draft_and_check_together() -> None:
    with serve(Book.of(250), contract=Contract(key=Key("header", "X-Api-Key")), key=SECRET) as server:
        done = draft(server.url, "--requests-per-second", "10")
        moments = [call.monotonic for call in server.requests]
    assert done.returncode == 0, done.stderr
    assert moments[-1] - moments[0] >= 0.7 * (len(moments) - 1) / 10
