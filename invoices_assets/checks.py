"""Asset checks: what a green run cannot say by itself."""

import dagster as dg

from invoices_assets.extract.source import Source
from invoices_assets.load.rejections import open_rejections
from invoices_assets.resources import Warehouse


def build_checks(source: Source, dataset: str) -> list[dg.AssetChecksDefinition]:
    """The checks of each resource of a source file."""
    return [
        check
        for name in source.resource_names
        for check in (_no_rejected_records(name, dataset), _nothing_missed(name, dataset))
    ]


def _no_rejected_records(name: str, dataset: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=dg.AssetKey([dataset, name]),
        name="no_rejected_records",
        description=f"Every record that the API sent is in the table; the others are in `{name}_rejected`.",
    )
    def no_rejected_records(warehouse: Warehouse) -> dg.AssetCheckResult:
        rejected = open_rejections(warehouse.settings(dataset), name)
        return dg.AssetCheckResult(
            passed=not rejected.count,
            metadata={"rejected_records": rejected.count, "reasons": rejected.reasons},
            description=f"{rejected.count} records cannot be stored as declared: {dataset}.{name}_rejected."
            if rejected.count
            else "No record is waiting there.",
        )

    return no_rejected_records


def _nothing_missed(name: str, dataset: str) -> dg.AssetChecksDefinition:
    key = dg.AssetKey([dataset, name])

    @dg.asset_check(
        asset=key,
        name="nothing_missed_by_incremental",
        description="The last complete sweep found nothing that the refreshes before it should have found.",
    )
    def nothing_missed_by_incremental(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        event = context.instance.get_latest_materialization_event(key)
        materialization = event.asset_materialization if event is not None else None
        metadata = materialization.metadata if materialization is not None else {}
        missed = (
            int(str(metadata["missed_by_incremental"].value)) if "missed_by_incremental" in metadata else 0
        )
        return dg.AssetCheckResult(
            passed=missed == 0,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"missed_by_incremental": missed},
        )

    return nothing_missed_by_incremental
