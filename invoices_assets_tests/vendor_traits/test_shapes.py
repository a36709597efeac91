"""What answers look like, and in which order they come; configuration alone reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from invoices_assets_tests.support.traits import (
    Trait,
    assert_loaded_exactly,
    assert_swept_exactly,
    named,
    offset,
    source,
    trait,
)
from invoices_assets_tests.vendor import Contract, Paging, Total

pytestmark = pytest.mark.usefixtures("waits")

SHAPES = [
    trait(
        "a bare array",
        contract=Contract(data=(), total=Total(None, "X-Total-Count")),
        source=source(data_selector="$"),
    ),
    trait(
        "a bare array, no selector",
        contract=Contract(data=(), total=Total(None)),
        source=source(data_selector=None),
    ),
    trait(
        "a nested selector",
        contract=Contract(data=("response", "result", "items"), total=Total(("response", "paging", "count"))),
        source=source(data_selector="response.result.items", paginator=offset(total_path="response.paging.count")),
    ),
    trait(
        "keys with dots",
        contract=Contract(data=("d.results",), total=Total(("meta.total",))),
        source=source(data_selector="d.results", paginator=offset(total_path="meta.total")),
    ),
    trait(
        "keys with @",
        contract=Contract(data=("value",), total=Total(("@odata.count",))),
        source=source(data_selector="value", paginator=offset(total_path="@odata.count")),
    ),
    trait(
        "keys with @ and links",
        contract=Contract(
            data=("value",), total=Total(None), paging=Paging(style="json_link", next=("@odata.nextLink",))
        ),
        source=source(data_selector="value", paginator={"type": "json_link", "next_url_path": "@odata.nextLink"}),
    ),
    trait("the last page collapsed to an object", contract=Contract(collapse_single=True), records=201),
    trait("the only record collapsed to an object", contract=Contract(collapse_single=True), records=1),
    trait("newest first", contract=Contract(order="newest")),
    trait(
        "a random order, and a stable sort asked for",
        contract=Contract(order="random", sort="order_by"),
        source=source(params={"order_by": "id"}),
    ),
    trait(
        "closed records hidden, and all asked for",
        contract=Contract(hides={"status": ("paid", "void")}),
        source=source(params={"show_all": 1}),
    ),
    trait(
        "pages counted from 1, with names of its own",
        contract=Contract(
            total=Total(("totalItems",)), paging=Paging(style="page", position="pageNumber", limit="perPage")
        ),
        source=source(
            paginator={
                "type": "page_number",
                "base_page": 1,
                "page_param": "pageNumber",
                "total_path": "totalItems",
            },
            params={"perPage": 40},
        ),
    ),
]


@pytest.mark.parametrize("api", SHAPES)
def test_everything_arrives_from(api: Trait) -> None:
    assert_swept_exactly(api)


@pytest.mark.parametrize("api", named(SHAPES, "the last page collapsed to an object"))
def test_a_run_loads_everything_from(api: Trait, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert_loaded_exactly(api, monkeypatch, tmp_path)
