"""Holds a source description against the API that it describes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any

from invoices_assets.describe.changes import on_changes
from invoices_assets.describe.cost import on_cost
from invoices_assets.describe.evidence import POLICY, Asking, Evidence, gather
from invoices_assets.describe.finding import Finding, ok, unproven
from invoices_assets.describe.paging import on_paging
from invoices_assets.describe.reach import finding_of, on_first_page, on_wrong_key
from invoices_assets.describe.records import on_records
from invoices_assets.errors import BadAnswer, ExtractError, UnreadableBody
from invoices_assets.extract.api import Api
from invoices_assets.extract.dependent import ParentValues, without_parent
from invoices_assets.extract.http.client import HttpClient
from invoices_assets.refresh.remarks import remarks_on
from invoices_assets.source.file import Source
from invoices_assets.source.resource import ResourceSpec

PARENTS = 3
"""Of how many parent records a dependent resource is asked for, until one has records."""


def check_source(source: Source, api: Api, *, probe_key: bool = False) -> list[Finding]:
    """Asks an API as little as possible, and says how far the source file describes it.

    A resource costs about 12 requests. Nothing is written.

    Parameters:
        source: read by `read_source`.
        api: where it is, and the key.
        probe_key: ask once with a wrong key, too; some APIs ban after several.
    """
    specs = api.resources(source)
    findings: list[Finding] = []
    for name, spec in specs.items():
        with closing(api.client(spec, POLICY)) as http:
            for finding in _on_resource(spec, specs, api, http, probe_key=probe_key and not findings):
                findings.append(replace(finding, resource=name, sentence=api.redactor.text(finding.sentence)))
    return findings


def _on_resource(
    spec: ResourceSpec, specs: Mapping[str, ResourceSpec], api: Api, http: HttpClient, *, probe_key: bool
) -> Iterator[Finding]:
    asking: Asking | None = None
    try:
        asking = _asking(spec, specs, api, http)
        if asking is None:
            yield unproven("parent", f"`{spec.parent}` has no record to ask under.")
            return
        seen = gather(asking)
    except ExtractError as error:
        yield finding_of(error, spec, _document(error, asking))
        return
    yield from on_first_page(seen.first, spec)
    if probe_key and spec.auth is not None:
        yield on_wrong_key(api, spec, seen.first)
    yield from _on_evidence(seen, api)
    yield ok("requests", f"{http.stats.requests} were sent.")


def _on_evidence(seen: Evidence, api: Api) -> Iterator[Finding]:
    yield from on_records(seen)
    yield from on_paging(seen)
    yield from on_changes(seen)
    if seen.swept is not None:
        for remark in (*seen.swept.remarks, *remarks_on(seen.spec, seen.swept)):
            yield unproven("remark", f"{remark[:1].upper()}{remark[1:]}.")
    yield on_cost(seen, api)


def _asking(spec: ResourceSpec, specs: Mapping[str, ResourceSpec], api: Api, http: HttpClient) -> Asking | None:
    """Asks for the records of a resource, of one that hangs on another one under the first of its parents that has any.

    Returns:
        None where there is no parent at all.

    Raises:
        ExtractError: the parents cannot be had.
    """
    if spec.parent is None:
        return Asking(spec, api.endpoint(http, spec))
    parent = specs[spec.parent]
    parents = ParentValues(spec, parent)
    with closing(api.client(parent, POLICY)) as others:
        above = _asking(parent, specs, api, others)
        if above is not None:
            parents.add(above.first_page())
    alone = without_parent(spec)
    asking = None
    for values, _ in parents.values[:PARENTS]:
        asking = Asking(alone, api.endpoint(http, alone), values)
        if asking.first_page().outline:
            break
    return asking


def _document(error: ExtractError, asking: Asking | None) -> Any:
    """The whole answer, where one came that has no records at the selected place."""
    if not isinstance(error, BadAnswer) or isinstance(error, UnreadableBody) or asking is None:
        return None
    try:
        return replace(asking, endpoint=asking.endpoint.reading_all()).first_page().body
    except ExtractError:
        return None
