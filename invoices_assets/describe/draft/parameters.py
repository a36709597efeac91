"""Finds out which of several usual names a parameter has, with few requests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from invoices_assets.describe.draft.asking import Listing
from invoices_assets.describe.draft.records import Listed

FIRST = 3
"""So many names of a usual list are the likely ones."""

Test = Callable[[Listed], bool]


def find_parameter(
    listing: Listing, names: Sequence[str], value: Any, heeded: Test, ignored: Test, *, alone: int = FIRST
) -> str | None:
    """The name under which the API heeds a value; None where it heeds none.

    Most APIs ignore what they do not know, so that many names can be asked for at once. Others answer an error or
    nothing, and are asked name by name.

    Parameters:
        names: likely ones first.
        value: that each of them is sent with.
        heeded: whether an answer shows that the value was heeded.
        ignored: whether an answer is the one without the parameter.
        alone: so many names are tried alone before the others are tried all together.
    """
    for name in names[:alone]:
        if _is_heeded(listing, [name], value, heeded):
            return name
    others = list(names[alone:])
    if not others:
        return None
    together = listing.page(dict.fromkeys(others, value))
    if together is not None and ignored(together):
        return None
    if together is None or not heeded(together):
        return next((name for name in others if _is_heeded(listing, [name], value, heeded)), None)
    while len(others) > 1:
        half = others[: len(others) // 2]
        others = half if _is_heeded(listing, half, value, heeded) else others[len(half) :]
    return others[0] if _is_heeded(listing, others, value, heeded) else None


def _is_heeded(listing: Listing, names: Sequence[str], value: Any, heeded: Test) -> bool:
    page = listing.page(dict.fromkeys(names, value))
    return page is not None and heeded(page)
