"""Asset checks: what a green run cannot say by itself."""

from typing import Any

import dagster as dg

from invoices_assets.errors import WarehouseBusy
from invoices_assets.load.inspect import open_rejections
from invoices_assets.names import Names
from invoices_assets.resources import Warehouse
from invoices_assets.source.file import Source
from invoices_assets.source.naming import normalized

NOTHING_MISSED = "nothing_missed_by_incremental"
COMPLETE = "complete"
SOURCE_FITS = "source_fits"
LOOK_BACK = 100
"""How many loads a check looks back for a sweep of everything."""


def build_checks(source: Source, names: Names) -> list[dg.AssetChecksDefinition]:
    """The checks of each resource of a source file."""
    return [
        check
        for name in source.resource_names
        for check in (
            _no_rejected_records(name, names),
            _nothing_missed(dg.AssetKey([names.dataset, name])),
            _complete(dg.AssetKey([names.dataset, name])),
            _source_fits(dg.AssetKey([names.dataset, name])),
        )
    ]


def _no_rejected_records(name: str, names: Names) -> dg.AssetChecksDefinition:
    dataset, table = names.dataset, normalized(name)

    @dg.asset_check(
        asset=dg.AssetKey([dataset, name]),
        name="no_rejected_records",
        description=f"Every record that the API sent is in the table; the others are in `{table}_rejected`.",
        required_resource_keys={names.warehouse},
    )
    def no_rejected_records(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        warehouse: Warehouse = getattr(context.resources, names.warehouse)
        try:
            rejected = open_rejections(warehouse.settings(dataset), table, context.log.warning)
        except WarehouseBusy as error:
            # the next run may be loading already, in another process
            return dg.AssetCheckResult(passed=False, description=f"This could not be looked at: {error}.")
        return dg.AssetCheckResult(
            passed=not rejected.count,
            metadata={"rejected_records": rejected.count, "reasons": rejected.reasons},
            description=f"{rejected.count} records cannot be stored as declared: {dataset}.{table}_rejected."
            if rejected.count
            else "No record is waiting there.",
        )

    return no_rejected_records


def _nothing_missed(key: dg.AssetKey) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=key,
        name=NOTHING_MISSED,
        description="The last complete sweep found nothing that the refreshes before it should have found.",
    )
    def nothing_missed_by_incremental(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        missed = int(_told(context.instance, key, "missed_by_incremental") or 0)
        return dg.AssetCheckResult(
            passed=missed == 0,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"missed_by_incremental": missed},
        )

    return nothing_missed_by_incremental


def _complete(key: dg.AssetKey) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=key,
        name=COMPLETE,
        description="Something that the API said proves that the last load has all that was asked for.",
    )
    def complete(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        loads = context.instance.fetch_materializations(key, limit=1).records
        told = loads[0].asset_materialization if loads else None
        end, proven = (told.metadata.get(name) if told else None for name in ("end", "end_proven"))
        return dg.AssetCheckResult(
            passed=proven is None or bool(proven.value),
            severity=dg.AssetCheckSeverity.WARN,
            description=str(end.value) if end is not None else "Nothing was loaded yet.",
        )

    return complete


def _source_fits(key: dg.AssetKey) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=key,
        name=SOURCE_FITS,
        description="The last sweep of everything has met all that the source file names: fields, stamps, pages.",
    )
    def source_fits(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        misfits: Any = _told(context.instance, key, "misfits") or []
        return dg.AssetCheckResult(
            passed=not misfits,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"misfits": misfits},
            description="; ".join(misfits) or None,
        )

    return source_fits


def _told(instance: dg.DagsterInstance, key: dg.AssetKey, what: str) -> Any:
    """What the last sweep of everything among the last loads has told; those of a part tell nothing of it."""
    for record in instance.fetch_materializations(key, limit=LOOK_BACK).records:
        materialization = record.asset_materialization
        told = materialization.metadata.get(what) if materialization else None
        if told is not None:
            return told.value
    return None
