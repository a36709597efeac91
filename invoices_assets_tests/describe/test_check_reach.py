"""`describe check` says whether the API can be reached, takes the key, and shows records."""

from __future__ import annotations

from invoices_assets.describe.finding import Verdict
from invoices_assets_tests.support.describing import checked, checked_at, told, verdict_on
from invoices_assets_tests.support.sweep_helpers import config
from invoices_assets_tests.vendor import Book, Contract, FakeApi, Key, Reply, Vendor, serve

PATH = "/v1/invoices"


def test_a_description_that_is_right_has_nothing_wrong_and_nothing_unproven(server: Vendor) -> None:
    found = checked_at(server)
    assert [finding for finding in found if finding.verdict is not Verdict.OK] == []


def test_a_check_costs_at_most_fifteen_requests_with_a_window_and_a_wrong_key(server: Vendor) -> None:
    window = {"cursor_path": "created_at", "start_param": "created_from", "end_param": "created_to"}
    change = {"type": "incremental", "cursor_path": "updated_at", "lag": 600}
    content = config(incremental={**window, "initial_value": "2020-01-01"}, params={"updated_since": change})
    checked_at(server, content, probe_key=True)
    assert len(server.asked) <= 15


def test_a_refused_key_is_wrong_and_asked_for_once() -> None:
    with serve(Book.of(5)) as server:
        found = checked(server.url, key="another-key-0000")
        assert "refused the key (401)" in told(found, "key")
        assert "location: query" in told(found, "key")
        assert len(server.asked) == 1


def test_a_path_that_does_not_exist_names_path_and_key(server: Vendor) -> None:
    assert "`path: /v2/bills`" in told(checked_at(server, config(path="/v2/bills")), "path")


def test_a_page_for_people_is_no_api(api: FakeApi) -> None:
    api.route(PATH, Reply(body=b"<html><title>Log in</title></html>", headers={"Content-Type": "text/html"}))
    assert "not of an API" in told(checked(api.url), "answer")


def test_a_redirect_to_a_login_is_wrong(api: FakeApi) -> None:
    api.route(PATH, Reply(status=302, headers={"Location": "https://login.vendor.example/"}))
    found = checked(api.url)
    assert any("login.vendor.example" in finding.sentence for finding in found if finding.verdict is Verdict.WRONG)


def test_nothing_that_listens_is_wrong() -> None:
    with FakeApi() as gone:
        url = gone.url
    assert verdict_on(checked(url), "address") is Verdict.WRONG


def test_a_wrong_selector_names_the_lists_that_are_there(server: Vendor) -> None:
    found = checked_at(server, config(data_selector="invoices"))
    assert "`data_selector: data`" in told(found, "selector")


def test_an_answer_without_any_list_says_so(api: FakeApi) -> None:
    api.route(PATH, Reply(body={"status": "fine", "version": 3}))
    assert "no list of records at all" in told(checked(api.url), "selector")


def test_no_record_at_all_is_unproven_for_the_key_may_have_no_rights() -> None:
    with serve(Book()) as server:
        found = checked_at(server)
    assert "is the key allowed to read?" in told(found, "key", Verdict.UNPROVEN)


def test_a_wrong_key_that_is_refused_is_right(server: Vendor) -> None:
    assert "refuses a key that is none (401)" in told(checked_at(server, probe_key=True), "another key", Verdict.OK)


def test_a_refusal_that_runs_are_to_ignore_is_one_all_the_same(server: Vendor) -> None:
    ignored = config(response_actions=[{"status_code": 401, "action": "ignore"}])
    found = checked_at(server, ignored, probe_key=True)
    assert "refuses a key that is none (401)" in told(found, "another key", Verdict.OK)


def test_a_wrong_key_is_asked_for_only_on_demand(server: Vendor) -> None:
    checked_at(server)
    assert {asked.query["api_key"][0] for asked in server.asked} == {server.key}


def test_an_api_that_does_not_look_at_the_key_is_found_out(api: FakeApi) -> None:
    api.route(PATH, Reply(body={"data": [{"id": "1", "updated_at": "2026-01-01T00:00:00Z"}], "total": 1}))
    assert "does not look at the key" in told(checked(api.url, probe_key=True), "another key")


def test_an_api_that_shows_nothing_to_a_wrong_key_is_unproven() -> None:
    with serve(Book.of(5), contract=Contract(key=Key(wrong="empty"))) as server:
        found = checked_at(server, probe_key=True)
    assert verdict_on(found, "another key") is Verdict.UNPROVEN


def test_the_key_is_in_no_finding(api: FakeApi) -> None:
    api.route(PATH, Reply(status=400, body={"error": "the key k3y-of-the-check-0815 is odd"}))
    found = checked(api.url, key="k3y-of-the-check-0815")
    assert "k3y-of-the-check-0815" not in repr(found)
