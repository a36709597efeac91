"""The text of a draft: YAML with a comment at each line that was not proven."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from invoices_assets.describe.draft.columns import DraftedColumn
from invoices_assets.describe.draft.trial import RESOURCE

_WIDTH = 118


@dataclass(frozen=True)
class Draft:
    """What was found out.

    Parameters:
        address: of the API, without a secret.
        requests: that were sent.
        client, key, endpoint: as in the YAML; each part of the endpoint in the order in which it is written.
        columns: name -> column.
        notes: part of the YAML -> what was not proven, in sentences; `client`, `columns` or a key of the
            endpoint.
    """

    address: str
    requests: int
    client: Mapping[str, Any]
    key: str
    endpoint: Mapping[str, Any]
    columns: Mapping[str, DraftedColumn]
    notes: Mapping[str, list[str]] = field(default_factory=dict)


def text_of(draft: Draft) -> str:
    """The draft as YAML."""
    lines = [
        f"# Drafted from the answers of {draft.address}, by {draft.requests} requests.",
        "# What the answers did not prove is marked as unproven.",
        *_comments(draft.notes.get("client", ()), ""),
        *(["client:", *_pairs(draft.client, "  ")] if draft.client else ["client: {}"]),
        "",
        "resource_defaults:",
        f"  primary_key: {_flow(draft.key)}",
        "  write_disposition: merge",
        "",
        "resources:",
        f"  - name: {RESOURCE}",
        "    endpoint:",
    ]
    for name in dict.fromkeys((*draft.endpoint, *draft.notes)):
        if name not in ("client", "columns"):
            lines += _comments(draft.notes.get(name, ()), "      ")
            lines += _pairs({name: draft.endpoint[name]}, "      ") if name in draft.endpoint else []
    lines += _comments([*draft.notes.get("columns", ()), *_shared(draft.columns)], "    ")
    declared = {name: column for name, column in draft.columns.items() if column.hints}
    lines += ["    # Fields that are not named here are loaded too: texts as text, numbers as DECIMAL(38, 9)."]
    lines += ["    columns:"] if declared else []
    for name, column in declared.items():
        lines += _pairs({name: column.hints}, "      ")
    return "\n".join(lines) + "\n"


def _pairs(pairs: Mapping[str, Any], indent: str) -> Iterator[str]:
    for name, value in pairs.items():
        yield f"{indent}{_flow(name)}: {_flow(value)}"


def _shared(columns: Mapping[str, DraftedColumn]) -> Iterator[str]:
    """Each note on columns once, with the names of them all."""
    named: dict[str, list[str]] = {}
    for name, column in columns.items():
        if column.note:
            named.setdefault(column.note, []).append(f"`{name}`")
    yield from (f"{', '.join(names)}: {note}" for note, names in named.items())


def _flow(value: Any) -> str:
    """A value on one line."""
    plain = {**value} if isinstance(value, Mapping) else value
    text = yaml.safe_dump(plain, default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True)
    return text.removesuffix("...\n").strip()


def _comments(notes: Iterable[str], indent: str) -> Iterator[str]:
    for note in notes:
        line = f"{indent}# unproven:"
        for word in "".join(char if char.isprintable() else " " for char in note).split():
            if len(line) + 1 + len(word) > _WIDTH:
                yield line
                line = f"{indent}#  "
            line += f" {word}"
        yield line
