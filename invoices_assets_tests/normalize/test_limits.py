"""Values beyond every limit reject their record, never the run: numbers without an end, nesting without a bottom."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from invoices_assets.extract.page import Page, read_page
from invoices_assets.extract.projection import Projection
from invoices_assets.normalize.converter import Converter
from invoices_assets_tests.support.column_helpers import DECIMAL, declared, rows
from invoices_assets_tests.support.loader import Loader
from invoices_assets_tests.support.sweep_helpers import config
from invoices_assets_tests.vendor.fake_api import FakeApi, Reply

COLUMNS: dict[str, Any] = {
    "id": {"data_type": "text"},
    "money": DECIMAL,
    "count": {"data_type": "bigint"},
    "ratio": {"data_type": "double"},
    "stamp": {"data_type": "timestamp", "x-format": "epoch_ms"},
    "text": {"data_type": "text"},
    "kept": {"data_type": "json"},
}
NUMBERS = {
    "exponent": "1e999999999",
    "exponent of a fraction": "1e-999999999",
    "exponent beyond any Decimal": "-1e99999999999999999999",
    "fraction beyond any Decimal": "1E-99999999999999999999",
    "digits": "7" * 100_000,
    "digits after the point": "0." + "7" * 100_000,
}
NESTED = {
    "lists": "[" * 10_000 + "]" * 10_000,
    "objects": '{"o":' * 10_000 + "1" + "}" * 10_000,
    "both": '[{"o":' * 10_000 + '"[{"' + "}]" * 10_000,
    "600 levels": "[" * 600 + "]" * 600,
    "beside others": '{"a":[],"o":' * 10_000 + "1" + "}" * 10_000,
}
TINY = ("1e-999999999", NUMBERS["digits after the point"])
"""What a double holds, as any fraction, without all of its digits."""
FIELDS = dict.fromkeys(["money", "count", "ratio", "stamp", "text", "kept", "any", "new"], "%s")
FIELDS |= {"list": "[%s]", "deeper": '{"a": %s}'}
PROJECTION = Projection(["id"], ["stamp"], [("data",)], [("total",)])


def page(*records: str, quick: bool) -> Page:
    body = '{"data": [' + ",".join(records) + '], "total": 3}'
    return read_page(body.encode(), {}, data_selector="data", projection=PROJECTION if quick else None)


def record(number: int, **values: str) -> str:
    fields = {"id": f'"{number}"', "money": "1.10", "count": "3", "ratio": "1.5", "text": '"t"', "kept": '{"k":1}'}
    fields |= {"stamp": "1700000000000", "any": "2.5"} | values
    return "{" + ", ".join(f"{json.dumps(key)}: {text}" for key, text in fields.items()) + "}"


@pytest.mark.parametrize("quick", [True, False], ids=["outline first", "whole"])
@pytest.mark.parametrize("literal", [*NUMBERS.values(), *NESTED.values()], ids=[*NUMBERS, *NESTED])
def test_a_value_beyond_all_limits_rejects_its_record_and_no_other(literal: str, quick: bool) -> None:
    converter = Converter(declared(COLUMNS))
    converter.convert_pages([page(record(1), record(2), quick=quick)])
    fields = [field for field in FIELDS if field != "ratio" or literal not in TINY]
    bad = [record(100 + n, **{field: FIELDS[field] % literal}) for n, field in enumerate(fields)]
    made = converter.convert_pages([page(record(3), *bad, record(5), quick=quick)])
    assert [row["id"] for row in rows(made)] == ["3", "5"]
    for n, (field, rejected) in enumerate(zip(fields, made.rejected, strict=True)):
        assert rejected.key == str(100 + n)
        assert rejected.reason.startswith(f"`{field}")
        assert len(rejected.reason) < 200
        assert literal in NESTED.values() or literal.upper() in rejected.raw.upper().replace("E+", "E")


@pytest.mark.parametrize("literal", ["1e5", "9" * 1000, "0." + "1" * 999, "1e-9999", "1e00000005"])
def test_a_text_column_keeps_a_number_within_the_limits(literal: str) -> None:
    made = Converter(declared(COLUMNS)).convert_pages([page(record(1, text=literal, kept=literal), quick=False)])
    assert made.rejected == []


def test_digits_in_a_text_are_no_number() -> None:
    text = json.dumps('"' + "7" * 5000 + " 1e99999 " + "[" * 5000)
    made = Converter(declared(COLUMNS)).convert_pages([page(record(1, text=text, kept=f"[{text}]"), quick=False)])
    assert made.rejected == []


def test_a_run_loads_what_is_beside_records_beyond_all_limits(tmp_path: Path) -> None:
    bad = [*NUMBERS.values(), *NESTED.values()]
    records = [record(number) for number in range(50)]
    records += [record(100 + number, money=literal) for number, literal in enumerate(bad)]
    body = '{"data": [' + ",".join(records) + f'], "total": {len(records)}}}'
    with FakeApi() as api:
        api.route("/v1/invoices", Reply(body=body.encode()))
        content = config(paginator="single_page", incremental=None, params=None)
        content["resources"][0]["columns"] = COLUMNS
        Loader(tmp_path, api.url, content).load()
    with duckdb.connect(str(tmp_path / "invoices.duckdb"), read_only=True) as warehouse:
        assert warehouse.execute("SELECT count(*) FROM invoicing.invoices").fetchall() == [(50,)]
        assert warehouse.execute("SELECT key FROM invoicing.invoices_rejected ORDER BY 1").fetchall() == [
            (str(100 + number),) for number in range(len(bad))
        ]
