"""The columns of a draft: what the values and the names of fields show, and nothing that one of them contradicts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from invoices_assets.describe.draft.columns import columns_of
from invoices_assets.describe.draft.trial import spec_of
from invoices_assets.normalize.converter import Converter

MONEY = {"data_type": "decimal", "precision": 38, "scale": 9}

FIELDS: dict[str, tuple[str, list[Any], dict[str, Any] | None]] = {
    "fractions are money": ("gross", [Decimal("1.5"), Decimal("2.25"), None], MONEY),
    "whole amounts are money": ("total_net", [100, 250], MONEY),
    "texts with decimals are money": ("total_ttc", ["119.00000000", "1.5"], MONEY),
    "a zero as text is money": ("amount", ["0", "12.50"], MONEY),
    "more digits widen the scale": ("price", ["0.12345678901"], {**MONEY, "scale": 11}),
    "a total of pages is no money": ("total_count", [3, 4], None),
    "a number of an invoice is no number": ("number", ["2026.1", "INV-7"], None),
    "digits with leading zeros are no number": ("vat_number", ["0123.4", "0456.7"], None),
    "a flag of 0 and 1 is no money": ("paid", [0, 1, 1], None),
    "a plain count stays what it is": ("position", [1, 2, 3], None),
    "days": ("issue_date", ["2026-01-31", None, "2026-02-28"], {"data_type": "date"}),
    "days and no date": ("due", ["2026-01-31", "", "0000-00-00"], {"data_type": "date"}),
    "stamps with a zone": (
        "created",
        ["2026-01-31T10:00:00Z", "2026-01-31T10:00:00.5+01:00"],
        {"data_type": "timestamp"},
    ),
    "stamps without a zone": ("created", ["2026-01-31 10:00:00"], {"data_type": "timestamp", "timezone": False}),
    "stamps of both kinds stay text": ("created", ["2026-01-31T10:00:00Z", "2026-01-31T10:00:00"], None),
    "stamps finer than a microsecond stay text": ("created", ["2026-01-31T10:00:00.1234567Z"], None),
    "a day that does not exist stays text": ("issue_date", ["2026-02-30"], None),
    "day first": ("issue_date", ["31-12-2026", "01-02-2026"], {"data_type": "date", "x-format": "%d-%m-%Y"}),
    "month first": ("issue_date", ["12/31/2026", "01/02/2026"], {"data_type": "date", "x-format": "%m/%d/%Y"}),
    "with points": ("issue_date", ["01.02.2026", "03.04.2026"], {"data_type": "date", "x-format": "%d.%m.%Y"}),
    "day or month first stays text": ("issue_date", ["01/02/2026", "03/04/2026"], None),
    "an HTTP date": (
        "modified",
        ["Sat, 31 Jan 2026 10:00:00 GMT"],
        {"data_type": "timestamp", "x-format": "%a, %d %b %Y %H:%M:%S GMT"},
    ),
    "seconds": ("created", [1_795_607_285, 1_795_607_286], {"data_type": "timestamp", "x-format": "epoch_s"}),
    "milliseconds": ("last_modified", [1_795_607_285_969], {"data_type": "timestamp", "x-format": "epoch_ms"}),
    "camel case": ("updatedAt", [1_795_607_285], {"data_type": "timestamp", "x-format": "epoch_s"}),
    "seconds that may be missing as 0": (
        "voided_at",
        [0, 1_795_607_285],
        {"data_type": "timestamp", "x-format": "epoch_s"},
    ),
    "a large amount is no moment": ("amount", [1_795_607_285], MONEY),
    "a large number is no moment": ("serial", [1_795_607_285], None),
    "texts": ("status", ["paid", "open"], None),
    "numbers and texts together": ("total", [1, "12.50"], None),
    "objects and numbers together": ("total", [1, {"amount": 2}], None),
    "only null": ("note", [None, None], None),
}


@pytest.mark.parametrize("case", FIELDS)
def test_a_column_is_drafted_as_its_values_and_its_name_show(case: str) -> None:
    name, values, hints = FIELDS[case]
    records = [{"id": f"i{n}", name: value} for n, value in enumerate(values)]
    drafted = columns_of(records, "id")
    assert (dict(drafted[name].hints) or None if name in drafted else None) == hints


@pytest.mark.parametrize("case", FIELDS)
def test_no_record_seen_is_rejected_by_its_own_draft(case: str) -> None:
    name, values, _ = FIELDS[case]
    records = [{"id": f"i{n}", name: value, "lines": [{name: value}]} for n, value in enumerate(values)]
    columns = {path: dict(column.hints) for path, column in columns_of(records, "id").items() if column.hints}
    resource = {
        "name": "invoices",
        "endpoint": {"path": "/", "paginator": "single_page"},
        "columns": columns,
        "primary_key": "id",
        "write_disposition": "merge",
    }
    converted = Converter(spec_of({"client": {}, "resources": [resource]})).convert(records)
    assert converted.rejected == []


def test_line_items_and_nested_objects_have_columns_of_their_own() -> None:
    records = [{"id": 7, "customer": {"since": "2020-01-31"}, "line_items": [{"amount": Decimal("1.5"), "pos": 1}]}]
    drafted = {path: dict(column.hints) for path, column in columns_of(records, "id").items()}
    assert drafted == {
        "id": {"data_type": "bigint", "nullable": False},
        "customer__since": {"data_type": "date"},
        "line_items__amount": MONEY,
    }


def test_two_fields_that_become_one_column_are_not_declared() -> None:
    records = [{"id": "a", "updatedAt": "2026-01-31", "updated_at": "2026-01-31"}]
    assert list(columns_of(records, "id")) == ["id"]
