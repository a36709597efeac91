"""The Dagster code location: wires everything, decides nothing."""

import dagster as dg

from invoices_assets.component import all_invoices_of, configured_components

_apis = configured_components()
_is_one = len(_apis) == 1

defs = dg.Definitions.merge(
    *(api.definitions(followed=not _is_one) for api in _apis),
    all_invoices_of([] if _is_one else _apis),
    # for what is materialized from an asset's page: a process for each step costs more than the step
    dg.Definitions(executor=dg.in_process_executor),
)
