"""The usual places for a key in a request, those first that a refusal names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from invoices_assets.describe.draft.asking import Auth
from invoices_assets.errors import ApiStatusError, KeyRefused

BEARER: Auth = {"type": "bearer"}
BASIC: Auth = {"type": "http_basic"}
TOKEN = {"type": "api_key", "name": "Authorization", "location": "header", "x-prefix": "Token "}
RAW = {"type": "api_key", "name": "Authorization", "location": "header"}

_HEADER = re.compile(
    r"\b((?:X|Api|Auth|Access)-[A-Za-z-]*(?:Key|Token|Auth|Authorization)|api-?key header)\b", re.IGNORECASE
)
_PARAMETER = re.compile(r"\b(?:HTTP_)?(\w*?api_?key|access_?token|auth_?token|api_?token)\b", re.IGNORECASE)


def in_header(name: str) -> dict[str, Any]:
    """The key alone in a header."""
    return {"type": "api_key", "name": name, "location": "header"}


def in_query(name: str) -> dict[str, Any]:
    """The key as a parameter."""
    return {"type": "api_key", "name": name, "location": "query"}


def places_for(key: str, refusal: ApiStatusError | None) -> list[Auth]:
    """Where the key may have to be, in the order in which to try.

    Parameters:
        key: only whether it is `user:password` counts.
        refusal: what the API said to a request without a key.
    """
    usual = (BEARER, in_header("X-Api-Key"), in_query("api_key"), TOKEN, RAW, BASIC)
    first = [BASIC] if ":" in key else []
    found: list[Auth] = []
    for place in (*(_named(refusal) if refusal is not None else ()), *first, *usual):
        if place not in found:
            found.append(place)
    return found


def _named(refusal: ApiStatusError) -> Iterator[Auth]:
    """What a refusal names."""
    challenge = refusal.challenge.lower() if isinstance(refusal, KeyRefused) else ""
    for word, place in (("basic", BASIC), ("bearer", BEARER), ("token", TOKEN)):
        if re.search(rf"(^|,)\s*{word}\b", challenge):
            yield place
    said = str(refusal)
    yield from (in_header(name) for name in _HEADER.findall(said) if " " not in name)
    if re.search(r"\bbearer\b", said, re.IGNORECASE):
        yield BEARER
    for name in _PARAMETER.findall(said):
        if re.search(r"\bheaders?\b", said, re.IGNORECASE):
            yield in_header(name)
        yield in_query(name)
