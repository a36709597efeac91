"""What the parts of one API are called in Dagster: all after its dataset."""

from __future__ import annotations

from dataclasses import dataclass

SANDBOX = "sandbox"
"""The dataset of invented rows, in a file of its own: `sandbox` rows never mix with real ones."""

INVOICING = "invoicing"
"""The dataset of the one API of a project that has only one."""


@dataclass(frozen=True)
class Names:
    """The names of the parts of one API.

    Those of `invoicing` and of the sandbox stand alone: `refresh_invoices`. Those of every other dataset begin with it:
    `stripe_refresh_invoices`.

    Parameters:
        dataset: the dataset in the warehouse, and the first part of the asset keys.
    """

    dataset: str

    @property
    def refresh(self) -> str:
        """The job that loads what changed."""
        return self._own("refresh_invoices")

    @property
    def reconcile(self) -> str:
        """The job that reads everything, and marks deletions."""
        return self._own("reconcile_invoices")

    @property
    def maintain(self) -> str:
        """The job that keeps the warehouse in order."""
        return self._own("maintain_warehouse")

    @property
    def sensor(self) -> str:
        return self._own("invoices_changed_sensor")

    @property
    def api(self) -> str:
        """The resource that holds address and key."""
        return self._own("api")

    @property
    def warehouse(self) -> str:
        """The resource that says where rows go."""
        return self._own("warehouse")

    @property
    def dlt(self) -> str:
        """The resource that runs pipelines."""
        return self._own("dlt")

    @property
    def pool(self) -> str:
        """Dagster's pool of all steps that write the warehouse; with a limit of 1, runs queue in Dagster as well."""
        return self._own("invoices_warehouse")

    @property
    def main_step(self) -> str:
        """The step that loads the invoices."""
        return f"{self.dataset}_resources"

    @property
    def other_step(self) -> str:
        """The step of those resources that have partitions where the invoices have none, or the other way round."""
        return f"{self.dataset}_other_resources"

    @property
    def upkeep_step(self) -> str:
        """The step of the job that keeps the warehouse in order."""
        return self._own("upkeep")

    def _own(self, name: str) -> str:
        return name if self.dataset in (INVOICING, SANDBOX) else f"{self.dataset}_{name}"
