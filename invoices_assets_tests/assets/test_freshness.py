"""How old an asset may be: as long as its schedule pauses, and the time that a load may take."""

from __future__ import annotations

from datetime import timedelta

import click
import dagster as dg
import pytest

from invoices_assets.assets.freshness import freshness_policy
from invoices_assets.resources import fresh_within
from invoices_assets_tests.support.project import Project


@pytest.mark.parametrize(
    ("schedule", "hours"),
    [
        ("0 * * * *", 1),
        ("*/15 8-18 * * *", 14 - 0.75),
        ("0 6 * * *", 24),
        ("0 6 * * 1-5", 72),
        ("0 3 * * 0", 168),
        ("0 0 1 * *", 31 * 24),
        ("0 0 1,2,3,4,5 * *", 27 * 24),
    ],
)
def test_it_is_the_longest_pause_of_the_schedule_and_the_time(schedule: str, hours: float) -> None:
    policy = freshness_policy(schedule, timedelta(hours=2))
    # Dagster exports the base class of its policies only
    assert policy.fail_window.to_timedelta() == timedelta(hours=hours + 2)  # type: ignore[attr-defined]


@pytest.mark.parametrize("wrong", ["soon", "0", "-1", "nan", "1e999"])
def test_a_wrong_time_is_refused_in_one_sentence(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.setenv("INVOICES_FRESH_WITHIN", wrong)
    with pytest.raises(click.ClickException) as raised:
        fresh_within()
    said = f"INVOICES_FRESH_WITHIN must be a number of hours, such as 3 or 0.5; it is {wrong!r}."
    assert raised.value.message == said


def test_the_time_that_is_set_is_that_of_the_assets(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVOICES_FRESH_WITHIN", "0.5")
    specs = {spec.key.path[-1]: spec for spec in project.definitions().resolve_all_asset_specs()}
    for name in ("invoices", "receivables"):
        policy = specs[name].freshness_policy
        assert isinstance(policy, dg.FreshnessPolicy)
        # as above
        assert policy.fail_window.to_timedelta() == timedelta(hours=1.5)  # type: ignore[attr-defined]
