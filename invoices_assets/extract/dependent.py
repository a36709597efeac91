"""Sweeps a resource that hangs on another one: `{resources.<parent>.<field>}` in its path or parameters."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from itertools import compress
from typing import Any

from dlt.sources.rest_api.config_setup import build_parent_record, collect_resolved_values

from invoices_assets.errors import BadAnswer, IncompleteSweep
from invoices_assets.extract.api import Api
from invoices_assets.extract.http.client import HttpClient
from invoices_assets.extract.id_count import IdCount
from invoices_assets.extract.page import Page
from invoices_assets.extract.reading import reading_of
from invoices_assets.extract.sweep import EVERYTHING, Kept, Progress, Sink, SweepRequest, SweepResult, sweep
from invoices_assets.source.record_key import keys_of
from invoices_assets.source.resource import ResourceSpec
from invoices_assets.source.values.exact_json import json_text


class ParentValues:
    """A sink that keeps, of each parent record, what its dependents need: values of placeholders, inherited fields.

    Parents that would be asked the very same question are kept once, and nothing hangs on a tombstone.

    Parameters:
        spec: the dependent resource.
        parent: the one that it hangs on.

    Attributes:
        without_value: parent records that have nothing to ask with.
    """

    def __init__(self, spec: ResourceSpec, parent: ResourceSpec) -> None:
        self._spec = spec
        self._is_tombstone = reading_of(parent, changes_come_again=False).is_tombstone
        self._found: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
        self.without_value = 0

    @property
    def values(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """The values and the inherited fields of each parent."""
        return list(self._found.values())

    @property
    def remarks(self) -> list[str]:
        """What of the parents was not asked for, in a sentence."""
        if not self.without_value:
            return []
        spec = self._spec
        fields = ", ".join(dict.fromkeys(f"`{param.resolve_config['field']}`" for param in spec.resolved_params))
        counted = f"{self.without_value} records of `{spec.parent}` have no value for {fields}"
        return [f"{counted}, so no `{spec.name}` were asked for"]

    def start_over(self) -> None:
        self._found.clear()
        self.without_value = 0

    def add(self, page: Page) -> None:
        """Takes a page of parents.

        Raises:
            BadAnswer: a parent lacks a field that is needed.
        """
        spec = self._spec
        for record in page.records:
            if self._is_tombstone is not None and self._is_tombstone(record):
                continue
            try:
                values = collect_resolved_values(record, list(spec.resolved_params), None, None)
                inherited = build_parent_record(record, str(spec.parent), list(spec.include_from_parent))
            except (ValueError, AttributeError) as error:
                raise BadAnswer(" ".join(str(error).split())) from None
            if any(value is None or value == "" for value in values.values()):
                self.without_value += 1
                continue
            question = json_text([[str(value) for value in values.values()], inherited])
            self._found.setdefault(question, (values, inherited))


def sweep_resource(
    spec: ResourceSpec,
    specs: Mapping[str, ResourceSpec],
    api: Api,
    http: HttpClient,
    sink: Sink,
    asked: SweepRequest = EVERYTHING,
    *,
    progress: Progress | None = None,
) -> SweepResult:
    """Sweeps a resource, whether or not it hangs on another one.

    One that does is swept once for each record of its parent, which is swept before, likewise; it is complete if all of
    that is.

    Parameters:
        specs: all resources of the source, by name.

    The others, and the errors, are those of `sweep`; a key that comes under two parents is an `IncompleteSweep`.
    """
    if spec.parent is None:
        return sweep(spec, api.endpoint(http, spec), sink, asked, window=api.window, progress=progress)
    began = time.monotonic()
    parents = ParentValues(spec, specs[spec.parent])
    swept = _sweep_parents(spec.parent, specs, api, parents, asked)
    alone = without_parent(spec)
    endpoint = api.endpoint(http, alone)
    sink.start_over()
    with IdCount(asked.folder) as ids:
        keys_in, added = keys_of(spec), 0
        for values, inherited in parents.values:
            kept, one = Kept(), replace(asked, limit=None, parent_values=values)
            part = sweep(alone, endpoint, kept, one, window=api.window, progress=progress)
            pages = [_with(page, inherited) for page in kept.pages] if inherited else kept.pages
            keys = {key for page in pages for key in keys_in(page.outline) if key is not None}
            ids.add(keys)
            added += len(keys)
            for page in pages:
                sink.add(page)
            _add(swept, part)
            if asked.limit is not None and swept.rows >= asked.limit:
                swept.complete = False
                break
        if ids.distinct != added:
            raise _shared_keys(spec)
    swept.seconds = time.monotonic() - began
    return swept


def _sweep_parents(
    name: str, specs: Mapping[str, ResourceSpec], api: Api, sink: ParentValues, asked: SweepRequest
) -> SweepResult:
    """Reads the parents; what is known of their end is where that of the dependent resource begins."""
    one = SweepRequest(confirm=asked.confirm, folder=asked.folder)
    with closing(api.client(specs[name])) as http:
        swept = sweep_resource(specs[name], specs, api, http, sink, one)
    remarks = swept.remarks + sink.remarks
    return SweepResult(passes=1, complete=swept.complete, proven=swept.proven, end=swept.end, remarks=remarks)


def _with(page: Page, inherited: Mapping[str, Any]) -> Page:
    return Page([{**record, **inherited} if isinstance(record, dict) else record for record in page.records])


def _shared_keys(spec: ResourceSpec) -> IncompleteSweep:
    fields = list(spec.include_from_parent) or ["id"]
    return IncompleteSweep(
        f"The same key of `{spec.name}` comes under several `{spec.parent}`, so it identifies a record only "
        f"together with its parent: add the parent's field to the key, `include_from_parent: [{fields[0]}]` "
        f"and `primary_key: [_{spec.parent}_{fields[0]}, {', '.join(spec.key_fields)}]`."
    )


def _add(swept: SweepResult, part: SweepResult) -> None:
    swept.rows += part.rows
    swept.distinct += part.distinct
    swept.pages += part.pages
    if swept.proven:
        swept.proven, swept.end = part.proven, part.end
    swept.remarks = list(dict.fromkeys((*swept.remarks, *part.remarks)))


def without_parent(spec: ResourceSpec) -> ResourceSpec:
    """The resource as one parent shows it: the fields of the key that come from the parent are not in its records."""
    inherited = {f"_{spec.parent}_{field}" for field in spec.include_from_parent}
    own = [field not in inherited for field in spec.key_fields]
    return replace(
        spec, primary_key=tuple(compress(spec.primary_key, own)), key_fields=tuple(compress(spec.key_fields, own))
    )
