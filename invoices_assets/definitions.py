"""The Dagster code location: wires everything, decides nothing."""

import dagster as dg

from invoices_assets.assets import build_assets
from invoices_assets.checks import build_checks
from invoices_assets.dlt_resource import InvoicesDlt
from invoices_assets.jobs import build_jobs, build_schedules
from invoices_assets.names import Names
from invoices_assets.resources import InvoicesApi, Warehouse, configured_source, dataset_name
from invoices_assets.sensor import build_sensor

_source = configured_source()
_names = Names(dataset_name())
_assets = build_assets(_source, _names)
_jobs = build_jobs(_assets, _names)

defs = dg.Definitions(
    assets=_assets,
    asset_checks=build_checks(_source, _names),
    jobs=_jobs,
    schedules=build_schedules(_jobs, _names),
    sensors=[build_sensor(_source, _names, _jobs[0], InvoicesApi())],
    # also for what is materialized from an asset's page: a process for each step costs more than the step
    executor=dg.in_process_executor,
    resources={_names.api: InvoicesApi.from_environment(), _names.warehouse: Warehouse(), _names.dlt: InvoicesDlt()},
)
