"""An API's total may leave tombstones out, or count versions; any other number contradicts what came."""

from __future__ import annotations

from typing import Any

import pytest

from invoices_assets.errors import ExtractError, IncompleteSweep
from invoices_assets.extract.sweep import SweepResult
from invoices_assets_tests.support.paged_api import PATH, by_cursor, by_offset, by_page
from invoices_assets_tests.support.sweep_helpers import Records, config, swept
from invoices_assets_tests.vendor.fake_api import FakeApi, Reply

FLAG = {"data_type": "bool", "hard_delete": True}
VERSION = {"data_type": "bigint", "dedup_sort": "desc"}
STAMP = "2026-01-01T00:00:00Z"
RECORDS = [
    {"id": n, "updated_at": STAMP, "rev": 1} if n % 4 else {"id": n, "updated_at": STAMP, "gone": True, "rev": 1}
    for n in range(35)
]  # of which 9 are tombstones
VERSIONS = [{"id": n // 2, "updated_at": STAMP, "rev": n % 2} for n in range(34)]
PAGINATORS: dict[str, Any] = {
    "offset": {"type": "offset", "limit": 10, "total_path": "total"},
    "page_number": {"type": "page_number", "base_page": 1, "total_path": "total"},
    "cursor": {"type": "cursor", "cursor_path": "next", "cursor_param": "after"},
}
ANSWERS: dict[str, Any] = {"offset": by_offset, "page_number": by_page}


def read(
    api: FakeApi, style: str, records: list[Any], total: Any, hints: dict[str, Any]
) -> tuple[SweepResult, Records]:
    """Sweeps pages of ten, each with this total."""
    if style == "cursor":
        api.route(PATH)(by_cursor(records, beside={"total": total}))
    else:
        api.route(PATH)(ANSWERS[style](records, total=total))
    content = config(paginator=PAGINATORS[style], params={"limit": 10})
    content["resources"][0]["columns"] |= hints
    return swept(api.url, content)


@pytest.mark.parametrize("style", PAGINATORS)
@pytest.mark.parametrize("total", [35, 26])
def test_a_total_of_all_or_of_the_live_records_is_believed(api: FakeApi, style: str, total: int) -> None:
    result, records = read(api, style, RECORDS, total, {"gone": FLAG})
    assert records.ids == list(range(35))
    assert result.proven


@pytest.mark.parametrize(
    ("style", "total"),
    [*((style, total) for style in ANSWERS for total in (27, 34, 36, 44)), ("cursor", 36), ("cursor", 44)],
)
def test_any_other_total_is_a_contradiction(api: FakeApi, style: str, total: int) -> None:
    with pytest.raises(ExtractError, match=f"{total} records"):
        read(api, style, RECORDS, total, {"gone": FLAG})


@pytest.mark.parametrize("style", ANSWERS)
def test_without_the_hint_a_total_of_the_live_ones_is_a_contradiction(api: FakeApi, style: str) -> None:
    with pytest.raises(ExtractError):
        read(api, style, RECORDS, 26, {})


@pytest.mark.parametrize("style", PAGINATORS)
@pytest.mark.parametrize("total", [34, 17, None])
def test_versions_of_one_key_are_no_contradiction(api: FakeApi, style: str, total: int | None) -> None:
    result, records = read(api, style, VERSIONS, total, {"rev": VERSION})
    assert [(record["id"], record["rev"]) for record in records.records] == [(n // 2, n % 2) for n in range(34)]
    assert result.distinct == 17


def test_versions_that_no_total_counts_are_a_contradiction(api: FakeApi) -> None:
    with pytest.raises(IncompleteSweep, match="33 records"):
        read(api, "offset", VERSIONS, 33, {"rev": VERSION})


def test_without_the_hint_a_key_that_comes_twice_is_one(api: FakeApi) -> None:
    with pytest.raises(IncompleteSweep, match="came twice"):
        read(api, "cursor", VERSIONS, None, {})


def test_pages_of_the_same_keys_in_other_versions_are_not_the_same_page(api: FakeApi) -> None:
    records = [{"id": n, "updated_at": STAMP, "rev": rev} for rev in (1, 2, 3) for n in range(10)]
    _, found = read(api, "page_number", records, None, {"rev": VERSION})
    assert len(found.records) == 30


def test_the_same_page_twice_is_one_in_spite_of_versions(api: FakeApi) -> None:
    api.route(PATH, Reply(body={"data": VERSIONS[:10]}))
    content = config(paginator=PAGINATORS["page_number"] | {"total_path": None})
    content["resources"][0]["columns"]["rev"] = VERSION
    with pytest.raises(IncompleteSweep, match="ignores `page`"):
        swept(api.url, content)


def test_a_flag_that_is_spelled_otherwise_than_declared_counts(api: FakeApi) -> None:
    records = [{"id": n, "updated_at": STAMP, "isGone": n < 9} for n in range(35)]
    assert read(api, "offset", records, 26, {"is_gone": FLAG})[0].proven
