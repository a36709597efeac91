"""What a refresh did."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from invoices_assets.extract.http.stats import HttpStats
from invoices_assets.extract.sweep import SweepResult
from invoices_assets.load.load import LoadResult
from invoices_assets.source.resource import ResourceSpec


@dataclass
class RefreshResult:
    """What a refresh of one resource did; true also where it loaded nothing.

    Parameters:
        spec: the resource.
        swept: what the API gave.
        stats: how it was asked.
        covers: what a complete sweep has: `everything`, `changes` since the last one, the days of a partition, or
            `what changed since …` where a run was told to begin later than that.
        loaded: what the load did; None after a dry run.
        cursor_before, cursor_after: in the API's notation; None where there is none.
        notes: what has to be told of the sweep, one sentence each.
        misfits: what of the source file the sweep does not bear out; None where it cannot tell.
        began: by `time.monotonic`.
    """

    spec: ResourceSpec
    swept: SweepResult
    stats: HttpStats
    cursor_before: Any
    cursor_after: Any
    covers: str
    loaded: LoadResult | None = None
    notes: list[str] = field(default_factory=list)
    misfits: list[str] | None = None
    began: float = field(default_factory=time.monotonic)

    @property
    def remarks(self) -> list[str]:
        """What has to be told, of the load first."""
        return [*(self.loaded.remarks if self.loaded else []), *self.notes, *(self.misfits or [])]

    @property
    def seconds(self) -> dict[str, float]:
        """By stage, and in all so far."""
        loaded = self.loaded.seconds if self.loaded else {}
        return {"sweep": self.swept.seconds, **loaded, "total": time.monotonic() - self.began}
