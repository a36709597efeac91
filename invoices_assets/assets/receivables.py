"""The asset `receivables` of one API: what is open, by customer and currency, and by age."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from invoices_assets.assets.specs import AssetTraits, common_traits
from invoices_assets.assets.warehouse_step import in_warehouse
from invoices_assets.failure import WithoutFrames
from invoices_assets.load.reports.amounts import AGES, CURRENCY, DUE, DUE_DATE, RECEIVABLE
from invoices_assets.load.reports.receivables import RECEIVABLES, make_receivables
from invoices_assets.metadata.load_metadata import table_metadata
from invoices_assets.names import Names
from invoices_assets.resources import Warehouse
from invoices_assets.source.file import Source
from invoices_assets.source.naming import normalized


def receivables_key(names: Names) -> dg.AssetKey:
    """The key of the asset of an API."""
    return dg.AssetKey([names.dataset, RECEIVABLES])


def has_receivables(source: Source) -> bool:
    """Whether the main resource declares what it takes, as what can be added up, and none has its name."""
    columns = source.resources[source.main_resource].columns
    return RECEIVABLES not in source.resource_names and all(
        name in columns and columns[name].kind in kinds for name, kinds in RECEIVABLE.items()
    )


def build_receivables(source: Source, names: Names, traits: AssetTraits) -> dg.AssetsDefinition:
    """The asset; the jobs make it anew after each load, and its condition does so after a load by hand."""
    key, invoices = receivables_key(names), dg.AssetKey([names.dataset, source.main_resource])

    @dg.multi_asset(
        name=names.receivables_step,
        group_name=names.dataset,
        specs=[receivables_spec(key, invoices, freshness_policy=traits.freshness, **common_traits(names, traits))],
        pool=names.pool,
        required_resource_keys={names.warehouse},
    )
    def receivables(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        warehouse: Warehouse = getattr(context.resources, names.warehouse)
        root = normalized(source.main_resource)
        with WithoutFrames(), in_warehouse(context, warehouse, names.dataset) as (settings, working_dir):
            made, customer = make_receivables(settings, root, working_dir, context.log.info)
        same = {CURRENCY: CURRENCY, DUE: DUE, **({"customer": customer} if customer else {})}
        return dg.MaterializeResult(
            metadata={
                **table_metadata(settings.relation(RECEIVABLES), made.columns, made.rows),
                "dagster/column_lineage": receivables_lineage(invoices, same),
            }
        )

    return receivables


def receivables_spec(key: dg.AssetKey, upstream: dg.AssetKey, **more: Any) -> dg.AssetSpec:
    """The asset, of one API or of all.

    Parameters:
        upstream: the asset with the invoices.
        more: of the spec.
    """
    return dg.AssetSpec(
        key,
        deps=[upstream],
        description="What is open (`amount_due`), by customer and currency, and by the days since it was due.",
        automation_condition=dg.AutomationCondition.eager(),
        kinds={"sql"},
        **more,
    )


def receivables_lineage(upstream: dg.AssetKey, same: Mapping[str, str]) -> dg.TableColumnLineage:
    """Where each column of `receivables` comes from.

    Parameters:
        upstream: the asset with the invoices.
        same: columns that are taken over, or summed up -> the column of the invoices.
    """
    aged = [dg.TableColumnDep(upstream, name) for name in (DUE, DUE_DATE)]
    taken = {name: [dg.TableColumnDep(upstream, place)] for name, place in same.items()}
    return dg.TableColumnLineage({**taken, **dict.fromkeys(AGES, aged)})
