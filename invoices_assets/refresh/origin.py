"""What a cursor was made with: the address of the API, and what the declaration says of its rows.

Rows and cursor of one API mean nothing for another, and those of one declaration little for the next: another filter
shows other records, another hint makes other values. So both are kept in dlt's state beside the cursor, in dlt's
`resource_state`, as for example:

    {"incremental": {...}, "loaded_from": {"address": "api.vendor.example/v2", "columns": "1f0c...", ...}}

Nothing of the key is in it. Of the declaration it has a hash for each part, so that a change can be named.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from invoices_assets.source.incremental import CursorSpec, DateWindowSpec
from invoices_assets.source.resource import ResourceSpec
from invoices_assets.source.values.paths import spelled

ORIGIN_KEY = "loaded_from"
ADDRESS = "address"
_SIZES = ("limit", "value_step", "current_value", "error_message_items")
"""What of dlt's paginators says nothing of which pages there are."""


@dataclass(frozen=True)
class Origin:
    """Where and how a resource is read.

    Parameters:
        address: of the API; None for one that does not count, such as a sandbox on a free port.
        parts: the parts of the declaration that decide which rows come, and as what -> hash.
    """

    address: str | None
    parts: Mapping[str, str]

    @classmethod
    def of(cls, spec: ResourceSpec, address: str | None) -> Origin:
        """The origin of a resource as it is declared now."""
        parent = [(param.param_name, param.resolve_config) for param in spec.resolved_params]
        declared = {
            "path": [spec.method, spec.path, spec.parent, parent, spec.include_from_parent, spec.ignored],
            "params": [spec.params, spec.client_headers, spec.headers, spec.json, spec.data],
            "data_selector": spec.data_selector,
            "paginator": _paging(spec),
            "columns": _columns(spec),
            "primary_key": [spec.primary_key, spec.key_fields],
            "incremental": _without_lag(spec.cursor),
            "window": _without_lag(spec.window),
        }
        return cls(_plain(address), {part: _hash(value) for part, value in declared.items()})

    @property
    def state(self) -> dict[str, Any]:
        """As it is kept in dlt's state."""
        return {ORIGIN_KEY: {**self.parts, **({ADDRESS: self.address} if self.address else {})}}

    def is_known_to(self, state: Mapping[str, Any]) -> bool:
        """Whether a state tells what it was made with."""
        return ORIGIN_KEY in state and (self.address is None or ADDRESS in state[ORIGIN_KEY])

    def other_address(self, state: Mapping[str, Any]) -> str | None:
        """The address that a state was made with, where it is another one.

        A state that names none is of an older version of this project, or of plain dlt, and is believed once:
        there is nothing to hold it against, and asking for everything would prove as little.
        """
        before = state.get(ORIGIN_KEY, {}).get(ADDRESS)
        return before if before and self.address and before != self.address else None

    def changed_parts(self, state: Mapping[str, Any]) -> list[str]:
        """The parts of the declaration that are others than those a state was made with, as far as it knows them."""
        known = state.get(ORIGIN_KEY, {})
        return [part for part, value in self.parts.items() if known.get(part, value) != value]


def _columns(spec: ResourceSpec) -> dict[str, Any]:
    """What decides the values of columns; what only tells of their meaning does not."""
    return {name: {"name": name, **column.deciding} for name, column in spec.columns.items() if column.deciding}


def _paging(spec: ResourceSpec) -> dict[str, Any]:
    """How pages are found, for a sweep by another way may have missed some; not how large they are."""
    fields = {name: spelled(value) for name, value in vars(spec.paginator).items() if name not in _SIZES}
    return {"type": type(spec.paginator).__name__, "totals": [spec.total_path, spec.has_totals], **fields}


def _without_lag(spec: CursorSpec | DateWindowSpec | None) -> dict[str, Any]:
    """How far a question reaches back changes neither rows nor cursor."""
    declared = asdict(spec) if spec else {}
    # what was declared before there was `x-format` in it keeps its hash
    return {name: value for name, value in declared.items() if name != "lag" and (name, value) != ("sent_as", None)}


def _hash(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _plain(address: str | None) -> str | None:
    """Host, port and path of an address. The scheme is no part of it: an API that begins to speak TLS is the same."""
    if address is None:
        return None
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2].lower()
    return host + parts.path.rstrip("/")
