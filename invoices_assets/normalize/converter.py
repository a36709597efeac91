"""Records of an API to Arrow tables in dlt's relational shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Any

import pyarrow as pa

from invoices_assets.extract.page import Page
from invoices_assets.normalize.arrow_reader import ArrowReader
from invoices_assets.normalize.derived import filled_in
from invoices_assets.normalize.flatten import Field, Flat, Move, Table, flatten, merged, moves_of
from invoices_assets.normalize.inference import FieldTypes
from invoices_assets.normalize.required import Required
from invoices_assets.normalize.row_ids import key_ids, nested_ids
from invoices_assets.normalize.scalars import to_arrow
from invoices_assets.normalize.tables import NormalizedBatch, RejectedRecord
from invoices_assets.source.columns.column import Column
from invoices_assets.source.naming import normalized
from invoices_assets.source.record_key import key_values, keys_of, written
from invoices_assets.source.resource import ResourceSpec
from invoices_assets.source.values.exact_json import MAX_DEPTH, json_text, storable


class Converter:
    """Turns batches of JSON records into the tables that dlt's relational normalizer would make of them.

    It remembers from batch to batch what undeclared fields came as, so that a column that once had to become
    text stays text.

    Parameters:
        spec: the resource: its name is that of the root table, its columns and primary key are those of the rows.
    """

    def __init__(self, spec: ResourceSpec) -> None:
        self._spec = spec
        self._keys = keys_of(spec)
        self._moves = moves_of(spec.columns.values())
        self._derived = [column for column in spec.columns.values() if column.is_derived]
        self._shapes = FieldTypes()
        self._vectorized = ArrowReader(spec, self._moves)

    def convert_pages(self, pages: Sequence[Page]) -> NormalizedBatch:
        """Converts the records of pages, without a look at single values where that is enough."""
        tables = None if self._derived else self._vectorized.read(pages)
        if tables is not None:
            return NormalizedBatch(tables)
        converted = self.convert([record for page in pages for record in page.records])
        if converted.rejected:
            self._vectorized.review(self._shapes)
        elif not self._derived:
            self._vectorized.learn(pages, converted.tables, self._shapes)
        return converted

    def convert(self, records: Sequence[Any]) -> NormalizedBatch:
        """Converts a batch; numbers must be int or Decimal.

        Raises:
            TypeError: a value that exact JSON does not have, such as a float.
        """
        reasons = {row: "not an object" for row, record in enumerate(records) if type(record) is not dict}
        filled = [filled_in(self._derived, record) for record in records] if self._derived else records
        while True:
            # Once more without the rejected ones: they shall have no part in the types of columns.
            rows = [row for row in range(len(records)) if row not in reasons]
            batch = _Batch(self._spec, self._shapes.for_next_batch())
            tables = batch.tables([filled[row] for row in rows], self._moves)
            if not batch.reasons:
                break
            reasons |= {rows[row]: reason for row, reason in batch.reasons.items()}
        self._shapes = batch.shapes
        rejected = [self._rejected(records[row], reasons[row]) for row in sorted(reasons)]
        return NormalizedBatch(tables, rejected, {storable(text): n for text, n in batch.shapes.remarks.items()})

    def _rejected(self, record: Any, reason: str) -> RejectedRecord:
        key = written(self._keys([record])[0])
        return RejectedRecord(None if key is None else storable(key), json_text(record), storable(reason))


@dataclass
class _Rows(Table):
    """Records on their way into one table, and where each comes from.

    Parameters:
        roots: per row, the row number of its root record.
        parents: per row, the `_dlt_id` of its parent; empty in the root table.
        positions: per row, its index in the list.
    """

    roots: list[int] = field(default_factory=list)
    parents: list[str] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)


class _Batch:
    """One attempt at a batch. `reasons` tells, by row number of the root, what must be rejected."""

    def __init__(self, spec: ResourceSpec, shapes: FieldTypes) -> None:
        self.shapes = shapes
        self.reasons: dict[int, str] = {}
        self._table = normalized(spec.name)
        self._declared = spec.columns
        self._primary_key = spec.primary_key
        self._root_ids: list[str] = []
        self._required = Required(spec)
        self._tombstones: pa.Array | None = None

    def tables(self, records: list[dict[str, Any]], moves: Move) -> dict[str, pa.Table]:
        made: dict[str, pa.Table] = {}
        root = _Rows("", "", moves, MAX_DEPTH, records, list(range(len(records))))
        waiting = {"": root} if records else {}
        while waiting:
            # The shortest first: the rows of a table all come from tables with shorter names.
            rows = waiting.pop(min(waiting, key=len))
            name = f"{self._table}__{rows.path}" if rows.path else self._table
            made[name] = self._table_of(name, rows, waiting)
        return made

    def _table_of(self, name: str, rows: _Rows, waiting: dict[str, _Rows]) -> pa.Table:
        if set(map(type, rows.records)) != {dict}:
            rows.records = _as_objects(rows.records)
        reject = partial(self._reject, rows)
        flat = flatten(rows, self._declared, self.shapes, reject)
        fields = {column: merged(found, f"column `{column}`", reject) for column, found in flat.columns.items()}
        if rows.path:
            ids = nested_ids(name, rows.parents, rows.positions)
            arrays = self._arrays(rows, fields)
            arrays["_dlt_root_id"] = pa.array([self._root_ids[root] for root in rows.roots], pa.string())
            arrays["_dlt_parent_id"] = pa.array(rows.parents, pa.string())
            arrays["_dlt_list_idx"] = pa.array(rows.positions, pa.int64())
        else:
            self._root_ids = ids = self._key_ids(rows, fields)
            arrays = self._arrays(rows, fields)
        arrays["_dlt_id"] = pa.array(ids, pa.string())
        self._send_children(flat, rows, ids, waiting)
        return pa.table(arrays)

    def _arrays(self, rows: _Rows, fields: Mapping[str, Field]) -> dict[str, pa.Array]:
        arrays: dict[str, pa.Array] = {}
        required: dict[str, str] = {}
        for name in dict.fromkeys(chain(self._expected(rows), fields)):
            place = rows.place(name)
            hint = self._declared.get(place)
            found = fields.get(name)
            if found is not None and found.types != {type(None)}:
                arrays[name], unreadable = to_arrow(self._column(place, found), found.values, found.types)
                for row, why in unreadable.items():
                    self._reject(rows, row, f"`{found.path}` {why}")
            elif hint and (hint.kind or not hint.nullable):
                arrays[name] = pa.nulls(len(rows.records), hint.arrow_type)
            else:
                continue
            if (hint and not hint.nullable) or (not rows.path and name in self._primary_key):
                required[name] = found.path if found else name
        self._reject_nulls(rows, arrays, required)
        return arrays

    def _expected(self, table: Table) -> list[str]:
        """The declared columns that a table has in any case.

        Whether `customer__name` belongs to the root table or to a child table `customer` shows only when the
        first customer comes, so such a column is expected from the first object on.
        """
        beginning = table.place("")
        expected = []
        for place, hint in self._declared.items():
            if place.startswith(beginning):
                name = place[len(beginning) :]
                parent = place.rpartition("__")[0]
                from_root = not table.path and hint.x_from and (hint.is_derived or "." not in hint.sources[0])
                if "__" not in name or parent in self.shapes.objects or from_root:
                    expected.append(name)
        return expected

    def _key_ids(self, rows: _Rows, fields: dict[str, Field]) -> list[str]:
        """The row ids of a batch; `fields` gets the keys of text columns as the texts that tell records apart."""
        keys: dict[str, Sequence[Any]] = {}
        for name in self._primary_key:
            found = fields.get(name, Field(name, [None] * len(rows.records), {type(None)}))
            column = self._column(name, found)
            keys[name] = key_values(column, found.values)
            if column.kind == "text":
                fields[name] = Field(found.path, keys[name], set(map(type, keys[name])), found.move)
            for row, value in enumerate(keys[name]):
                if value is None:
                    self._reject(rows, row, f"no id: `{name}` is missing or empty")
        return key_ids(keys)

    def _column(self, place: str, found: Field) -> Column:
        hint = self._declared.get(place)
        return hint if hint and hint.kind else self.shapes.column(place, found.types)

    def _send_children(self, flat: Flat, rows: _Rows, ids: list[str], waiting: dict[str, _Rows]) -> None:
        for name, found in flat.lists.items():
            place = rows.place(name)
            lists = merged(found, f"table `{self._table}__{place}`", partial(self._reject, rows))
            children = waiting.get(place) or _Rows(place, lists.path, lists.move, rows.level - 1)
            items = [value or () for value in lists.values]
            sizes = list(map(len, items))
            children.records.extend(chain.from_iterable(items))
            children.positions.extend(chain.from_iterable(map(range, sizes)))
            for row, size in enumerate(sizes):
                if size:
                    children.roots.extend([rows.roots[row]] * size)
                    children.parents.extend([ids[row]] * size)
            if children.records:
                waiting[place] = children

    def _reject_nulls(self, rows: _Rows, arrays: Mapping[str, pa.Array], required: Mapping[str, str]) -> None:
        """Rejects rows without a value that they must have; `required` has the paths of such columns."""
        if not rows.path:
            self._tombstones = self._required.tombstones(arrays)
        tombstones = self._tombstones
        if tombstones is not None and rows.path:
            tombstones = tombstones.take(pa.array(rows.roots, pa.int64()))
        for name, path in required.items():
            missing = self._required.lacks(name, arrays[name], tombstones)
            for row, is_missing in enumerate(missing.to_pylist() if missing is not None else ()):
                if is_missing:
                    self._reject(rows, row, f"`{path}` has no value and must have one")

    def _reject(self, rows: _Rows, row: int, reason: str) -> None:
        self.reasons.setdefault(rows.roots[row], reason)


def _as_objects(items: list[Any]) -> list[dict[str, Any]]:
    """List items as dlt's rows: a list in a list is a child table `list`, a single value a column `value`."""
    return [item if type(item) is dict else {"list": item} if type(item) is list else {"value": item} for item in items]
