"""What Dagster shows of a failed step: the sentence, then what to do, and no frames but its own."""

from __future__ import annotations

import logging

import dagster as dg
import pytest

from invoices_assets.errors import ApiStatusError, ApiUnreachable, KeyRefused, RefreshError, UnreadableBody
from invoices_assets_tests.support.project import Project
from invoices_assets_tests.vendor import SANDBOX_KEY, Vendor, faults

pytestmark = pytest.mark.usefixtures("waits")


def shown(result: dg.ExecuteInProcessResult) -> tuple[list[str], list[str]]:
    """The lines and the stack that the page of a failed run shows of its first failed step."""
    assert not result.success
    [error] = [event.step_failure_data.error for event in result.all_events if event.is_step_failure]
    assert error is not None
    assert (error.cause, error.context) == (None, None)
    return error.message.splitlines(), list(error.stack)


def debugged(project: Project, result: dg.ExecuteInProcessResult) -> str:
    logs = project.instance.all_logs(result.run_id)
    return "\n".join(entry.user_message for entry in logs if entry.level == logging.DEBUG)


def test_the_sentence_comes_first_and_then_what_to_do(project: Project, server: Vendor) -> None:
    server.faults.append(faults.status(401))
    result = project.run()
    lines, _ = shown(result)
    assert lines == [f"Failure: {project.failure(result)}", KeyRefused.what_to_do]
    assert project.failure(result).startswith("the API refused the key (401)")


@pytest.mark.parametrize("job", ["refresh_invoices", "maintain_warehouse"])
def test_no_frames_but_those_of_dagster_are_shown(job: str, project: Project) -> None:
    project.warehouse.parent.mkdir()
    project.warehouse.write_bytes(b"no database at all" * 1000)
    _, stack = shown(project.run(job))
    assert [frame for frame in stack if "/dagster/_" not in frame] == []


def test_the_traceback_is_in_the_log_of_the_run_for_who_asks_for_level_debug(project: Project, server: Vendor) -> None:
    server.faults.append(faults.status(401))
    said = debugged(project, project.run())
    assert "Traceback (most recent call last):" in said
    assert "/invoices_assets/extract/" in said


def test_the_traceback_of_an_error_that_held_the_key_is_in_the_log_without_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def clumsy(*_: object, **__: object) -> None:
        raise ValueError(f"a bug, with {SANDBOX_KEY} in hand")

    monkeypatch.setattr("invoices_assets.refresh.source.sweep_resource", clumsy)
    said = debugged(project, project.run())
    assert "ValueError: a bug, with *** in hand" in said
    assert ", in clumsy" in said
    assert SANDBOX_KEY not in said


def test_what_to_do_about_a_status_depends_on_whether_it_may_go_away() -> None:
    assert ApiStatusError(503, "x").what_to_do != ApiStatusError(400, "x").what_to_do
    assert "later" in ApiStatusError(503, "x").what_to_do


@pytest.mark.parametrize("error", [ApiUnreachable, UnreadableBody], ids=lambda error: error.__name__)
def test_what_may_go_away_by_itself_is_to_be_run_again(error: type[RefreshError]) -> None:
    assert "Run it again later" in error.what_to_do
