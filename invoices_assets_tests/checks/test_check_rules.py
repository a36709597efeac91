"""What each check says of what was found in the tables, and of what the loads have told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from invoices_assets.checks import load_history
from invoices_assets.checks.load_history import DAY, LoadHistory
from invoices_assets.checks.rules import ERROR, RULES, WARN, Rule, Seen, Verdict
from invoices_assets.load.reports.audit import Audit, Count
from invoices_assets_tests.support.column_helpers import DECIMAL, declared
from invoices_assets_tests.support.loads_told import KEY, columns, tell_load, tell_verdict

SPEC = declared({"total": {**DECIMAL, "x-sum-of": "line_items.amount"}})
NOON = 20_000 * DAY + DAY / 2
WRONG = Count(1_200, "inv_7")
Found = dict[str, Any]


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_history, "now", lambda: NOON)


def rule(name: str) -> Rule:
    [found] = [each for each in RULES if each.name == name]
    return found


def judged(name: str, instance: dg.DagsterInstance, **found: Any) -> Verdict:
    return rule(name).judge(Seen(SPEC, "invoicing.invoices", Audit(**found), LoadHistory(instance, KEY, "under way")))


def test_only_what_nobody_may_build_on_keeps_back_what_is_made_of_the_rows() -> None:
    assert {each.name for each in RULES if each.is_blocking} == {"unique_key", "children_have_parents"}
    errors = {"unique_key", "children_have_parents", "no_rejected_records", "lines_add_up"}
    assert {each.name: each.severity for each in RULES} == {
        each.name: ERROR if each.name in errors else WARN for each in RULES
    }


# Of the tables


def test_of_many_reasons_of_rejected_records_the_most_frequent_are_told(instance: dg.DagsterInstance) -> None:
    reasons = {f"reason {number}": 100 - number for number in range(30)}
    verdict = judged("no_rejected_records", instance, rejected=reasons)
    told = [row.data for row in verdict.metadata["reasons"].records]
    assert told[0] == {"reason": "reason 0", "records": 100}
    assert (len(told), sum(row["records"] for row in told)) == (21, sum(reasons.values()))


@pytest.mark.parametrize(
    ("name", "fine", "wrong", "said"),
    [
        ("unique_key", {}, {"repeated": WRONG}, "1,200 keys have more than one row, for example inv_7."),
        (
            "children_have_parents",
            {},
            {"orphans": WRONG},
            "1,200 rows of child tables have no parent, for example inv_7.",
        ),
        (
            "paid_within_total",
            {"overpaid": Count(0)},
            {"overpaid": WRONG},
            "1,200 rows have more paid than their total, for example inv_7.",
        ),
        (
            "due_after_issued",
            {"due_too_early": Count(0)},
            {"due_too_early": WRONG},
            "1,200 rows are due before they were issued, for example inv_7.",
        ),
        (
            "lines_add_up",
            {"sums": {"total": Count(0)}},
            {"sums": {"total": WRONG}},
            "1,200 rows whose `line_items.amount` add up to something else than `total`, for example inv_7.",
        ),
    ],
)
def test_rows_that_are_wrong_fail_the_check_with_their_number_and_one_of_them(
    instance: dg.DagsterInstance, name: str, fine: Found, wrong: Found, said: str
) -> None:
    assert judged(name, instance, **fine).passed
    verdict = judged(name, instance, **wrong)
    assert (verdict.passed, verdict.said, verdict.metadata["rows"]) == (False, said, 1_200)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("paid_within_total", "Not applicable: declare `amount_paid` and `total` in `columns`."),
        ("due_after_issued", "Not applicable: declare `issue_date` and `due_date` in `columns`."),
        ("lines_add_up", "Not applicable: there are no rows of `line_items` with `amount`."),
    ],
)
def test_what_is_not_there_passes_and_is_named(instance: dg.DagsterInstance, name: str, said: str) -> None:
    assert judged(name, instance) == Verdict(True, said)


def test_parts_that_are_too_large_to_be_added_up_fail_the_check(instance: dg.DagsterInstance) -> None:
    verdict = judged("lines_add_up", instance, sums={"total": None})
    assert (verdict.passed, verdict.said) == (False, "`line_items.amount` is too large to be added up.")


def test_rejected_records_are_told_with_their_reasons(instance: dg.DagsterInstance) -> None:
    verdict = judged("no_rejected_records", instance, rejected={"one reason": 2, "another": 1})
    assert (verdict.passed, verdict.metadata["rejected_records"]) == (False, 3)
    assert verdict.said == "3 records cannot be stored as declared: invoicing.invoices_rejected."
    rows = [dict(row.data) for row in verdict.metadata["reasons"].value.records]
    assert rows == [{"reason": "one reason", "records": 2}, {"reason": "another", "records": 1}]


# Of the last loads


def test_columns_that_are_as_before_pass(instance: dg.DagsterInstance) -> None:
    assert judged("schema_unchanged", instance).passed
    for at in (1, 2):
        tell_load(instance, at, **columns(id="VARCHAR"))
        assert judged("schema_unchanged", instance).passed


def test_each_column_that_has_changed_is_named_once(instance: dg.DagsterInstance) -> None:
    tell_load(instance, 1, **columns(id="VARCHAR", old="DATE", total="BIGINT"))
    tell_load(instance, 2, **columns(id="VARCHAR", new="DATE", total="DECIMAL(38,9)"))
    verdict = judged("schema_unchanged", instance)
    said = "`new` is new; `old` is gone; `total` was BIGINT and is DECIMAL(38,9)."
    assert (verdict.passed, verdict.said) == (False, said)
    tell_load(instance, 3, **columns(id="VARCHAR", new="DATE", total="DECIMAL(38,9)"))
    assert judged("schema_unchanged", instance).passed


@pytest.mark.parametrize("name", ["source_fits", "nothing_missed_by_incremental"])
@pytest.mark.parametrize("passed", [True, False])
def test_a_load_of_a_part_leaves_what_the_last_sweep_has_told(
    instance: dg.DagsterInstance, name: str, passed: bool
) -> None:
    tell_load(instance, 1, covers="everything", complete=True, rows_fetched=9, missed_by_incremental=0)
    tell_verdict(instance, name, passed, "What it said.")
    tell_load(instance, 2, covers="changes", complete=True, rows_fetched=3)
    verdict = judged(name, instance)
    assert (verdict.passed, verdict.said) == (passed, "What it said.")


@pytest.mark.parametrize("name", ["source_fits", "nothing_missed_by_incremental"])
def test_before_a_sweep_of_everything_nothing_is_known(instance: dg.DagsterInstance, name: str) -> None:
    tell_load(instance, 1, covers="changes", complete=True, rows_fetched=3)
    assert judged(name, instance) == Verdict(True, "No sweep of everything has told yet.")


@pytest.mark.parametrize(
    ("name", "told", "said"),
    [
        ("source_fits", {"misfits": "- one\n- two"}, "one; two"),
        ("nothing_missed_by_incremental", {"missed_by_incremental": 3}, "3 records were missed by the refreshes"),
        ("complete", {"end_proven": False, "end": "nothing proves it"}, "nothing proves it"),
    ],
)
def test_what_the_last_sweep_has_told_is_the_verdict(
    instance: dg.DagsterInstance, name: str, told: Found, said: str
) -> None:
    tell_load(instance, 1, covers="everything", complete=True, rows_fetched=9, **told)
    verdict = judged(name, instance)
    assert not verdict.passed
    assert verdict.said.startswith(said)


# The usual volume


def days(instance: dg.DagsterInstance, *new: int, today: int | None = None) -> None:
    """Tells loads of days that end yesterday, each at 18:00, and one of today.

    Parameters:
        new: rows of each day; those of the first were there before.
        today: new rows; None for no load.
    """
    rows = 0
    for ago, count in zip(range(len(new), 0, -1), new, strict=True):
        rows += count
        tell_load(instance, NOON - ago * DAY + DAY / 4, table_rows=rows)
    if today is not None:
        tell_load(instance, NOON - 60, table_rows=rows + today)


def volume(instance: dg.DagsterInstance, *new: int, today: int | None = None) -> Verdict:
    days(instance, 1000, *new, today=today)
    return judged("usual_volume", instance)


def test_a_day_as_all_others_is_usual(instance: dg.DagsterInstance) -> None:
    verdict = volume(instance, 20, 30, 25, 20, 30, 25, 20, today=30)
    assert (verdict.passed, verdict.said) == (True, "30 new rows today, 20 yesterday; a day has 20 to 30.")
    assert verdict.metadata == {"rows_new_today": 30, "rows_new_yesterday": 20}


@pytest.mark.parametrize(("today", "passed"), [(90, True), (91, False)])
def test_more_than_three_times_the_most_of_a_day_is_not_usual(
    instance: dg.DagsterInstance, today: int, passed: bool
) -> None:
    assert volume(instance, 20, 30, 25, 20, 30, 25, 20, today=today).passed is passed


@pytest.mark.parametrize(("yesterday", "passed"), [(6, True), (5, False), (0, False)])
def test_fewer_than_a_third_of_the_least_yesterday_is_not_usual(
    instance: dg.DagsterInstance, yesterday: int, passed: bool
) -> None:
    assert volume(instance, 20, 30, 25, 20, 30, 25, yesterday, today=1).passed is passed


def test_few_rows_surprise_nobody(instance: dg.DagsterInstance) -> None:
    assert volume(instance, 0, 0, 0, 0, 0, 0, 0, today=10).passed


def test_a_history_of_less_than_a_week_is_too_short(instance: dg.DagsterInstance) -> None:
    verdict = volume(instance, 20, 20, today=900)
    assert verdict.passed
    assert verdict.said == "The history is too short: it begins 3 days ago, and 7 make a band."


def test_before_the_first_load_there_is_no_volume(instance: dg.DagsterInstance) -> None:
    assert judged("usual_volume", instance).passed


def test_a_materialization_that_somebody_reports_by_hand_tells_nothing_of_rows(instance: dg.DagsterInstance) -> None:
    days(instance, 1000, 20, 20, 20, 20, 20, 20, 0)
    tell_load(instance, NOON)
    verdict = judged("usual_volume", instance)
    assert (verdict.passed, verdict.metadata) == (True, {})
