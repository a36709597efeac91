"""The assets over all APIs of a code location: `all_invoices`, and `receivables` on it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from invoices_assets.assets.receivables import receivables_lineage, receivables_spec
from invoices_assets.assets.warehouse_step import in_warehouse
from invoices_assets.errors import WarehouseUnusable
from invoices_assets.failure import WithoutFrames
from invoices_assets.load.reports.receivables import RECEIVABLES
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.union import ALL_INVOICES, Member, United, unite
from invoices_assets.metadata.load_metadata import remarks_metadata, table_metadata
from invoices_assets.names import INVOICING, Names
from invoices_assets.resources import Warehouse
from invoices_assets.source.naming import normalized

KEYS = [dg.AssetKey(ALL_INVOICES), dg.AssetKey(RECEIVABLES)]
_SOURCE = "source"


@dataclass(frozen=True)
class UnitedApi:
    """One API that takes part.

    Parameters:
        resource: its main one, in the source file's own spelling.
    """

    names: Names
    resource: str

    @property
    def key(self) -> dg.AssetKey:
        """The asset of its main resource."""
        return dg.AssetKey([self.names.dataset, self.resource])

    @property
    def member(self) -> Member:
        """Its main table."""
        return Member(self.names.dataset, normalized(self.resource))


def build_all_invoices(apis: Sequence[UnitedApi]) -> dg.AssetsDefinition:
    """Both assets; they follow each load of one of the APIs.

    Parameters:
        apis: all of the location, at least one; they have to load into one warehouse.
    """

    @dg.multi_asset(
        name=ALL_INVOICES,
        group_name=ALL_INVOICES,
        specs=[
            dg.AssetSpec(
                KEYS[0],
                deps=[api.key for api in apis],
                description="The invoices of all APIs, by the columns that they share, without deleted ones.",
                automation_condition=dg.AutomationCondition.eager(),
                kinds={"sql"},
            ),
            receivables_spec(KEYS[1], KEYS[0]),
        ],
        pool=Names(INVOICING).pool,
        required_resource_keys={api.names.warehouse for api in apis},
    )
    def all_invoices(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
        warehouses: dict[str, Warehouse] = {
            api.names.dataset: getattr(context.resources, api.names.warehouse) for api in apis
        }
        first = next(iter(warehouses.values()))
        schema = "public" if first.settings(INVOICING).destination == "postgres" else "main"
        with WithoutFrames(), in_warehouse(context, first, schema) as (settings, working_dir):
            _refuse_several({dataset: warehouse.settings(dataset) for dataset, warehouse in warehouses.items()})
            done = unite(settings, [api.member for api in apis], working_dir, context.log.info)
        same = {name: name for name in (_SOURCE, "customer", "currency", "amount_due")}
        lineages = {ALL_INVOICES: _lineage(done, apis), RECEIVABLES: receivables_lineage(KEYS[0], same)}
        for key, (table, rows) in zip(KEYS, done.rows.items(), strict=True):
            yield dg.MaterializeResult(
                asset_key=key,
                metadata={
                    **table_metadata(settings.relation(table), done.columns[table], rows),
                    "dagster/column_lineage": lineages[table],
                    **remarks_metadata(done.remarks),
                },
            )

    return all_invoices


def _refuse_several(settings: Mapping[str, WarehouseSettings]) -> None:
    """Raises unless all APIs load into one warehouse.

    Raises:
        WarehouseUnusable: they do not.
    """
    places = {name: str(each.path) if each.is_duckdb else each.destination for name, each in settings.items()}
    if len(set(places.values())) > 1:
        told = ", ".join(f"`{name}` into {place}" for name, place in places.items())
        raise WarehouseUnusable(f"`{ALL_INVOICES}` needs all APIs in one warehouse, and they load {told}")


def _lineage(done: United, apis: Sequence[UnitedApi]) -> dg.TableColumnLineage:
    keys = {api.names.dataset: api.key for api in apis}
    return dg.TableColumnLineage(
        {
            column: [dg.TableColumnDep(keys[dataset], place) for dataset, place in origins.items()]
            for column, origins in done.origins.items()
        }
    )
