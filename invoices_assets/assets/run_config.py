"""What a run is asked to do, as a person sets it in the launchpad."""

import dagster as dg
from pydantic import Field, ValidationError

from invoices_assets.errors import SourceError
from invoices_assets.extract.partition import DateWindow
from invoices_assets.refresh.plan import Mode, RefreshRequest

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

        Raises:
            SourceError: the job, or whoever started the run, has given it a mode that is none.
        """
        chosen = self.mode
        if mode:
            try:
                chosen = RefreshConfig.model_validate({"mode": mode}).mode
            except ValidationError:
                raise SourceError(
                    f"The tag `{MODE_TAG}` of a run must be incremental, full or reconcile, not `{mode}`."
                ) from None
        return RefreshRequest(chosen, self.since, self.limit, self.dry_run, self.max_deleted_share, dates)
