"""What a walk reads of a page is what the whole page says."""

from __future__ import annotations

from typing import Any

import pytest

from invoices_assets.errors import BadAnswer
from invoices_assets.extract.page import Page, read_page
from invoices_assets.extract.projection import Projection
from invoices_assets.source.values.paths import plain_keys
from invoices_assets_tests.support.sweep_helpers import config, swept_from
from invoices_assets_tests.vendor import Book, Contract, Total, serve

USUAL = b'{"data": [{"id": "a", "updated_at": "2026-01-01", "total": 1.50, "x": {"y": [1]}}], "total": 7}'


def read(body: bytes, selector: str = "data", total: str = "total", *, outlined: bool = True) -> Page:
    places, totals = plain_keys(selector), plain_keys(total)
    outline = Projection(["id"], ["updated_at"], places, [] if () in places else totals)
    return read_page(body, {}, data_selector=selector, total_path=total, projection=outline if outlined else None)


def seen(body: bytes, selector: str = "data", total: str = "total", *, outlined: bool) -> Any:
    """What a walk and a load see of a page, or what is said of it."""
    try:
        page = read(body, selector, total, outlined=outlined)
    except BadAnswer as error:
        return str(error)
    looked_at = [
        [record.get(key) for key in ("id", "updated_at")] if isinstance(record, dict) else record
        for record in page.outline
    ]
    return looked_at, page.total, page.records, page.body


def test_a_usual_page_is_only_read_in_outline() -> None:
    page = read(USUAL)
    assert page.outline == [{"id": "a", "updated_at": "2026-01-01"}]
    assert page.total == 7


def test_its_other_fields_are_read_when_they_are_asked_for() -> None:
    assert [str(record["total"]) for record in read(USUAL).records] == ["1.50"]


@pytest.mark.parametrize(
    "body",
    [
        USUAL,
        b"\xef\xbb\xbf" + USUAL,
        USUAL.decode().encode("utf-16"),
        USUAL[:-9],
        USUAL + b"x",
        *(USUAL.replace(b'"x"', name) for name in (b'"\xff"', b'"\\ud800"')),
        *(USUAL.replace(b"1.50", number) for number in (b"NaN", b"01")),
        *(USUAL.replace(b'"a"', id) for id in (b"123456789012345678901234567890", b"1.5e3", b'{"of": 1}')),
        *(USUAL.replace(b'"id": "a",', other) for other in (b"", b'"Id": "a",', b'"id": "b", "id": "a",')),
        USUAL.replace(b'"updated_at": "2026-01-01",', b""),
        *(USUAL.replace(b": 7", total) for total in (b': "7"', b": {}")),
        b'{"data": null, "total": 7}',
        b'{"data": [], "total": 7}',
        b'{"data": {"id": "a"}}',
        b'{"data": [{"id": "a"}, null, 5]}',
        b'{"data": "busy"}',
        b'{"error": {"code": "busy"}}',
        b"",
    ],
)
def test_both_ways_see_the_same_of_any_body(body: bytes) -> None:
    assert seen(body, outlined=True) == seen(body, outlined=False)


@pytest.mark.parametrize(
    ("body", "selector", "total"),
    [
        (b'[{"id": "a"}, {"id": "b"}]', "$", "total"),
        (b'{"id": "a"}', "$", "total"),
        (b'{"result": {"items": [{"id": "a"}]}, "meta": {"count": 3}}', "result.items", "meta.count"),
        (b'{"result.items": [{"id": "a"}], "meta.count": 3}', "result.items", "meta.count"),
        (b'{"page": {"items": [{"id": "a"}], "count": 3}}', "page.items", "page.count"),
        (b'{"value": [{"id": "a"}], "@odata.count": 3}', "value", "@odata.count"),
    ],
)
def test_both_ways_see_the_same_wherever_it_stands(body: bytes, selector: str, total: str) -> None:
    assert seen(body, selector, total, outlined=True) == seen(body, selector, total, outlined=False)


@pytest.mark.parametrize("total_path", ["meta.count", "$.meta.count", "$['meta']['count']"])
def test_a_total_is_found_wherever_a_path_leads(total_path: str) -> None:
    with serve(book=Book.of(250), contract=Contract(total=Total(("meta", "count")))) as server:
        content = config(paginator={"type": "offset", "limit": 100, "total_path": total_path})
        swept, records = swept_from(server, content)
        assert swept.total == 250
        assert len(records.ids) == 250
