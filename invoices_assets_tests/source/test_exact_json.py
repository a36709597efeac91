"""JSON without loss, also where msgspec hands back to Python's own parser."""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoices_assets.source.values.exact_json import (
    MAX_DEPTH,
    Unread,
    Unreadable,
    is_encodable,
    json_text,
    limited_json_text,
    read,
)

TEXTS = st.text(st.characters(codec=None))
NUMBERS = st.integers() | st.decimals(allow_nan=False, allow_infinity=False)
VALUES: st.SearchStrategy[Any] = st.recursive(
    TEXTS | NUMBERS | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=20,
)


@given(VALUES)
def test_what_is_written_is_read_as_it_was(value: Any) -> None:
    text = json_text(value)
    assert json.loads(text, parse_float=Decimal) == read(text.encode())[0] == value


@given(VALUES)
def test_both_readers_give_the_same(value: Any) -> None:
    text = json_text(value)
    [plain, careful] = read(f'[{text}, "\\ud800"]'.encode())[0][0], read(text.encode())[0]
    assert repr(plain) == repr(careful)


def test_the_text_is_that_of_earlier_versions() -> None:
    value = {"a": [1, Decimal("1.10"), Decimal("1E+3"), None, True], "ü": {}, "l": []}
    assert json_text(value) == '{"a": [1, 1.10, 1E+3, null, true], "ü": {}, "l": []}'
    assert json_text([value, "\ud800"]) == ('[{"a": [1, 1.10, 1E+3, null, true], "\\u00fc": {}, "l": []}, "\\ud800"]')


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"[1,]", b"[01]", b"NaN", b"[Infinity]", b"[-Infinity]", b"[1e99999999999999999999, NaN]"),
        *(b'["\xff"]', b"[" * 100_000, b"[" * 100_000 + b"]" * 99_999, b"[" * 100_000 + b'"' + b"]" * 100_000),
        b'"' + b'\\"' * 100_000,
    ],
    ids=range(13),
)
def test_what_is_no_complete_document_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read(body)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_document_in_another_encoding_is_read(encoding: str) -> None:
    assert read('{"ü": 0.10}'.encode(encoding))[0] == {"ü": Decimal("0.10")}


def test_a_number_that_no_decimal_holds_stays_as_it_is_written() -> None:
    [number, other], is_plain = read(b"[-1e99999999999999999999, 0.10]")
    assert (type(number), number.text, other, is_plain) == (Unread, "-1e99999999999999999999", Decimal("0.10"), False)
    assert json_text([number]) == "[-1e99999999999999999999]"


def test_an_integer_of_any_length_keeps_its_digits() -> None:
    [number], _ = read(b"[" + b"7" * 100_000 + b"]")
    assert str(number) == "7" * 100_000


def test_an_integer_keeps_its_digits_where_python_is_set_to_refuse_long_ones() -> None:
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(sys.int_info.str_digits_check_threshold)
    try:
        [number, other], _ = read(b"[" + b"7" * 900 + b", 1]")
        assert (str(number), other) == ("7" * 900, 1)
    finally:
        sys.set_int_max_str_digits(before)


@pytest.mark.parametrize("levels", [MAX_DEPTH + 200, 100_000])
def test_a_value_that_is_too_deep_is_written_as_it_came(levels: int) -> None:
    deep = "[" * levels + '"]"' + "]" * levels
    document, _ = read(f'{{"a": {deep}, "b": [1]}}'.encode())
    assert document["b"] == [1]
    assert json_text(document["a"]) == deep


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (["\ud800"], "is not valid Unicode"),
        (Decimal("1E+99999"), "exponent"),
        (int("9" * 1001), "digits"),
        ({"a": Unread("1e9", "is out of reach")}, "is out of reach"),
    ],
)
def test_a_text_that_others_read_on_has_limits(value: Any, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        limited_json_text(value)


@pytest.mark.parametrize(("text", "valid"), [("abc", True), ("é", True), ("a\ud800", False)])
def test_a_lone_surrogate_cannot_be_encoded(text: str, valid: bool) -> None:
    assert is_encodable(text) is valid
