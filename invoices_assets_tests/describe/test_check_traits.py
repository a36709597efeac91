"""`describe check` finds nothing wrong in a description that loads exactly, whatever the API is like."""

from __future__ import annotations

from typing import Any

import pytest

from invoices_assets.describe.finding import Verdict
from invoices_assets_tests.support.describing import checked, checked_at, verdict_on
from invoices_assets_tests.support.traits import SECRET, Trait
from invoices_assets_tests.vendor import Book, Contract, serve
from invoices_assets_tests.vendor_traits.test_access import ACCESS
from invoices_assets_tests.vendor_traits.test_filters import FILTERS
from invoices_assets_tests.vendor_traits.test_shapes import SHAPES
from invoices_assets_tests.vendor_traits.test_values import NOTATIONS, STAMPS


def wrong(found: Any) -> list[str]:
    return [finding.sentence for finding in found if finding.verdict is Verdict.WRONG]


@pytest.mark.parametrize("api", [*ACCESS, *SHAPES])
def test_nothing_is_wrong_with(api: Trait) -> None:
    with serve(Book.of(api.records), contract=api.contract, key=SECRET) as server:
        assert wrong(checked(server.url, dict(api.source), api.key)) == []


@pytest.mark.parametrize(("contract", "content"), FILTERS)
def test_a_filter_is_seen_to_be_heeded_that_is(contract: Contract, content: dict[str, Any]) -> None:
    with serve(Book.of(250), contract=contract) as server:
        assert verdict_on(checked_at(server, content), "change filter") is Verdict.OK


@pytest.mark.parametrize(("write", "content", "style"), NOTATIONS)
def test_the_declared_types_hold_for(write: Any, content: dict[str, Any], style: dict[str, Any]) -> None:
    with serve(Book.of(120, change=write), contract=Contract(**style)) as server:
        assert wrong(checked_at(server, content)) == []


@pytest.mark.parametrize(("style", "content"), STAMPS)
def test_the_change_stamps_are_read_as(style: str, content: dict[str, Any]) -> None:
    with serve(Book.of(120), contract=Contract(stamps=style)) as server:
        assert wrong(checked_at(server, content)) == []
