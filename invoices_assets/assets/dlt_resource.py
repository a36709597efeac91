"""Dagster's dlt resource, with metadata that say what a refresh has proven."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import dagster as dg
from dagster_dlt import DagsterDltResource, DagsterDltTranslator
from dagster_dlt.dlt_event_iterator import DltEventIterator
from dlt.common.pipeline import LoadInfo
from dlt.extract.resource import DltResource
from dlt.extract.source import DltSource
from dlt.pipeline.pipeline import Pipeline
from pydantic import PrivateAttr

from invoices_assets.assets.progress_bar import ProgressBar, progress_bar
from invoices_assets.load.destination.pipeline import destination_of
from invoices_assets.metadata.load_metadata import metadata_of
from invoices_assets.refresh.result import RefreshResult
from invoices_assets.source.naming import normalized


class InvoicesDlt(DagsterDltResource):
    """Runs pipelines of `complete_rest_source`; for who starts a run on a terminal, with a progress bar."""

    _bar: ProgressBar | None = PrivateAttr(None)

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["InvoicesDlt"]:
        """Itself, for the time of a run. Nobody sees the terminal of a run that a daemon or the webserver starts."""
        if context.run is None or context.run.remote_job_origin is not None:
            yield self
            return
        with progress_bar() as self._bar:
            yield self

    def run(
        self,
        context: dg.OpExecutionContext | dg.AssetExecutionContext,
        dlt_source: DltSource | None = None,
        dlt_pipeline: Pipeline | None = None,
        dagster_dlt_translator: DagsterDltTranslator | None = None,
        **kwargs: Any,
    ) -> DltEventIterator[Any]:
        """Runs a pipeline as Dagster's own resource does."""
        if dlt_pipeline is not None and self._bar is not None:
            dlt_pipeline.collector = self._bar
        return super().run(context, dlt_source, dlt_pipeline, dagster_dlt_translator, **kwargs)

    def extract_resource_metadata(
        self,
        context: dg.OpExecutionContext | dg.AssetExecutionContext,
        resource: DltResource,
        load_info: LoadInfo,
        dlt_pipeline: Pipeline,
    ) -> Mapping[str, Any]:
        """What a refresh says of itself, in place of dlt's list of jobs and files."""
        destination = destination_of(dlt_pipeline)
        done: RefreshResult = destination.results[resource.name]
        relation = destination.settings_for(dlt_pipeline.dataset_name).relation(normalized(resource.name))
        return metadata_of(done, relation)
