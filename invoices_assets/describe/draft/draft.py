"""Drafts a source file from what an API answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from invoices_assets.describe.draft.access import Access, find_access
from invoices_assets.describe.draft.asking import Auth
from invoices_assets.describe.draft.columns import DraftedColumn, columns_of, fields_of
from invoices_assets.describe.draft.filters import Changes, changes_of
from invoices_assets.describe.draft.names import KEYS, by_name
from invoices_assets.describe.draft.paging.order import in_order
from invoices_assets.describe.draft.paging.paging import Paging, paging_of
from invoices_assets.describe.draft.paging.sample import sample_of
from invoices_assets.describe.draft.records import identities, path_of
from invoices_assets.describe.draft.totals import with_proven_total
from invoices_assets.describe.draft.trial import Ground, Trial, read_some
from invoices_assets.describe.draft.write import Draft, text_of
from invoices_assets.errors import SourceError
from invoices_assets.extract.api import Api
from invoices_assets.extract.http.origins import address_of

_FEW = 8
"""So few records may come twice in the same order by chance."""
Say = Callable[[str], None]
"""Told what is being found out, in sentences."""


def draft_source(api: Api, path: str | None, auth: Auth, say: Say) -> str:
    """The text of a source file, each line of it backed by an answer or marked as unproven.

    It asks as little as possible, within the budget of the API, and repeats nothing.

    Parameters:
        api: where it is, and the key.
        path: of the invoices, also with a query; None for the usual ones.
        auth: where the key goes, as in the YAML; None to find it out.
        say: told of each step.

    Raises:
        SourceError: the API shows no list from which anything could be drafted.
        RequestFailed: 429, or the API cannot be reached.
    """
    access = find_access(api, path, auth)
    try:
        return text_of(_draft(api, access, say))
    finally:
        access.listing.asker.close()


def _draft(api: Api, access: Access, say: Say) -> Draft:
    listing, first = access.listing, access.first
    key = key_of(first.records, first.document)
    say(f"{listing.path}: {len(first.records)} records in the first answer, told apart by `{key}`.")
    sample = sample_of(listing, first, identities(key))
    unsorted: list[str] = []
    if len(first.records) > 1 and (sample.size is None or len(first.records) < _FEW):
        listing, first, unsorted = in_order(listing, first, key)
        sample = sample_of(listing, first, identities(key)) if first is not sample.first else sample
    paging = paging_of(sample, key)
    say(f"Pages: {paging.paginator(1)['type']}.")
    endpoint = {"path": listing.path, "data_selector": path_of(first.keys, first.document)}
    client = {"auth": dict(access.auth)} if access.auth is not None else {}
    ground = Ground(api, client, key, endpoint, listing.params)
    trial = read_some(ground, paging)
    sized = listing.with_params({paging.size: trial.size} if paging.size else {})
    trial = with_proven_total(sized, paging, trial)
    records = trial.records or first.records
    say(f"Read {len(records)} records.")
    columns = columns_of(records, key)
    hints = {name: column.hints for name, column in columns.items() if column.hints}
    changes = changes_of(ground, sized, records, hints, trial.size)
    paginator = paging.paginator(trial.size, has_totals=trial.has_totals)
    config = ground.config(paginator, paging.params(trial.size))
    return Draft(
        address=address_of(api.redactor.text(api.base_url)),
        requests=listing.asker.sent + trial.requests,
        client=client,
        key=key,
        endpoint=_endpoint(config["resources"][0]["endpoint"], changes),
        columns=_with_tombstone(columns, changes),
        notes={
            "client": access.notes,
            "paginator": [*unsorted, *_on_paging(paging, trial)],
            "incremental": changes.notes,
            "columns": _on_fields(records),
        },
    )


def key_of(records: Sequence[Any], document: Any) -> str:
    """The field that is there and different in each record; Datasette names it itself, as `primary_keys`.

    Raises:
        SourceError: there is none.
    """
    fields = list(dict.fromkeys(name for record in records for name in record))
    named = document.get("primary_keys") if isinstance(document, dict) else None
    own = [name for name in named if name in fields] if isinstance(named, list) and len(named) == 1 else []
    ids = [name for name in fields if name.lower().endswith("id")]
    for name in dict.fromkeys((*own, *by_name(fields, KEYS), *ids)):
        values = [record.get(name) for record in records]
        is_there = all(value not in (None, "") and not isinstance(value, dict | list) for value in values)
        if is_there and len(set(map(str, values))) == len(values):
            return name
    raise SourceError(
        f"No field with the name of a key is there and different in each of the {len(records)} records, so that a "
        "changed record could not be told from a new one."
    )


def _endpoint(endpoint: Mapping[str, Any], changes: Changes) -> dict[str, Any]:
    """The parts in the order of the default source file."""
    order = ("path", "params", "data_selector", "paginator")
    incremental = {"incremental": changes.incremental} if changes.incremental else {}
    return {**{name: endpoint[name] for name in order if name in endpoint}, **incremental}


def _with_tombstone(columns: Mapping[str, DraftedColumn], changes: Changes) -> dict[str, DraftedColumn]:
    if changes.tombstone is None:
        return dict(columns)
    name, hints = changes.tombstone
    return {**columns, name: DraftedColumn(hints)}


def _on_paging(paging: Paging, trial: Trial) -> list[str]:
    notes = list(paging.notes)
    if not trial.has_totals:
        notes.append(f"`{paging.total}` counts something else than these records, so totals are switched off")
    if trial.fault is not None:
        notes.append(f"a reading of some pages failed: {trial.fault}")
    elif trial.swept is not None and trial.swept.complete and not trial.swept.proven:
        notes.append(trial.swept.end)
    if paging.way is None and not (trial.swept is not None and trial.swept.complete and trial.swept.proven):
        notes.append("no answer leads to a second page, and no usual parameter brings one")
    return notes


def _on_fields(records: Sequence[Any]) -> list[str]:
    empty = [path for path, one in fields_of(records).items() if not one.values and not one.is_mixed]
    shown = ", ".join(f"`{path}`" for path in empty[:20])
    more = f" and {len(empty) - 20} more" if len(empty) > 20 else ""
    return [f"null in all {len(records)} records seen: {shown}{more}"] if empty else []
