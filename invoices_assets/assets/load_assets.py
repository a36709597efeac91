"""The assets: each resource of the source file, through Dagster's dlt integration."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
from dagster_dlt.translator import DltResourceTranslatorData

from invoices_assets.assets.load_step import LoadStep
from invoices_assets.assets.run_config import RefreshConfig
from invoices_assets.assets.specs import AssetTraits, ResourceTranslator, side_specs
from invoices_assets.checks.evaluation import check_specs
from invoices_assets.failure import WithoutFrames
from invoices_assets.names import Names
from invoices_assets.source.file import Source


def build_assets(source: Source, names: Names, traits: AssetTraits) -> list[dg.AssetsDefinition]:
    """The assets of a source file; those of resources with a date window have monthly partitions.

    Parameters:
        source: what to fetch.
        names: of the parts of its API.
    """
    windows = {name: spec.window for name, spec in source.resources.items() if spec.window is not None}
    months = _months([window.first_month for window in windows.values()]) if windows else None
    by_month = [name for name in source.resource_names if name in windows]
    others = [name for name in source.resource_names if name not in windows]
    main, more = names.main_step, names.other_step
    if source.main_resource in windows:
        groups = [(main, by_month, months), (more, others, None)]
    else:
        groups = [(main, others, None), (more, by_month, months)]
    return [_assets_of(source, names, traits, *group) for group in groups if group[1]]


def _months(first_months: list[str]) -> dg.MonthlyPartitionsDefinition:
    # one for all, because a job cannot have several; with the present month, which a history ends in
    return dg.MonthlyPartitionsDefinition(start_date=min(first_months), end_offset=1)


def _assets_of(
    source: Source,
    names: Names,
    traits: AssetTraits,
    step: str,
    members: list[str],
    months: dg.PartitionsDefinition | None,
) -> dg.AssetsDefinition:
    dataset = names.dataset
    translator = ResourceTranslator(names, source, traits)
    resources = source.dlt_source(dataset).with_resources(*members).selected_resources.values()
    specs = [
        # not by `build_dlt_asset_specs`, which adds objects that Dagster would list as unserializable
        *(translator.get_asset_spec(DltResourceTranslatorData(resource=each, pipeline=None)) for each in resources),
        *(each for name in members for each in side_specs(names, source.resources[name], traits)),
    ]

    # not by `@dlt_assets`, whose resources are named by the parameters of the function
    @dg.multi_asset(
        name=step,
        group_name=dataset,
        specs=specs,
        check_specs=[each for name in members for each in check_specs(source, names, name)],
        can_subset=True,
        partitions_def=months,
        backfill_policy=dg.BackfillPolicy.multi_run(1) if months is not None else None,
        pool=names.pool,
        required_resource_keys={names.api, names.warehouse, names.dlt},
    )
    def load(
        context: dg.AssetExecutionContext, config: RefreshConfig
    ) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
        with WithoutFrames():
            yield from LoadStep(context, config, source, names, members, translator).results()

    return load
