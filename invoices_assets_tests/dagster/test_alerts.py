"""Alerts: what failed is posted once, in a few sentences and without a secret, and the run stays as it is."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
import pytest

from invoices_assets import alerts
from invoices_assets.errors import KeyRefused
from invoices_assets.extract.http.client import HttpClient
from invoices_assets_tests.support.bills import write_by_hand
from invoices_assets_tests.support.fake_clock import FakeClock
from invoices_assets_tests.support.project import Project
from invoices_assets_tests.vendor import SANDBOX_KEY, Book, Vendor, faults
from invoices_assets_tests.vendor.fake_api import FakeApi, Reply

PATH = "/services/T0PL4C3/tok3n-0f-th3-w3bh00k"
OK = Reply(200, b"ok", {"content-type": "text/html"})
"""As Slack answers, which calls these two letters HTML."""


@dataclass
class Chat:
    """A project whose alert sensors tick when told to, and the chat that they post to.

    Attributes:
        reason: why the last tick was skipped.
        logged: what the ticks wrote, and all libraries with them.
    """

    project: Project
    server: FakeApi
    caplog: pytest.LogCaptureFixture
    reason: str = ""
    _cursors: dict[str, str | None] = field(default_factory=dict)

    def tick(self, sensor: str) -> list[str]:
        """One evaluation by the daemon; the texts that were posted meanwhile."""
        before = len(self.server.asked)
        definition = self.project.definitions().resolve_sensor_def(sensor)
        with dg.build_sensor_context(instance=self.project.instance, cursor=self._cursors.get(sensor)) as context:
            context.log.addHandler(self.caplog.handler)
            data = definition.evaluate_tick(context)
        self._cursors[sensor], self.reason = data.cursor, data.skip_message or ""
        assert [reaction.error for reaction in data.dagster_run_reactions or []] in ([], [None])
        return [json.loads(asked.body)["text"] for asked in self.server.asked[before:]]

    @property
    def warnings(self) -> list[str]:
        """Those that the page of a tick shows."""
        records = [record for record in self.caplog.records if record.levelno == logging.WARNING]
        return [record.getMessage() for record in records if record.name == "dagster"]


@pytest.fixture
def chat(
    project: Project, api: FakeApi, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Chat]:
    """Both sensors have ticked once, with nothing to tell."""
    clock = FakeClock()
    monkeypatch.setattr(alerts, "HttpClient", lambda **settings: HttpClient(**settings, clock=clock))
    api.route(PATH, OK)
    monkeypatch.setenv("INVOICES_ALERT_WEBHOOK", api.url + PATH)
    chat = Chat(project, api, caplog)
    for sensor in ("failed_runs_alert", "failed_checks_alert"):
        assert chat.tick(sensor) == []
    with caplog.at_level(logging.DEBUG):
        yield chat


@pytest.fixture
def refused(chat: Chat, server: Vendor) -> dg.ExecuteInProcessResult:
    """A run that failed: its key is refused."""
    server.faults.append(faults.status(401))
    return chat.project.run()


def test_a_failed_run_is_posted_once_with_its_sentence_and_what_to_do(
    chat: Chat, refused: dg.ExecuteInProcessResult
) -> None:
    [text] = chat.tick("failed_runs_alert")
    assert text.splitlines() == [
        "`refresh_invoices` failed.",
        chat.project.failure(refused),
        KeyRefused.what_to_do,
        f"Run {refused.run_id}",
    ]
    assert chat.tick("failed_runs_alert") == []


def test_a_bug_is_posted_in_its_own_words(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    def clumsy(*_: object, **__: object) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr("invoices_assets.refresh.source.sweep_resource", clumsy)
    chat.project.run()
    assert "ValueError: a bug" in chat.tick("failed_runs_alert")[0]


def test_a_run_that_succeeds_is_not_posted(chat: Chat) -> None:
    chat.project.run()
    assert chat.tick("failed_runs_alert") == []
    assert chat.tick("failed_checks_alert")[1:] == []


def test_a_check_that_begins_to_fail_is_posted_once(chat: Chat, book: Book) -> None:
    def posted() -> list[str]:
        chat.project.run()
        return [line for text in chat.tick("failed_checks_alert") for line in text.splitlines() if "rejected" in line]

    assert posted() == []
    book.update("inv_0000003", issue_date="someday")
    assert posted() == [
        "ERROR `no_rejected_records` of `invoicing/invoices`: "
        "1 records cannot be stored as declared: invoicing.invoices_rejected."
    ]
    assert posted() == []
    book.update("inv_0000004", issue_date="someday")
    assert len(posted()) == 1


def test_checks_that_fail_in_a_failed_run_are_posted_with_it(chat: Chat, book: Book, server: Vendor) -> None:
    book.update("inv_0000003", issue_date="someday")
    chat.project.run()
    chat.tick("failed_checks_alert")
    job = dg.define_asset_job("refresh_invoices", dg.AssetSelection.all())
    book.update("inv_0000004", issue_date="someday")

    @dg.asset(deps=[dg.AssetKey(["invoicing", "invoices"])], name="after")
    def after() -> None:
        raise dg.Failure("what comes after failed")

    own = chat.project.definitions()
    both = dg.Definitions(assets=[*(own.assets or []), after], asset_checks=own.asset_checks, resources=own.resources)
    both = dg.Definitions.merge(both, dg.Definitions(jobs=[job]))
    both.resolve_job_def("refresh_invoices").execute_in_process(instance=chat.project.instance, raise_on_error=False)
    [text] = chat.tick("failed_runs_alert")
    assert "what comes after failed" in text
    assert "`no_rejected_records` of `invoicing/invoices`: 2 records" in text


def test_runs_of_others_are_not_posted(chat: Chat) -> None:
    @dg.asset
    def other() -> None:
        raise dg.Failure("no matter of ours")

    job = dg.Definitions(assets=[other]).resolve_implicit_global_asset_job_def()
    job.execute_in_process(instance=chat.project.instance, asset_selection=[other.key], raise_on_error=False)
    assert chat.tick("failed_runs_alert") == []
    assert "is none of `invoicing`" in chat.reason


def test_a_materialization_from_the_page_of_the_asset_is_posted(chat: Chat, server: Vendor) -> None:
    server.faults.append(faults.status(401))
    key = dg.AssetKey(["invoicing", "invoices"])
    job = chat.project.definitions().resolve_implicit_global_asset_job_def()
    job.execute_in_process(instance=chat.project.instance, asset_selection=[key], raise_on_error=False)
    [text] = chat.tick("failed_runs_alert")
    assert text.startswith("A run of `invoicing` failed.\n")


def test_checks_that_are_executed_alone_and_begin_to_fail_are_posted(chat: Chat) -> None:
    chat.project.run()
    chat.tick("failed_checks_alert")
    write_by_hand(chat.project.warehouse, "UPDATE invoicing.invoices SET amount_paid = total + 1 WHERE total > 0")
    check = dg.AssetCheckKey(dg.AssetKey(["invoicing", "invoices"]), "paid_within_total")
    of_page = chat.project.definitions().resolve_implicit_global_asset_job_def()
    of_page.get_subset(asset_check_selection={check}).execute_in_process(instance=chat.project.instance)
    [text] = chat.tick("failed_checks_alert")
    assert "WARN `paid_within_total` of `invoicing/invoices`" in text


def test_runs_of_other_jobs_do_not_make_the_sensors_late(chat: Chat, server: Vendor) -> None:
    @dg.job
    def other() -> None: ...

    for _ in range(3):
        other.execute_in_process(instance=chat.project.instance)
    chat.project.run()
    chat.tick("failed_checks_alert")
    assert "has nothing new to tell" in chat.reason


def test_without_a_webhook_a_tick_is_skipped_with_a_reason(
    chat: Chat, refused: dg.ExecuteInProcessResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("INVOICES_ALERT_WEBHOOK")
    assert chat.tick("failed_runs_alert") == []
    assert chat.reason == "INVOICES_ALERT_WEBHOOK is not set."


@pytest.mark.parametrize("is_set", [True, False])
def test_the_sensors_run_from_the_start_only_where_the_webhook_is_set(
    is_set: bool, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_set:
        monkeypatch.setenv("INVOICES_ALERT_WEBHOOK", "https://chat.example/hook")
    definitions = project.definitions()
    states = {definitions.resolve_sensor_def(f"failed_{what}_alert").default_status for what in ("runs", "checks")}
    assert states == {dg.DefaultSensorStatus.RUNNING if is_set else dg.DefaultSensorStatus.STOPPED}


def test_a_webhook_that_is_busy_is_asked_again(chat: Chat, refused: dg.ExecuteInProcessResult) -> None:
    chat.server.route(PATH, Reply(503, headers={"Retry-After": "2"}), OK)
    first, second = chat.tick("failed_runs_alert")
    assert first == second
    assert chat.warnings == []


@pytest.mark.parametrize(
    ("reply", "posts", "said"),
    [
        (Reply(403, b"invalid_token"), 1, "it answers 403"),
        (Reply(404), 1, "it answers 404"),
        (Reply(503), 3, "it answers 503"),
        (Reply(429, headers={"Retry-After": "3600"}), 1, "it answers 429"),
        (Reply(302, headers={"Location": "http://elsewhere.invalid/hook"}), 1, "it answers 302"),
        (Reply(hang_up=True), 3, "it cannot be reached"),
        (
            Reply(200, b"<html>Sign in</html>", {"content-type": "text/html; charset=utf-8"}),
            1,
            "its address or its answer is not usable",
        ),
    ],
    ids=["403", "404", "503", "429 for an hour", "elsewhere", "hangs up", "a login page"],
)
def test_a_webhook_that_refuses_is_one_warning_and_changes_nothing_of_the_run(
    chat: Chat, refused: dg.ExecuteInProcessResult, reply: Reply, posts: int, said: str
) -> None:
    def events() -> list[str]:
        return [dg.serialize_value(entry) for entry in chat.project.instance.all_logs(refused.run_id)]

    before = events()
    chat.server.route(PATH, reply)
    assert len(chat.tick("failed_runs_alert")) == posts
    assert len(chat.warnings) == 1
    assert chat.warnings[0].endswith(f"was not posted to INVOICES_ALERT_WEBHOOK: {said}.")
    assert events() == before
    assert chat.tick("failed_runs_alert") == []


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:9/hook", "http://[bad/hook", "hooks"], ids=["down", "bad", "none"]
)
def test_an_address_at_which_nobody_takes_it_is_one_warning(
    chat: Chat, refused: dg.ExecuteInProcessResult, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("INVOICES_ALERT_WEBHOOK", address)
    assert chat.tick("failed_runs_alert") == []
    assert len(chat.warnings) == 1


@pytest.mark.parametrize("reply", [OK, Reply(403), Reply(503), Reply(hang_up=True)], ids=["ok", "403", "503", "none"])
def test_no_text_has_the_address_of_the_webhook_or_the_key(
    chat: Chat, refused: dg.ExecuteInProcessResult, reply: Reply, capfd: pytest.CaptureFixture[str]
) -> None:
    chat.server.route(PATH, reply)
    texts = chat.tick("failed_runs_alert")
    log = [dg.serialize_value(entry) for entry in chat.project.instance.all_logs(refused.run_id)]
    said = "\n".join([*texts, *log, chat.reason, chat.caplog.text, *capfd.readouterr()])
    assert "urllib3" in said  # it is heard, and would tell the path
    assert [word for word in ("T0PL4C3", "tok3n-0f", SANDBOX_KEY) if word in said] == []


@pytest.mark.parametrize(
    ("said", "posted"),
    [
        ("<!channel> & all", "&lt;!channel&gt; &amp; all"),
        (f"with {SANDBOX_KEY} in it", "with *** in it"),
        ("long " * 1000, f"{'long ' * 500}…"),
    ],
    ids=["markup", "the key", "a long text"],
)
def test_a_text_is_made_fit_for_a_chat(api: FakeApi, said: str, posted: str) -> None:
    api.route(PATH, OK)
    alerts.post(api.url + PATH, said, "Run 1", SANDBOX_KEY)
    body: dict[str, Any] = json.loads(api.asked[0].body)
    assert body == {"text": f"{posted}\nRun 1"}
