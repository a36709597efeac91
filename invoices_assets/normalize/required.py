"""Values that a row must have; a tombstone, which is no row, need not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute

from invoices_assets.source.columns.column import Column
from invoices_assets.source.resource import ResourceSpec

_compute: Any = pyarrow.compute  # its functions are made at import, so that type checkers know none


class Required:
    """The columns of a resource that must have a value, and the rows of which that is not asked.

    Parameters:
        spec: the resource.
    """

    def __init__(self, spec: ResourceSpec) -> None:
        self._key = frozenset(spec.primary_key)
        self._names = [column.name for column in spec.columns.values() if not column.nullable]
        self._tombstone = spec.marks.tombstone

    def tombstones(self, arrays: Mapping[str, pa.Array]) -> pa.Array | None:
        """Which rows of the main table are tombstones; None where none is."""
        column: Column | None = self._tombstone
        array = arrays.get(column.name) if column is not None else None
        if column is None or array is None:
            return None
        return array.fill_null(False) if column.kind == "bool" else array.is_valid()

    def lacks(self, name: str, array: pa.Array, tombstones: pa.Array | None) -> pa.Array | None:
        """Which rows have no value where they must have one; None where none lacks it."""
        if not array.null_count:
            return None
        missing = array.is_null()
        if tombstones is None or name in self._key:
            return missing
        return _compute.and_(missing, _compute.invert(tombstones))

    def are_there(self, arrays: Mapping[str, pa.Array], rows: int, table: str = "") -> bool:
        """Whether every row of a table has all values that it must have.

        Parameters:
            arrays: its columns; one that is not among them has no value, if it is of the main table itself.
            rows: how many there are.
            table: its path from the root record, with `__` behind it.
        """
        tombstones = self.tombstones(arrays) if not table else None
        for place in self._names:
            name = place[len(table) :]
            array = arrays.get(name) if place.startswith(table) else None
            if array is None and not table and "__" not in name:
                array = pa.nulls(rows)
            missing = None if array is None else self.lacks(name, array, tombstones)
            if missing is not None and _compute.any(missing).as_py():
                return False
        return True
