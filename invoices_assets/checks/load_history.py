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

LoadMetadata = Mapping[str, Any]
"""The metadata of a load: name -> value."""


_EXECUTIONS = 25
"""Executions of a check that are looked at; those of failed runs have no verdict."""


def evaluation_before(
    instance: dg.DagsterInstance, key: dg.AssetCheckKey, run_id: str
) -> dg.AssetCheckEvaluation | None:
    """The last evaluation of a check in an earlier run; None where there is none.

    Parameters:
        run_id: of the run before which; where it has no part in the check, the last evaluation of all counts.
    """
    # the instance's own accessor gives what a run under way has planned
    records = instance.event_log_storage.get_asset_check_execution_history(key, limit=_EXECUTIONS)
    own = [number for number, record in enumerate(records) if record.run_id == run_id]
    for record in records[own[-1] + 1 if own else 0 :]:
        event = record.event.dagster_event if record.event is not None else None
        if event is not None and isinstance(event.event_specific_data, dg.AssetCheckEvaluation):
            return event.event_specific_data
    return None


@dataclass(frozen=True)
class LoadHistory:
    """The loads of one asset. Few are read, for each takes milliseconds.

    Parameters:
        instance: of Dagster.
        key: of the asset.
        run_id: of the run under way.
    """

    instance: dg.DagsterInstance
    key: dg.AssetKey
    run_id: str

    @property
    def last(self) -> LoadMetadata | None:
        """The last load; None where there was none."""
        return next(iter(self._last_two), None)

    @property
    def before_last(self) -> LoadMetadata | None:
        """The one before it."""
        return next(iter(self._last_two[1:]), None)

    def rows_at_midnight(self, days_ago: int) -> int | None:
        """How many rows the table had at the end of a day before today, in UTC; None where no load was before that."""
        midnight = now() // DAY * DAY - DAY * (days_ago - 1)
        loads = self._loads(1, dg.AssetRecordsFilter(self.key, before_timestamp=midnight))
        return loads[0].get("table_rows") if loads else None

    def last_verdict(self, check: str) -> dg.AssetCheckEvaluation | None:
        """The last evaluation of a check, before that of the run under way; None where there is none."""
        return evaluation_before(self.instance, dg.AssetCheckKey(self.key, check), self.run_id)

    @cached_property
    def _last_two(self) -> list[LoadMetadata]:
        return self._loads(2)

    def _loads(self, limit: int, chosen: dg.AssetRecordsFilter | None = None) -> list[LoadMetadata]:
        records = self.instance.fetch_materializations(chosen or self.key, limit=limit).records
        events = [record.asset_materialization for record in records if record.asset_materialization is not None]
        return [{name: each.value for name, each in event.metadata.items()} for event in events]
