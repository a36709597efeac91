"""Records of an API to Arrow tables in dlt's relational shape."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import shake_128
from itertools import chain
from typing import Any

import pyarrow as pa
from dlt.common.normalizers.json.helpers import get_row_hash
from dlt.common.normalizers.utils import DLT_ID_LENGTH_BYTES

from invoices_assets.load.exact import json_text
from invoices_assets.load.flatten import (
    MAX_NESTING,
    Field,
    Table,
    flatten,
    merged,
    moves_of,
    scalars,
)
from invoices_assets.load.hints import UNDECLARED, Column, normalized, parse_columns
from invoices_assets.load.values import to_arrow

__all__ = ["Converted", "Converter", "Rejected", "json_text", "record_key"]
