"""Reading one answer: every digit, the total wherever it stands, and only the data that was described."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from dlt.common import jsonpath
from jsonpath_ng import Child
from requests.structures import CaseInsensitiveDict

from invoices_assets.errors import BadAnswer, UnreadableBody
from invoices_assets.extract.page import Page, read_page
from invoices_assets.source.values.paths import spelled


def page(body: bytes, headers: dict[str, str] | None = None, **options: Any) -> Page:
    options.setdefault("data_selector", "data")
    return read_page(body, CaseInsensitiveDict(headers or {}), **options)


def test_numbers_keep_every_digit() -> None:
    [record] = page(
        b'{"data": [{"a": 0.10, "b": 1e3, "c": -0.00, "d": 1234567890123456789.123456789, "e": 10}]}'
    ).records
    assert str(record["a"]) == "0.10"
    assert record["b"] == Decimal(1000)
    assert record["d"] == Decimal("1234567890123456789.123456789")
    assert type(record["e"]) is int


@pytest.mark.parametrize(
    ("body", "path", "total"),
    [
        (b'{"data": [], "total": 2500}', "total", 2500),
        (b'{"data": [], "total": "2500"}', "total", 2500),
        (b'{"data": [], "total": 2500.0}', "total", 2500),
        (b'{"data": [], "total": -1}', "total", None),
        (b'{"data": [], "total": null}', "total", None),
        (b'{"data": [], "total": true}', "total", None),
        (b'{"data": [], "total": "many"}', "total", None),
        (b'{"data": [], "total": "-1"}', "total", None),
        (b'{"data": [], "total": ""}', "total", None),
        (b'{"data": [], "meta": {"total": 7}}', "meta.total", 7),
        (b'{"data": [], "@odata.count": 7}', "@odata.count", 7),
        (b'{"data": [], "a.b": 7}', "a.b", 7),
        (b'{"data": []}', "total", None),
    ],
)
def test_the_total_is_read_where_the_source_says(body: bytes, path: str, total: int | None) -> None:
    assert page(body, total_path=path).total == total


@pytest.mark.parametrize("total", ["1,025", "1 025", "1.025", "2,500,000", "10000+", "25 of 300"])
def test_a_total_that_nobody_can_read_is_not_passed_over(total: str) -> None:
    body = f'{{"data": [], "total": "{total}"}}'.encode()
    with pytest.raises(BadAnswer, match="`total`, the total, is a number as people write it"):
        page(body, total_path="total")
    assert page(body, total_path="total", totals=False).total is None


def test_a_text_that_counts_nothing_is_no_total() -> None:
    body = b'{"data": [], "total": "1250.50"}'
    assert page(body, total_path="total").total is None
    assert page(body, {"X-Total-Count": "25"}, total_path="total").total == 25


@pytest.mark.parametrize(
    "headers", [{"x-total-count": "2500"}, {"Content-Range": "items 0-99/2500"}, {"Total-Records": "2500"}]
)
def test_the_total_is_read_from_a_header(headers: dict[str, str]) -> None:
    assert page(b'{"data": []}', headers).total == 2500


@pytest.mark.parametrize(
    ("body", "selector", "records"),
    [
        (b'[{"id": 1}]', "$", [{"id": 1}]),
        (b'[{"id": 1}]', None, [{"id": 1}]),
        (b'{"result": {"items": [{"id": 1}]}}', "result.items", [{"id": 1}]),
        (b'{"@odata.value": [{"id": 1}]}', "@odata.value", [{"id": 1}]),
        (b'{"data": {"id": 1}}', "data", [{"id": 1}]),
        (b'{"data": null}', "data", []),
        (
            b'{"data": [{"invoice": {"id": 1}}, {"invoice": {"id": 2}}]}',
            "data[*].invoice",
            [{"id": 1}, {"id": 2}],
        ),
        (b'\xef\xbb\xbf{"data": [{"id": 1}]}', "data", [{"id": 1}]),
    ],
)
def test_records_are_read_where_the_source_says(body: bytes, selector: str | None, records: list[Any]) -> None:
    assert page(body, data_selector=selector).records == records


def test_an_answer_without_the_data_names_its_keys_and_never_their_values() -> None:
    with pytest.raises(BadAnswer) as caught:
        page(b'{"error": "secret-words", "code": 17}')
    assert "no `data`" in str(caught.value)
    assert "`error`, `code`" in str(caught.value)
    assert "secret-words" not in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b'{"data": [',
        b'{"data": [NaN]}',
        b"[" * 100_000,
    ],
)
def test_a_body_that_is_no_json_document_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableBody):
        page(body)


def test_a_body_that_is_not_in_utf_8_is_said_to_be_so() -> None:
    with pytest.raises(UnreadableBody, match=r"\(.*, not in UTF-8, 26 bytes\)"):
        page('{"data": [{"n": "Ärger"}]}'.encode("latin-1"))


@pytest.mark.parametrize("path", ["total", "meta.count", "@odata.nextLink", "$.meta.count"])
def test_a_compiled_path_is_spelled_as_it_was_written_whatever_the_version_of_jsonpath_ng(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Child, "__str__", lambda child: f"({child.left}.{child.right})")  # as 1.8 does
    assert spelled(jsonpath.compile_path(path)) == path
