"""Dagster's dlt resource, with metadata that say what a refresh has proven."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster_dlt import DagsterDltResource
from dlt.common.pipeline import LoadInfo
from dlt.extract.resource import DltResource
from dlt.pipeline.pipeline import Pipeline

from invoices_assets.load.destination.pipeline import destination_of
from invoices_assets.metadata import metadata_of, schema_metadata
from invoices_assets.refresh.result import RefreshResult
from invoices_assets.source.naming import normalized


class InvoicesDlt(DagsterDltResource):
    """Runs pipelines of `complete_rest_source`."""

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
        table = normalized(resource.name)
        metadata = metadata_of(done, destination.settings_for(dlt_pipeline.dataset_name).relation(table))
        if done.loaded is not None:
            metadata |= schema_metadata(done.loaded.columns.get(table, {}), done.spec.columns)
        return metadata
