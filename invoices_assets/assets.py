"""The assets: each resource of the source file, through Dagster's dlt integration."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dlt import DagsterDltTranslator, build_dlt_asset_specs
from dagster_dlt.translator import DltResourceTranslatorData
from dlt.extract.source import DltSource
from dlt.pipeline.pipeline import Pipeline
from pydantic import Field

from invoices_assets.dlt_resource import InvoicesDlt
from invoices_assets.errors import KeyRefused, RefreshError
from invoices_assets.extract.api import Api
from invoices_assets.extract.partition import DateWindow
from invoices_assets.failure import WithoutFrames, failure_of
from invoices_assets.load.destination.deferred import DeferredPipeline
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.metadata import declared_schema
from invoices_assets.names import SANDBOX, Names
from invoices_assets.refresh.plan import Mode, RefreshRequest
from invoices_assets.refresh.refresh import refresh
from invoices_assets.resources import InvoicesApi, Warehouse
from invoices_assets.source.file import Source
from invoices_assets.source.naming import normalized
from invoices_assets.source.resource import ResourceSpec
from invoices_assets.summary import sentence_of

MODE_TAG = "invoices/mode"
"""The tag of a job whose runs have a mode whatever their config says."""


class RefreshConfig(dg.Config):
    """What a run is asked to do; the defaults are those of the hourly refresh."""

    mode: Mode = Field(
        default="incremental",
        description="incremental: what changed. full: everything. reconcile: everything, and rows that the "
        "API no longer has get `deleted_at`. `reconcile_invoices` reconciles whatever stands here.",
    )
    since: str | None = Field(
        default=None,
        description="Ask for what changed since this moment (ISO 8601), not since the stored cursor.",
    )
    limit: int | None = Field(
        default=None, ge=1, description="Stop after about so many records, for a trial; the cursor stays."
    )
    dry_run: bool = Field(default=False, description="Fetch and report, load nothing.")
    max_deleted_share: float = Field(
        default=0.2,
        ge=0,
        le=1,
        description="Fail if more than this share of the rows would be marked as deleted.",
    )

    def request(self, mode: str | None = None, dates: DateWindow | None = None) -> RefreshRequest:
        """The same, for the loader.

        Parameters:
            mode: the one that the job has; None where it has none.
            dates: the partition that is asked for.
        """
        chosen = RefreshConfig.model_validate({"mode": mode}).mode if mode else self.mode
        return RefreshRequest(chosen, self.since, self.limit, self.dry_run, self.max_deleted_share, dates)


class ResourceTranslator(DagsterDltTranslator):
    """Names and describes the asset of a resource; its key begins with the dataset."""

    def __init__(self, dataset: str, source: Source, owners: Sequence[str], tags: Mapping[str, str]) -> None:
        super().__init__()
        self._owners, self._tags = list(owners), {"source": dataset, **tags}
        self._dataset = dataset
        self._specs = source.resources

    def get_asset_spec(self, data: DltResourceTranslatorData) -> dg.AssetSpec:
        spec = self._specs[data.resource.name]
        about = "Invented rows of the embedded sandbox. " if self._dataset == SANDBOX else ""
        return dg.AssetSpec(
            key=dg.AssetKey([self._dataset, spec.name]),
            deps=[dg.AssetKey([self._dataset, spec.parent])] if spec.parent else [],
            description=about
            + (spec.description or f"`{spec.name}` of the invoicing API (`{spec.path}`), complete and exact."),
            owners=self._owners,
            kinds={"dlt", "duckdb", "rest"},
            tags=self._tags,
            metadata={
                "dagster/column_schema": declared_schema(spec.columns),
                "primary_key": ", ".join(spec.primary_key),
            },
        )


def build_assets(
    source: Source, names: Names, owners: Sequence[str] = (), tags: Mapping[str, str] | None = None
) -> list[dg.AssetsDefinition]:
    """The assets of a source file; those of resources with a date window have monthly partitions.

    Parameters:
        source: what to fetch.
        names: of the parts of its API.
        owners, tags: of the assets.
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
    translator = ResourceTranslator(names.dataset, source, owners, tags or {})
    return [_assets_of(source, names, translator, *group) for group in groups if group[1]]


def _months(first_months: list[str]) -> dg.MonthlyPartitionsDefinition:
    # one for all, because a job cannot have several; with the present month, which a history ends in
    return dg.MonthlyPartitionsDefinition(start_date=min(first_months), end_offset=1)


def _assets_of(
    source: Source,
    names: Names,
    translator: ResourceTranslator,
    step: str,
    members: list[str],
    months: dg.PartitionsDefinition | None,
) -> dg.AssetsDefinition:
    dataset = names.dataset
    specs = build_dlt_asset_specs(
        source.dlt_source(dataset).with_resources(*members), DeferredPipeline(dataset), translator
    )

    # not by `@dlt_assets`, whose resources are named by the parameters of the function
    @dg.multi_asset(
        name=step,
        group_name=dataset,
        specs=specs,
        can_subset=True,
        partitions_def=months,
        backfill_policy=dg.BackfillPolicy.multi_run(1) if months is not None else None,
        pool=names.pool,
        required_resource_keys={names.api, names.warehouse, names.dlt},
    )
    def resources(context: dg.AssetExecutionContext, config: RefreshConfig) -> Iterator[dg.MaterializeResult[Any]]:
        api: InvoicesApi = getattr(context.resources, names.api)
        warehouse: Warehouse = getattr(context.resources, names.warehouse)
        dlt: InvoicesDlt = getattr(context.resources, names.dlt)
        if dataset == SANDBOX:
            context.log.warning(
                "The source is the embedded sandbox: these rows are invented. Set INVOICES_API_BASE_URL and "
                "INVOICES_API_KEY to load from a real API."
            )
        chosen = [name for name in members if dg.AssetKey([dataset, name]) in context.selected_asset_keys]
        loaded: list[str] = []
        failed: dict[str, RefreshError] = {}
        try:
            with (
                api.connect(dataset) as connection,
                warehouse.run(dataset, connection.redactor) as (settings, working_dir),
            ):
                step = _Step(context, config, connection, settings, working_dir, dlt, connection.resources(source))
                for name in chosen:
                    try:
                        with connection.redactor.guard():
                            done = step.refresh(name)
                    except RefreshError as error:
                        failed[name] = error
                        if isinstance(error, KeyRefused) and error.status == 401:
                            break  # some APIs ban a client after several wrong keys
                    else:
                        loaded.append(name)
                        if done is not None:
                            yield done
        except RefreshError as error:
            failed = {"": error}
        if failed:
            with WithoutFrames():
                raise failure_of(context, [*failed.values()], _told(chosen, loaded, failed))

    return resources


@dataclass(frozen=True)
class _Step:
    """What all refreshes of a step share."""

    context: dg.AssetExecutionContext
    config: RefreshConfig
    api: Api
    settings: WarehouseSettings
    working_dir: Path
    dlt: InvoicesDlt
    specs: dict[str, ResourceSpec]

    def refresh(self, name: str) -> dg.MaterializeResult[Any] | None:
        """Refreshes one resource; None where nothing was to be loaded, so that the asset does not look fresh.

        Raises:
            RefreshError: nothing of this resource was changed.
        """
        events: list[Any] = []

        def run(pipeline: Pipeline, source: DltSource) -> None:
            events[:] = self.dlt.run(context=self.context, dlt_source=source, dlt_pipeline=pipeline)

        request = self.config.request(self.context.run.tags.get(MODE_TAG), _dates(self.context))
        spec, tell = self.specs[name], self.context.log.info
        done = refresh(spec, self.specs, self.api, self.settings, request, self.working_dir, tell, run)
        tell(sentence_of(done, name, f"{self.settings.dataset}.{normalized(name)}"))
        [event] = events
        metadata = self.api.redactor.value(event.metadata)
        if done.loaded is None:
            self.context.log_event(dg.AssetObservation(event.asset_key, metadata=metadata))
            return None
        return dg.MaterializeResult(asset_key=event.asset_key, metadata=metadata)


def _told(chosen: list[str], loaded: list[str], failed: dict[str, RefreshError]) -> str:
    """What a failed step of several resources has done: one that fails leaves the others loaded.

    Parameters:
        failed: errors by resource; by an empty name what kept the whole step from running.
    """
    if len(chosen) == 1 or "" in failed:
        return " ".join(map(str, failed.values()))
    sentences = [f"`{name}` failed: {str(error).rstrip('.')}." for name, error in failed.items()]
    rest = [name for name in chosen if name not in loaded and name not in failed]
    for said, names in (("Loaded", loaded), ("Not asked for", rest)):
        sentences += [f"{said}: {', '.join(f'`{name}`' for name in names)}."] if names else []
    return " ".join(sentences)


def _dates(context: dg.AssetExecutionContext) -> DateWindow | None:
    """The partition of the run, or its range; None for a run without, and for assets without partitions."""
    asked = context.has_partition_key or context.has_partition_key_range
    if context.assets_def.partitions_def is None or not asked:
        return None
    window = context.partition_time_window
    return DateWindow(window.start, window.end)
