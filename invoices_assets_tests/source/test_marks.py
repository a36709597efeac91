"""dlt's hints `hard_delete` and `dedup_sort` stand where they can be followed, or are refused."""

from __future__ import annotations

from typing import Any

import pytest

from invoices_assets.errors import SourceError
from invoices_assets_tests.support.column_helpers import declared

FLAG = {"hard_delete": True}


def test_a_hard_delete_without_a_type_is_a_bool() -> None:
    spec = declared({"deleted": FLAG, "version": {"data_type": "bigint", "dedup_sort": "desc"}})
    assert spec.marks.tombstone is not None
    assert (spec.marks.tombstone.kind, spec.marks.fields) == ("bool", ["deleted", "version"])


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"deleted": FLAG, "gone": FLAG}, "both `deleted` and `gone` have `hard_delete`"),
        ({"line_items__deleted": FLAG}, "only a column of the main table"),
        ({"id": {"data_type": "text", "hard_delete": True}}, "is of the primary key"),
        ({"deleted": {"hard_delete": "yes"}}, "`hard_delete` 'yes'; it must be true or false"),
        ({"version": {"data_type": "bigint", "dedup_sort": "newest"}}, "`dedup_sort` 'newest'; it must be asc or desc"),
        ({"version": {"dedup_sort": "desc"}}, "needs a `data_type` that has an order"),
        ({"version": {"data_type": "json", "dedup_sort": "desc"}}, "needs a `data_type` that has an order"),
        ({"lines__v": {"data_type": "bigint", "dedup_sort": "asc"}}, "only a column of the main table"),
    ],
)
def test_a_hint_that_cannot_be_followed_is_refused(columns: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SourceError, match=sentence):
        declared(columns)
