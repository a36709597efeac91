"""The names that running APIs use, in the order in which they are tried."""

from __future__ import annotations

import re
from collections.abc import Iterable

PATHS = ("/v1/invoices", "/invoices", "/api/invoices", "/api/v1/invoices", "/v2/invoices", "/api/v2/invoices")
LISTS = (
    *("invoices", "data", "items", "results", "records", "rows", "value", "values", "content", "entries", "list"),
    *("result", "objects", "elements", "bills", "documents", "hits", "resources", "collection"),
)
_NO_LISTS = (
    "facets facet_results suggested_facets columns errors links included warnings messages filters sorts fields meta "
    "expandable_columns expanded_columns primary_keys _links"
)
NO_LISTS = frozenset(_NO_LISTS.split())
"""Lists that stand beside the records."""

SIZES = (
    *("limit", "per_page", "page_size", "pageSize", "_limit", "size", "_size", "$top", "top", "perPage", "count"),
    *("max_results", "maxResults", "pagesize", "rows", "take", "first", "results_per_page", "items_per_page"),
    *("pagination[limit]", "pagination[pageSize]", "page[size]", "page[limit]"),
)
CURSORS = (
    *("cursor", "after", "page_token", "pageToken", "next_token", "nextToken", "token", "next", "starting_after"),
    *("start_cursor", "continuation_token", "continuationToken", "marker", "page[after]", "page[cursor]"),
    *("next_cursor", "offset"),
)
AFTER_RECORD = ("starting_after", "after", "after_id", "last_id", "since_id", "start_after")
CURSOR_PLACES = frozenset(("cursor", "end_cursor", "after", "marker", "continuation", "next_offset", "offset"))
"""Names under which a cursor stands, besides those that `extract/claims.py` knows, in snake case."""

KEYS = ("id", "uuid", "_id", "guid", "uid", "key", "invoice_id", "bill_id", "document_id", "number", "invoice_number")
STAMPS = (
    *("updated_at", "updated", "last_updated", "last_updated_at", "update_time", "updated_date", "updated_on"),
    *("modified", "last_modified", "modified_at", "last_modified_at", "date_modified", "modified_date", "modified_on"),
    *("last_modified_date", "date_last_modified", "date_updated", "changed_at", "changed", "last_change", "changed_on"),
    *("modification_date", "date_modification", "date_changed", "last_changed", "modify_date", "tms", "write_date"),
)
"""Fields of the last change, in snake case. That of the making is none."""

WRAPPERS = frozenset(("attributes", "meta", "metadata", "audit", "timestamps", "sys", "system", "fields"))
"""Objects in a record whose fields are of the record itself."""
TOMBSTONES = ("deleted", "is_deleted", "deleted_at")


def filters_of(field: str, known: Iterable[str]) -> list[str]:
    """Parameters that may select by a change stamp, likely ones first.

    Parameters:
        field: as the API spells it, such as `updated_at`.
        known: parameters that the API has; where one begins with `_`, plain ones may be fields.
    """
    verb = next((verb for verb in ("updated", "modified", "changed") if verb in snake(field)), "updated")
    names: tuple[str, ...] = (
        *(f"{verb}_since", f"{verb}Since", f"{field}__gte", f"{field}[gte]", f"{verb}_after", "_since", "since"),
        *(f"{verb}_from", f"{field}_from", f"{field}_since", f"{verb}_at_min", f"min_{field}", f"gt_{field}"),
        *(f"filter[{field}][gte]", f"filters[{field}][$gte]", f"{field}_gte", f"{field}_min", f"{field}.gte"),
        *(f"filter[{verb}_since]", f"{field}[gt]", f"{field}__gt", f"{field}[$gte]", f"{field}:gte", "modified_since"),
        *("updated_since", "changed_since", "updatedAfter", "if_modified_since", "last_modified", "from_date"),
    )
    if any(name.startswith("_") for name in known):
        names = tuple(sorted(names, key=lambda name: (name != "_since", field not in name)))
    return list(dict.fromkeys(names))


def alike(name: str | None, others: Iterable[str]) -> list[str]:
    """Those of other names that are spelled as one is: `_start` as `_limit`, `page[number]` as `page[size]`."""
    style = _style(name or "")
    return [other for other in others if style and _style(other) == style]


def _style(name: str) -> str:
    return name.partition("[")[0] + "[" if "[" in name else name[:1].strip("abcdefghijklmnopqrstuvwxyz")


def snake(name: str) -> str:
    """A name as `updated_at`, however it is spelled: `updatedAt`, `Updated-At`."""
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()).strip("_")


def by_name(fields: Iterable[str], wanted: Iterable[str]) -> list[str]:
    """Those of the fields that are wanted, in the order of the wanted names; `updatedAt` is `updated_at`."""
    spelled = {snake(field): field for field in reversed(list(fields))}
    return [spelled[snake(name)] for name in wanted if snake(name) in spelled]
