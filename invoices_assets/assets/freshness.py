"""How old an asset may be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import dagster as dg

_START = datetime(2024, 1, 1, tzinfo=UTC)
_WEEKS, _YEAR = timedelta(days=22), timedelta(days=400)
"""How far ticks are looked at: three weeks show each gap of a schedule by hour and weekday; one by date needs more."""


def freshness_policy(schedule: str, within: timedelta) -> dg.FreshnessPolicy:
    """An asset is stale where a tick of its schedule has brought no load in time.

    Dagster's policy by cron cannot say it where the time is longer than the gap between two ticks, so this is one by a
    window: the longest gap, and the time.

    Parameters:
        schedule: when it is refreshed, as cron writes it.
        within: how long after a tick a load has to be there.
    """
    return dg.FreshnessPolicy.time_window(fail_window=_longest_gap(schedule) + within)


def is_schedule(text: str) -> bool:
    """Whether Dagster can follow a text as cron writes it."""
    try:
        _ticks(text, _START)
    except dg.DagsterInvalidDefinitionError:
        return False
    return True


def _longest_gap(schedule: str) -> timedelta:
    is_weekly = schedule.split()[2:4] == ["*", "*"]
    ticks = _ticks(schedule, _START + (_WEEKS if is_weekly else _YEAR))
    return max((later - earlier for earlier, later in pairwise(ticks)), default=_YEAR)


def _ticks(schedule: str, end: datetime) -> list[datetime]:
    # Dagster's only public reader of cron
    form = "%Y-%m-%d %H:%M"
    ticks = dg.TimeWindowPartitionsDefinition(start=_START, fmt=form, cron_schedule=schedule)
    return [datetime.strptime(tick, form) for tick in ticks.get_partition_keys(current_time=end)]
