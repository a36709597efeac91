"""What former loads of an asset, and former evaluations of its checks, have told Dagster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from time import time
from typing import Any

import dagster as dg

DAY = 86_400.0
"""Seconds."""

now: Callable[[], float] = time
"""Seconds since the epoch."""

Told = Mapping[str, Any]
"""The metadata of a load: name -> value."""


@dataclass(frozen=True)
class LoadHistory:
    """The loads of one asset. Few are read, for each takes milliseconds.

    Parameters:
        instance: of Dagster.
        key: of the asset.
    """

    instance: dg.DagsterInstance
    key: dg.AssetKey

    @cached_property
    def last(self) -> Told | None:
        """The last load; None where there was none."""
        return next(iter(self._loads(1)), None)

    @cached_property
    def before_last(self) -> Told | None:
        """The one before it."""
        return next(iter(self._loads(2)[1:]), None)

    def rows_at_midnight(self, days_ago: int) -> int | None:
        """How many rows the table had at the end of a day before today, in UTC; None where no load was before that."""
        midnight = now() // DAY * DAY - DAY * (days_ago - 1)
        loads = self._loads(1, dg.AssetRecordsFilter(self.key, before_timestamp=midnight))
        return loads[0].get("table_rows") if loads else None

    def last_verdict(self, check: str) -> dg.AssetCheckEvaluation | None:
        """The last evaluation of a check, before that of the run under way; None where there is none."""
        # the instance's own accessor gives what the run under way has planned
        records = self.instance.event_log_storage.get_asset_check_execution_history(
            dg.AssetCheckKey(self.key, check), limit=_VERDICTS
        )
        events = [record.event.dagster_event for record in records if record.event and record.event.dagster_event]
        data = (event.event_specific_data for event in events)
        return next((each for each in data if isinstance(each, dg.AssetCheckEvaluation)), None)

    def _loads(self, limit: int, chosen: dg.AssetRecordsFilter | None = None) -> list[Told]:
        records = self.instance.fetch_materializations(chosen or self.key, limit=limit).records
        events = [record.asset_materialization for record in records if record.asset_materialization is not None]
        return [{name: each.value for name, each in event.metadata.items()} for event in events]


_VERDICTS = 10
"""Executions of a check that are looked at; those of failed runs have no verdict."""
