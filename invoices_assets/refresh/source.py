"""A source file as a dlt source whose resources are complete, or fail.

For example:

    api = Api("https://api.vendor.example", key, Redactor([key]))
    pipeline = dlt.pipeline("invoicing", destination=atomic_duckdb("data/invoices.duckdb"), dataset_name="invoicing")
    pipeline.run(complete_rest_source(read_source("source.yaml"), api))
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import dlt
from dlt.extract.source import DltSource

from invoices_assets.errors import IncompleteSweep
from invoices_assets.extract.api import Api
from invoices_assets.extract.dependent import sweep_resource
from invoices_assets.extract.http.client import HttpClient
from invoices_assets.extract.http.stats import HttpStats
from invoices_assets.extract.sweep import Kept, SweepRequest, SweepResult, sweep
from invoices_assets.load.destination.handover import Handover
from invoices_assets.load.destination.pipeline import complete_resource, destination_of, hand_over
from invoices_assets.load.inspect import has_rows, known_state
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.warehouses.catalogs import catalog_of
from invoices_assets.load.warehouses.connection import make_ready
from invoices_assets.refresh.origin import Origin
from invoices_assets.refresh.plan import RefreshPlan, RefreshRequest
from invoices_assets.refresh.progress import Progress
from invoices_assets.refresh.remarks import misfits_of, remarks_on, tombstones_in
from invoices_assets.refresh.result import RefreshResult
from invoices_assets.refresh.spools import Spools
from invoices_assets.source.file import Source
from invoices_assets.source.resource import ResourceSpec

INCREMENTAL = RefreshRequest()
NEVER_SEEN = "no record was ever seen: is the key allowed to read?"
_log = logging.getLogger("invoices_assets")


def complete_rest_source(
    source: Source,
    api: Api,
    request: RefreshRequest = INCREMENTAL,
    *,
    name: str = "invoicing",
    resources: Sequence[str] | None = None,
) -> DltSource:
    """dlt's `rest_api_source` for whoever has to rely on it: each resource yields its Parquet when it is proven.

    The destination must load in one transaction: `atomic_duckdb(path)`.

    Parameters:
        source: read by `read_source`.
        api: where it is, and the key.
        request: how much to ask for.
        name: of the pipeline and of its dataset, which have one name.
        resources: only these; None for all.

    Raises:
        ExtractError: while the pipeline extracts; the API's answers do not prove to be complete.
        WarehouseError: while it loads; the rows cannot be stored, and nothing of them was kept.
    """
    specs = api.resources(source)
    sweeps = {chosen: Sweeping(specs[chosen], specs, api, request) for chosen in resources or source.resource_names}
    return source_of(name, sweeps)


def source_of(name: str, sweeps: Mapping[str, Sweeping]) -> DltSource:
    """A dlt source of sweeps by resource."""
    found = [complete_resource(resource, sweep.items) for resource, sweep in sweeps.items()]
    return DltSource(dlt.Schema(name), name, found)


@dataclass(frozen=True)
class Sweeping:
    """The sweep of one resource, as it takes place while dlt extracts.

    Parameters:
        spec: the resource.
        specs: all resources of the source, for the parent of a dependent one.
        api: the way to the API.
        request: what the run is asked to do.
        tell: told of progress, in sentences.
        missing: as many known records did not come back when they were asked for, so everything is.
        stats: of a sweep before this one, for the same request.
    """

    spec: ResourceSpec
    specs: Mapping[str, ResourceSpec]
    api: Api
    request: RefreshRequest
    tell: Callable[[str], None] = _log.info
    missing: int | None = None
    stats: HttpStats = field(default_factory=HttpStats)
    began: float = field(default_factory=time.monotonic)

    def items(self) -> Iterator[Any]:
        """Sweeps, and yields what dlt is to carry into the warehouse, once that is proven."""
        # dlt logs and wraps whatever gets out of here
        with self.api.redactor.guard():
            yield from self._items()

    def _items(self) -> Iterator[Any]:
        pipeline: Any = dlt.current.pipeline()
        destination = destination_of(pipeline)
        settings = destination.settings_for(pipeline.dataset_name)
        directory = Path(pipeline.working_dir) / f"sweep_{self.spec.name}"
        if not self.request.dry_run:
            make_ready(catalog_of(settings), self.tell)
        with closing(self.api.client(self.spec)) as http, Spools(self.spec, directory) as spools:
            plan = self._plan(settings)
            asked = replace(plan.sweep_request, folder=Path(pipeline.working_dir))
            progress = Progress(self.spec.name, self.tell, pipeline.collector, in_parts=self.spec.parent is not None)
            swept = sweep_resource(self.spec, self.specs, self.api, http, spools, asked, progress=progress)
            asks_for_part = plan.start is not None or plan.request.dates is not None
            if swept.rows == 0 and swept.complete and not (asks_for_part and self._shows_some(http)):
                swept = self._of_nothing(swept, settings, is_part=asks_for_part)
            done = destination.results[self.spec.name] = RefreshResult(
                spec=self.spec,
                swept=swept,
                stats=self.stats + http.stats,
                cursor_before=plan.before,
                cursor_after=plan.before,
                covers=plan.covers,
                notes=[
                    *remarks_on(self.spec, swept),
                    *plan.remarks,
                    *plan.unproven(swept),
                    *self.api.redactor.remarks(),
                ],
                began=self.began,
            )
            spooled = spools.finish()
            tombstones = tombstones_in(self.spec, spooled)
            if swept.rows and swept.complete and plan.covers_everything:
                done.misfits = misfits_of(self.spec, swept, spooled, spools.unmatched) + tombstones
            elif tombstones:
                done.misfits = tombstones
            if not plan.request.dry_run:
                done.cursor_after = plan.cursor_after(swept)
                request = plan.load_request(done.cursor_after, swept)
                handover = Handover(spooled, self.spec, request, directory)
                done.loaded = handover.result
                yield from hand_over(handover)

    def _plan(self, settings: WarehouseSettings) -> RefreshPlan:
        known = known_state(settings, self.spec.name, self.tell)
        plan = RefreshPlan.of(self.spec, self.request, known, Origin.of(self.spec, self.api.address))
        if self.missing is None:
            return plan
        plan = plan.of_everything(self.missing)
        self.tell(*plan.remarks)
        return plan

    @property
    def _shown(self) -> ResourceSpec:
        """The resource that shows whether the API shows anything: the one at the root of those that hang on others."""
        shown = self.spec
        while shown.parent is not None:
            shown = self.specs[shown.parent]
        return shown

    def _shows_some(self, http: HttpClient) -> bool:
        """Whether the API shows a record when it is asked for all of them."""
        shown = self._shown
        initial = shown.cursor.initial_value if shown.cursor is not None else None
        asked = SweepRequest(initial, limit=1)
        return sweep(shown, self.api.endpoint(http, shown), Kept(), asked, window=1).rows > 0

    def _of_nothing(self, swept: SweepResult, settings: WarehouseSettings, *, is_part: bool) -> SweepResult:
        """A sweep of an API that shows no record, which proves nothing where none was ever seen.

        Parameters:
            is_part: only some of the records were asked for; a load of all refuses by itself to lose every row.

        Raises:
            IncompleteSweep: there are rows in the warehouse, and only some of them were asked for.
        """
        if is_part and has_rows(settings, self.spec.name, live=True):
            raise IncompleteSweep(
                f"The API shows no `{self._shown.name}` at all, though some were loaded before: some APIs answer so to "
                "a key without rights. Nothing was changed."
            )
        if has_rows(settings, self.spec.name, live=False):
            return swept
        return replace(swept, proven=False, end=NEVER_SEEN)
