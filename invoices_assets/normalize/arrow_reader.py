"""Pages to tables without a look at single values: pyarrow reads the bytes of the answers.

The way by single values (`normalize.converter`) decides what each field becomes; this one repeats its decisions on
further pages. It opens once it has given, for a batch that went the other way, the very same tables, and it
hands back every batch that it cannot read exactly so: another type, a new field, a number that does not fit.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import pyarrow as pa
import pyarrow.compute
import pyarrow.json

from invoices_assets.extract.page import Page, Raw
from invoices_assets.normalize.arrow_schema import Node, NoLayout, Object, Part, Rows, Value, largest_scale, layout_of
from invoices_assets.normalize.flatten import Move
from invoices_assets.normalize.inference import FieldTypes
from invoices_assets.normalize.required import Required
from invoices_assets.normalize.row_ids import key_ids, nested_ids
from invoices_assets.normalize.scalars import to_arrow
from invoices_assets.source.columns.column import DECIMAL_DIGITS, Column
from invoices_assets.source.naming import normalized
from invoices_assets.source.record_key import key_values
from invoices_assets.source.resource import ResourceSpec

# Arrow 26 reads numbers with an exponent and numbers of very many digits into decimals without a check: 1e34 wraps
# around to another number, 1e-40 becomes 0, 1e-9999999 crashes the process. It also makes a number of the text "5".
_EXPONENT = r'[\s:,\["][-+]?[0-9.]+[eE][-+]?[0-9]'
_QUOTED = r'[\s:,\[]"[-+]?[0-9.]+"'
# A few thousand levels of nesting crash the process, too, and Python 3.12 and later let msgspec pass them.
_DEEP = r"(?:[\[{][^\[\]{}]*){100}"
PATIENCE = 5
"""After so many batches in a row that could not be read, no further one is tried."""

_compute: Any = pyarrow.compute  # its functions are made at import, so that type checkers know none


class ArrowReader:
    """Reads batches of pages, as far as all of their records look like those of earlier batches.

    Parameters:
        spec: the resource.
        moves: the tree of fields that `x-from` names.
    """

    def __init__(self, spec: ResourceSpec, moves: Move) -> None:
        self._table = normalized(spec.name)
        self._declared = spec.columns
        self._primary_key = spec.primary_key
        self._required = Required(spec)
        self._moves = moves
        self._met = Node()
        self._layout: Object | None = None
        self._missed = 0

    def learn(self, pages: Sequence[Page], tables: Mapping[str, pa.Table], shapes: FieldTypes) -> None:
        """Learns from a batch that went the way by single values.

        Parameters:
            pages: all of their records were accepted.
            tables: what became of them.
            shapes: what fields came as so far.
        """
        if self._missed >= PATIENCE:
            self._layout = None
            return
        if any(page.raw is None for page in pages):
            self.review(shapes)
            return
        try:
            for page in pages:
                self._met.learn(page.records)
            self._layout = self._laid_out(shapes)
            read = self._read(self._layout, pages)
        except (NoLayout, pa.ArrowException):
            read = None
        if read is None or not are_same(read, tables):
            self._layout = None
            self._missed += 1

    def review(self, shapes: FieldTypes) -> None:
        """Closes the way if a batch that could not be learnt from changed what a field becomes."""
        if self._layout is not None:
            try:
                self._laid_out(shapes)
            except NoLayout:
                self._layout = None

    def _laid_out(self, shapes: FieldTypes) -> Object:
        return layout_of(self._met, self._declared, shapes, self._moves, self._primary_key)

    def read(self, pages: Sequence[Page]) -> dict[str, pa.Table] | None:
        """The tables of a batch, or None where its values need a closer look."""
        if self._layout is None:
            return None
        try:
            tables = self._read(self._layout, pages)
        except (NoLayout, pa.ArrowException):
            self._missed += 1
            return None
        self._missed = 0
        return tables

    def _read(self, layout: Object, pages: Sequence[Page]) -> dict[str, pa.Table]:
        raws = [page.raw for page in pages if page.raw is not None]
        if len(raws) < len(pages):
            raise NoLayout
        records = _records(layout, raws)
        if len(records) != sum(page.skipped + len(page.outline) for page in pages):
            raise NoLayout  # two parsers have read the bytes; what they do not agree on is not proven
        records = _without_skipped(records, pages)
        tables: dict[str, pa.Table] = {}
        key = {name: self._declared.get(name, Column(name=name)) for name in self._primary_key}
        _Reader(self._table, key, self._required, tables).root(layout, records)
        return tables


class _Reader:
    """Arrays of nested records to the tables of one batch."""

    def __init__(
        self, table: str, primary_key: Mapping[str, Column], required: Required, tables: dict[str, pa.Table]
    ) -> None:
        self._table = table
        self._primary_key = primary_key
        self._required = required
        self._tables = tables

    def root(self, layout: Object, records: pa.Array) -> None:
        arrays: dict[str, pa.Array] = {}
        came: dict[str, pa.Array] = {}
        lists = _flattened(layout, records, arrays, came)
        if not self._required.are_there(arrays, len(records)):
            raise NoLayout
        keys = {
            name: key_values(column, came[name].to_pylist())
            for name, column in self._primary_key.items()
            if name in came
        }
        if len(keys) < len(self._primary_key) or any(None in key for key in keys.values()):
            raise NoLayout
        ids = pa.array(key_ids(keys), pa.string())
        self._tables[self._table] = pa.table(arrays | {"_dlt_id": ids})
        for rows, array in lists:
            self._children(rows, array, ids, ids)

    def _children(self, rows: Rows, lists: pa.Array, parent_ids: pa.Array, root_ids: pa.Array) -> None:
        items = _compute.list_flatten(lists)
        if not len(items):
            return
        name = f"{self._table}__{rows.path}"
        sizes = _compute.fill_null(_compute.list_value_length(lists), 0).to_pylist()
        positions = list(chain.from_iterable(map(range, sizes)))
        owners = _compute.list_parent_indices(lists)
        parents, roots = parent_ids.take(owners), root_ids.take(owners)
        ids = pa.array(nested_ids(name, parents.to_pylist(), positions), pa.string())
        arrays: dict[str, pa.Array] = {}
        further = _flattened(rows.row, items, arrays, {})
        if not self._required.are_there(arrays, len(items), f"{rows.path}__"):
            raise NoLayout
        arrays |= {"_dlt_root_id": roots, "_dlt_parent_id": parents, "_dlt_id": ids}
        arrays["_dlt_list_idx"] = pa.array(positions, pa.int64())
        self._tables[name] = pa.table(arrays)
        for deeper, array in further:
            self._children(deeper, array, ids, roots)


def _records(layout: Object, raws: Sequence[Raw]) -> pa.Array:
    """The records of pages, read by the layout."""
    places = {raw.keys for raw in raws}
    text = b"".join(b'{"":' + raw.body + b"}\n" for raw in raws)
    if len(places) != 1:
        raise NoLayout
    [keys] = places
    longest = DECIMAL_DIGITS - largest_scale(layout.read_as)
    if not are_plain(text, longest, unquoted=layout.numbers is not None):
        if layout.numbers is None or not are_plain(text, longest, unquoted=False):
            raise NoLayout
        # a quoted number is a text in an undeclared field
        _parsed(text, keys, pa.list_(layout.numbers), others="ignore")
    wanted = pa.list_(layout.read_as)
    # what the layout does not name has to show itself, so it is not ignored
    lists = _parsed(text, keys, wanted, others="infer")
    if lists.type != wanted:
        raise NoLayout
    return _compute.list_flatten(lists)


def _without_skipped(records: pa.Array, pages: Sequence[Page]) -> pa.Array:
    """The records without those at the front of a page that the page before has."""
    if not any(page.skipped for page in pages):
        return records
    parts, at = [], 0
    for page in pages:
        parts.append(records.slice(at + page.skipped, len(page.outline)))
        at += page.skipped + len(page.outline)
    return pa.concat_arrays(parts)


def _parsed(text: bytes, keys: Sequence[str], kind: pa.DataType, *, others: str) -> pa.Array:
    for key in reversed(keys):
        kind = pa.struct([(key, kind)])
    pages = pyarrow.json.read_json(
        io.BytesIO(text),
        read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=len(text) + 1),
        parse_options=pyarrow.json.ParseOptions(
            explicit_schema=pa.schema([("", kind)]), unexpected_field_behavior=others, newlines_in_values=True
        ),
    )
    array = pages.column(0).combine_chunks()
    for key in keys:
        array = array.field(key)
    return array


def _flattened(
    part: Part, array: pa.Array, arrays: dict[str, pa.Array], came: dict[str, pa.Array]
) -> list[tuple[Rows, pa.Array]]:
    """Adds the columns of a part to `arrays`, and to `came` as they were read; returns its lists."""
    if isinstance(part, Rows):
        return [(part, array)]
    if isinstance(part, Value):
        if array.type != pa.null():
            came[part.name], arrays[part.name] = array, _converted(part, array)
        return []
    fields = zip(part.parts.values(), array.flatten(), strict=True)
    return list(chain.from_iterable(_flattened(inner, values, arrays, came) for inner, values in fields))


def _converted(value: Value, array: pa.Array) -> pa.Array:
    column = value.column
    if pa.types.is_decimal(array.type):
        array = array.view(column.arrow_type)
        array.validate(full=True)  # Arrow 26 reads more digits than the type has
    elif array.type != column.arrow_type or column.kind not in ("text", "bool"):
        types = value.types | {type(None)}
        array, unreadable = to_arrow(column, array.to_pylist(), types)
        if unreadable:
            raise NoLayout
    return array


def are_plain(text: bytes, longest: int, *, unquoted: bool) -> bool:
    """Whether Arrow reads a text as it is: without an exponent, long numbers, or nesting; strings count as numbers.

    Parameters:
        text: JSON in UTF-8, in which something stands before each number.
        longest: digits and point of the longest number that is plain.
        unquoted: whether a plain number as a string, such as "5" or "-0.5", is not plain either.
    """
    pattern = f"{_EXPONENT}|{_DEEP}|[0-9.]{{{longest + 1}}}" + (f"|{_QUOTED}" if unquoted else "")
    # not `re`: this is as quick, and lets other threads work meanwhile
    found = _compute.match_substring_regex(pa.array([text], pa.large_binary()), pattern)
    return not found[0].as_py()


def are_same(one: Mapping[str, pa.Table], other: Mapping[str, pa.Table]) -> bool:
    """Whether tables hold the same; a column that only one of them has holds nothing."""
    return one.keys() == other.keys() and all(_holds(one[name], other[name]) for name in one)


def _holds(one: pa.Table, other: pa.Table) -> bool:
    names = {*one.column_names, *other.column_names}
    return all(
        one[name].equals(other[name])
        if name in one.column_names and name in other.column_names
        else (one if name in one.column_names else other)[name].null_count == one.num_rows
        for name in names
    )
