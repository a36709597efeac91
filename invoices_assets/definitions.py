"""The Dagster code location: wires everything, decides nothing."""

import dagster as dg

from invoices_assets.component import InvoicesComponent

defs = dg.Definitions.merge(
    InvoicesComponent.from_environment().definitions(),
    # for what is materialized from an asset's page: a process for each step costs more than the step
    dg.Definitions(executor=dg.in_process_executor),
)
