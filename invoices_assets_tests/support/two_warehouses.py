"""A code location that loads one API into two warehouses: into PostgreSQL as `invoicing`, into a lake as `lake`."""

import os

import dagster as dg

from invoices_assets.component import InvoicesComponent

_source = os.environ["INVOICES_SOURCE"]
_apis = [
    InvoicesComponent(name="invoicing", source=_source, destination="postgres"),
    InvoicesComponent(
        name="lake",
        source=_source,
        destination="ducklake",
        base_url=os.environ["INVOICES_API_BASE_URL"],
        api_key_env="LAKE_API_KEY",
    ),
]
defs = dg.Definitions.merge(*(api.definitions() for api in _apis), dg.Definitions(executor=dg.in_process_executor))
