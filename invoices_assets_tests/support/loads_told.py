"""Loads and verdicts that Dagster's event log tells of, at the moments that a test says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster._core.events import DagsterEvent, DagsterEventType, StepMaterializationData

KEY = dg.AssetKey(["invoicing", "invoices"])


def tell_load(instance: dg.DagsterInstance, at: float, **metadata: Any) -> None:
    """Stores the materialization of a load.

    Parameters:
        at: seconds since the epoch.
    """
    data: Any = StepMaterializationData(dg.AssetMaterialization(KEY, metadata=metadata))
    event = DagsterEvent(DagsterEventType.ASSET_MATERIALIZATION.value, "job", event_specific_data=data)
    entry = dg.EventLogEntry(None, "info", "", "run", float(at), dagster_event=event)
    instance.event_log_storage.store_event(entry)


def tell_verdict(instance: dg.DagsterInstance, check: str, passed: bool, said: str) -> None:
    """Stores the evaluation of a check."""
    instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(KEY, check, passed, metadata={}, description=said, severity=dg.AssetCheckSeverity.WARN)
    )


def columns(**kinds: str) -> Mapping[str, Any]:
    """What a load tells of its columns: name -> type."""
    return {"dagster/column_schema": dg.TableSchema([dg.TableColumn(name, kind) for name, kind in kinds.items()])}
