"""What the parts of one API are called in Dagster: all after its dataset."""

from __future__ import annotations

from dataclasses import dataclass

SANDBOX = "sandbox"
"""The dataset of invented rows, in a file of its own: `sandbox` rows never mix with real ones."""

INVOICING = "invoicing"
"""The dataset of the one API of a project that has only one."""


class _Own:
    """A name that stands alone for `invoicing` and the sandbox, and begins with the dataset for all others."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, names: Names, _: type) -> str:
        return self._name if names.dataset in (INVOICING, SANDBOX) else f"{names.dataset}_{self._name}"


@dataclass(frozen=True)
class Names:
    """The names of the parts of one API: `refresh_invoices`, or `stripe_refresh_invoices`.

    Parameters:
        dataset: the dataset in the warehouse, and the first part of the asset keys.
    """

    dataset: str

    refresh = _Own("refresh_invoices")
    """The job that loads what changed."""
    reconcile = _Own("reconcile_invoices")
    """The job that reads everything, and marks deletions."""
    maintain = _Own("maintain_warehouse")
    """The job that keeps the warehouse in order."""
    upkeep_step = _Own("upkeep")
    """The step of that job."""
    receivables_step = _Own("receivables")
    """The step that sums up what is open."""
    sensor = _Own("invoices_changed_sensor")
    failed_runs_alert = _Own("failed_runs_alert")
    """The sensor that tells a chat of failed runs."""
    failed_checks_alert = _Own("failed_checks_alert")
    """The sensor that tells a chat of failed checks."""
    api = _Own("api")
    """The resource that holds address and key."""
    warehouse = _Own("warehouse")
    """The resource that says where rows go."""
    dlt = _Own("dlt")
    """The resource that runs pipelines."""
    pool = _Own("invoices_warehouse")
    """Dagster's pool of all steps that write the warehouse; with a limit of 1, runs queue in Dagster as well."""

    @property
    def main_step(self) -> str:
        """The step that loads the invoices."""
        return f"{self.dataset}_resources"

    @property
    def other_step(self) -> str:
        """The step of those resources that have partitions where the invoices have none, or the other way round."""
        return f"{self.dataset}_other_resources"
