"""Row ids are those that dlt gives, whatever the keys of a batch are."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from dlt.common.normalizers.json.helpers import get_nested_row_hash, get_row_hash
from hypothesis import given
from hypothesis import strategies as st

from invoices_assets.normalize.row_ids import key_ids, nested_ids

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.lists(TEXTS | st.sampled_from(['"', "\\", ",", '","', "\n", "\x00", "é", "\u2028", ""])))
def test_keys_of_one_text(keys: list[str]) -> None:
    assert key_ids({"id": keys}) == [get_row_hash({"id": key}) for key in keys]


@pytest.mark.parametrize("keys", [[1, 2], ["1", 2], [None, "a"], [True], [1.5]], ids=str)
def test_keys_that_are_not_all_texts(keys: list[Any]) -> None:
    assert key_ids({"id": keys}) == [get_row_hash({"id": key}) for key in keys]


@given(st.lists(st.tuples(TEXTS, TEXTS)))
def test_keys_of_two_fields(keys: list[tuple[str, str]]) -> None:
    columns = {"number": [number for number, _ in keys], "country": [country for _, country in keys]}
    assert key_ids(columns) == [get_row_hash({"number": n, "country": c}) for n, c in keys]


@given(st.lists(st.tuples(TEXTS, st.integers(0, 2000))))
def test_nested_rows(rows: list[tuple[str, int]]) -> None:
    ids = nested_ids("invoices__lines", [parent for parent, _ in rows], [position for _, position in rows])
    assert ids == [get_nested_row_hash(parent, "invoices__lines", position) for parent, position in rows]


def test_no_variable_of_dlt_makes_them_shorter() -> None:
    code = "from invoices_assets.normalize.row_ids import key_ids; print(key_ids({'id': ['inv_1']})[0])"
    environment = {**os.environ, "DLT_DLT_ID_LENGTH_BYTES": "5"}
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.split() == key_ids({"id": ["inv_1"]})
