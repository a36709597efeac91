"""The row ids that dlt gives: a hash of the primary key, or for nested rows of parent, table and position.

They are those of `get_row_hash` and `get_nested_row_hash` (dlt.common.normalizers.json.helpers), which take one row
at a time: 0.24 s more for 100,000 invoices with 250,000 lines, 3 % of what the whole load takes of the processor.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Iterable, Mapping, Sequence
from hashlib import shake_128
from typing import Any

from dlt.common.json import json as dlt_json

from invoices_assets.source.values.exact_json import json_text

ID_BYTES = 10
"""dlt's default; a variable of dlt may make its ids shorter, and then two rows may have one."""


def key_ids(columns: Mapping[str, Sequence[Any]]) -> list[str]:
    """One id per row (`get_row_hash` of dlt.common.normalizers.json.helpers).

    Parameters:
        columns: normalized name of each part of the primary key -> its values as they came, not converted.
    """
    rows = zip(*columns.values(), strict=True)
    texts = _plain_key_texts(columns) or (_key_text(dict(zip(columns, row, strict=True))) for row in rows)
    return _as_texts([shake_128(text).digest(ID_BYTES) for text in texts])


def nested_ids(table: str, parents: Iterable[str], positions: Sequence[int]) -> list[str]:
    """One id per nested row (`get_nested_row_hash` of dlt.common.normalizers.json.helpers).

    Parameters:
        table: full name of the child table.
        parents: per row, the id of its parent.
        positions: per row, its index in the list.
    """
    endings = [f"_{table}_{position}".encode() for position in range(max(positions, default=-1) + 1)]
    return _as_texts(
        [
            shake_128(parent.encode() + endings[position]).digest(ID_BYTES)
            for parent, position in zip(parents, positions, strict=True)
        ]
    )


def _plain_key_texts(columns: Mapping[str, Sequence[Any]]) -> list[bytes] | None:
    """The `_key_text` of each row, in one call for all; None where a key is more than one plain text."""
    (name, values), *others = columns.items()
    if others or set(map(type, values)) != {str}:
        return None
    try:
        listed = dlt_json.dumpb(values)
    except TypeError:
        return None
    texts = listed[2:-2].split(b'","')
    if b"\\" in listed or len(texts) != len(values):
        return None  # some text may have a quotation mark in it
    begin = dlt_json.dumpb({name: ""})[:-2]
    return [begin + text + b'"}' for text in texts]


def _key_text(key: dict[str, Any]) -> bytes:
    try:
        return dlt_json.dumpb(key, sort_keys=True)
    except TypeError:  # an integer of more than 64 bits, which dlt cannot hash, or invalid Unicode
        return json_text(key).encode()


def _as_texts(digests: list[bytes]) -> list[str]:
    """Base64 of each digest without padding, in one call for all (`digest128` of dlt.common.utils)."""
    padding = bytes(-ID_BYTES % 3)
    length = -(-ID_BYTES * 8 // 6)
    step = (ID_BYTES + len(padding)) // 3 * 4
    text = b2a_base64(b"".join([digest + padding for digest in digests]), newline=False).decode()
    return [text[start : start + length] for start in range(0, len(text), step)]
