"""The step that loads the resources of an API, one after the other, and checks what it has loaded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dlt import DagsterDltTranslator
from dlt.extract.source import DltSource
from dlt.pipeline.pipeline import Pipeline

from invoices_assets.assets.dlt_resource import InvoicesDlt
from invoices_assets.assets.run_config import MODE_TAG, RefreshConfig
from invoices_assets.assets.specs import side_tables
from invoices_assets.checks.evaluation import check
from invoices_assets.errors import KeyRefused, RefreshError, SourceError
from invoices_assets.extract.api import Api
from invoices_assets.extract.partition import DateWindow
from invoices_assets.failure import failure_of
from invoices_assets.load.load import LoadResult
from invoices_assets.load.reports.audit import Audit
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.metadata.load_metadata import table_metadata
from invoices_assets.metadata.summary import log_line
from invoices_assets.names import SANDBOX, Names
from invoices_assets.redaction.redactor import Redactor
from invoices_assets.refresh.refresh import refresh
from invoices_assets.refresh.source import Sweeping
from invoices_assets.resources import InvoicesApi, Warehouse
from invoices_assets.source.file import Source
from invoices_assets.source.naming import normalized
from invoices_assets.source.resource import ResourceSpec

Made = dg.MaterializeResult[Any] | dg.AssetMaterialization
Result = dg.MaterializeResult[Any] | dg.AssetCheckResult


@dataclass
class LoadStep:
    """One execution of the step.

    Parameters:
        context: what is chosen, and Dagster's resources.
        config: what the run is asked to do.
        source: what the API is asked for.
        names: of the parts of the API.
        members: the resources that belong to the step.
        translator: which asset is whose resource's.
    """

    context: dg.AssetExecutionContext
    config: RefreshConfig
    source: Source
    names: Names
    members: Sequence[str]
    translator: DagsterDltTranslator
    loaded: list[str] = field(default_factory=list)
    failed: dict[str, RefreshError] = field(default_factory=dict)
    """Errors by resource; by an empty name what kept the whole step from running."""

    def results(self) -> Iterator[Result]:
        """What was loaded, and what its checks say. A resource that fails leaves the others loaded.

        Raises:
            Failure: of at least one resource nothing was changed.
        """
        self._warn_of_invented_rows()
        for name in self.members:
            if name not in self._chosen:
                yield from self._checks(name)
        if self.context.selected_asset_keys:
            yield from self._loads()
        if self.failed:
            raise failure_of(self.context, [*self.failed.values()], self._told())

    def _loads(self) -> Iterator[Result]:
        api_resource: InvoicesApi = getattr(self.context.resources, self.names.api)
        try:
            self._refuse_side_tables_alone()
            with (
                api_resource.connect(self.names.dataset) as api,
                self._warehouse.run(self.names.dataset, api.redactor) as (settings, working_dir),
            ):
                for name in self._chosen:
                    try:
                        with api.redactor.guard():
                            made, found = self._refreshed(name, api, settings, working_dir)
                    except RefreshError as error:
                        self.failed[name] = error
                        if isinstance(error, KeyRefused) and error.status == 401:
                            break  # some APIs ban a client after several wrong keys
                    else:
                        self.loaded.append(name)
                        yield from self._made_known(made)
                        yield from self._checks(name, found) if made else ()
        except RefreshError as error:
            self.failed = {"": error}

    def _refreshed(
        self, name: str, api: Api, settings: WarehouseSettings, working_dir: Path
    ) -> tuple[list[Made], Audit | None]:
        """Refreshes one resource; nothing is made where nothing was to be loaded, so that no asset looks fresh.

        Returns:
            What was made, and what was then seen of the tables.

        Raises:
            RefreshError: nothing of this resource was changed.
        """
        dlt: InvoicesDlt = getattr(self.context.resources, self.names.dlt)
        events: list[Any] = []

        def run(pipeline: Pipeline, source: DltSource) -> None:
            events[:] = dlt.run(self.context, source, pipeline, self.translator)

        request = self.config.request(self.context.run.tags.get(MODE_TAG), self._dates())
        specs, tell = api.resources(self.source), self.context.log.info
        done = refresh(Sweeping(specs[name], specs, api, request, tell), settings, working_dir, run)
        tell(log_line(done, name, f"{settings.dataset}.{normalized(name)}"))
        [event] = events
        metadata = api.redactor.value(event.metadata)
        if done.loaded is None:
            self.context.log_event(dg.AssetObservation(event.asset_key, metadata=metadata))
            return [], None
        beside = self._side_tables(specs[name], done.loaded, settings, api.redactor)
        return [dg.MaterializeResult(asset_key=event.asset_key, metadata=metadata), *beside], done.loaded.audit

    def _side_tables(
        self, spec: ResourceSpec, loaded: LoadResult, settings: WarehouseSettings, redactor: Redactor
    ) -> list[Made]:
        """What the load wrote besides; of what nobody has declared or chosen only an event tells."""
        declared = {each.table: each.columns for each in side_tables(spec)}
        made: list[Made] = []
        for table in dict.fromkeys((*declared, *loaded.rows)):
            if table == normalized(spec.name):
                continue
            columns, rows = loaded.columns.get(table, {}), loaded.rows.get(table, 0)
            told = table_metadata(settings.relation(table), columns, rows, declared.get(table))
            metadata = redactor.value(told)
            key = dg.AssetKey([settings.dataset, table])
            if key in self.context.selected_asset_keys:
                made.append(dg.MaterializeResult(asset_key=key, metadata=metadata))
            else:
                partitions = self.context.partition_keys if self._is_partitioned else [None]
                made += [dg.AssetMaterialization(key, metadata=metadata, partition=each) for each in partitions]
        return made

    def _made_known(self, made: Sequence[Made]) -> Iterator[Result]:
        """Tells Dagster in this order: what it hears of before its upstream, it takes for out of date."""
        for each in made:
            if isinstance(each, dg.AssetMaterialization):
                self.context.log_event(each)
            else:
                yield each

    def _checks(self, resource: str, found: Audit | None = None) -> Iterator[dg.AssetCheckResult]:
        return check(self.source, resource, self._warehouse.settings(self.names.dataset), self.context, found)

    def _refuse_side_tables_alone(self) -> None:
        """Raises where a table is chosen, but not the resource whose load writes it.

        Raises:
            SourceError: nothing was asked for.
        """
        dataset = self.names.dataset
        for name in self.members:
            for each in side_tables(self.source.resources[name]):
                if name not in self._chosen and each.key(dataset) in self.context.selected_asset_keys:
                    raise SourceError(
                        f"`{dataset}/{each.table}` is written by the load of `{dataset}/{name}`: select that asset as "
                        "well. Nothing was asked for."
                    )

    def _warn_of_invented_rows(self) -> None:
        if self.names.dataset == SANDBOX:
            self.context.log.warning(
                "The source is the embedded sandbox: these rows are invented. Set INVOICES_API_BASE_URL and "
                "INVOICES_API_KEY to load from a real API."
            )

    def _told(self) -> str:
        """What the step has done, where it failed."""
        if len(self._chosen) == 1 or "" in self.failed:
            return " ".join(map(str, self.failed.values()))
        sentences = [f"`{name}` failed: {str(error).rstrip('.')}." for name, error in self.failed.items()]
        rest = [name for name in self._chosen if name not in self.loaded and name not in self.failed]
        for said, names in (("Loaded", self.loaded), ("Not asked for", rest)):
            sentences += [f"{said}: {', '.join(f'`{name}`' for name in names)}."] if names else []
        return " ".join(sentences)

    def _dates(self) -> DateWindow | None:
        """The partition of the run, or its range; None for a run without, and for assets without partitions."""
        if not self._is_partitioned:
            return None
        window = self.context.partition_time_window
        return DateWindow(window.start, window.end)

    @property
    def _is_partitioned(self) -> bool:
        asked = self.context.has_partition_key or self.context.has_partition_key_range
        return self.context.assets_def.partitions_def is not None and asked

    @property
    def _chosen(self) -> list[str]:
        chosen = self.context.selected_asset_keys
        return [name for name in self.members if dg.AssetKey([self.names.dataset, name]) in chosen]

    @property
    def _warehouse(self) -> Warehouse:
        warehouse: Warehouse = getattr(self.context.resources, self.names.warehouse)
        return warehouse
