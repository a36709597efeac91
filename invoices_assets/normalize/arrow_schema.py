"""What the records of a resource look like, as learnt from records: which key becomes which column of which table.

A layout is written as an Arrow schema, by which pyarrow reads the bytes of further pages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import NoneType
from typing import Any

import pyarrow as pa

from invoices_assets.normalize.flatten import Move
from invoices_assets.normalize.inference import SHAPES, FieldTypes
from invoices_assets.source.columns.column import UNDECLARED, Column
from invoices_assets.source.naming import RESERVED_PREFIX, normalized

MAX_DEPTH = 20
"""Records nested deeper than this are left to the reader of single values."""

_SCALARS = {str, int, Decimal, bool}


class NoLayout(Exception):
    """Some field of these records needs a look at each of its values."""


@dataclass
class Node:
    """A place in the records.

    Parameters:
        types: of the values met there, null left out.
        fields: key -> place, of the objects met there.
        items: the place of the items of the lists met there.
    """

    types: set[type] = field(default_factory=set)
    fields: dict[str, Node] = field(default_factory=dict)
    items: Node | None = None

    def learn(self, values: Iterable[Any], depth: int = MAX_DEPTH) -> None:
        """Takes note of values.

        Raises:
            NoLayout: they are nested too deeply.
        """
        if depth == 0:
            raise NoLayout
        for value in values:
            kind = type(value)
            if kind is dict:
                for key, inner in value.items():
                    self.fields.setdefault(key, Node()).learn((inner,), depth - 1)
            elif kind is list:
                self.items = self.items or Node()
                self.items.learn(value, depth - 1)
            if kind is not NoneType:
                self.types.add(kind)


@dataclass(frozen=True)
class Value:
    """A key whose values become a column.

    Parameters:
        name: of the column within its table.
        column: what it is declared as, or an undeclared one.
        types: that the values have, null left out.
        read_as: the Arrow type that loses nothing of them.
        numbers: a type that only takes numbers, where the values must be such; None elsewhere.
    """

    name: str
    column: Column
    types: set[type]
    read_as: pa.DataType
    numbers: pa.DataType | None


@dataclass(frozen=True)
class Object:
    """A key whose objects become columns of the same table; the types are those of `Value`, with what is in it."""

    parts: dict[str, Part]
    read_as: pa.DataType
    numbers: pa.DataType | None


@dataclass(frozen=True)
class Rows:
    """A key whose lists become the rows of a child table; the types are those of `Value`, with what is in it.

    Parameters:
        path: of the table, normalized, from the root record.
        row: of one item.
    """

    path: str
    row: Part
    read_as: pa.DataType
    numbers: pa.DataType | None


Part = Value | Object | Rows


def layout_of(
    root: Node, declared: Mapping[str, Column], shapes: FieldTypes, moves: Move, keys: Iterable[str]
) -> Object:
    """The layout of records.

    Parameters:
        root: what was learnt.
        declared: normalized path from the root record -> Column.
        shapes: of all records so far, also of those that were rejected meanwhile.
        moves: the tree of fields that `x-from` names.
        keys: columns of the primary key; their values are read as they came, since ids are made of them.

    Raises:
        NoLayout: pyarrow cannot read these records as the declaration wants them.
    """
    if root.types != {dict}:
        raise NoLayout
    return _Planner(declared, shapes, frozenset(keys)).of_object(root, "", "", moves)


def largest_scale(kind: pa.DataType) -> int:
    """The most digits after the point that a decimal within a type has."""
    if pa.types.is_decimal(kind):
        return int(kind.scale)
    return max((largest_scale(kind.field(place).type) for place in range(kind.num_fields)), default=0)


class _Planner:
    def __init__(self, declared: Mapping[str, Column], shapes: FieldTypes, keys: frozenset[str]) -> None:
        self._declared = declared
        self._shapes = shapes
        self._keys = keys
        self._taken: set[str] = set()

    def of_object(self, node: Node, table: str, prefix: str, moves: Move | None) -> Object:
        parts: dict[str, Part] = {}
        for key, inner in node.fields.items():
            move = moves.onward.get(key) if moves else None
            name = f"{prefix}__{normalized(key)}" if prefix else normalized(key)
            parts[key] = self._of(inner, table, move.target or name if move else name, move)
        numbers = [(key, part.numbers) for key, part in parts.items() if part.numbers is not None]
        read_as = pa.struct([(key, part.read_as) for key, part in parts.items()])
        return Object(parts, read_as, pa.struct(numbers) if numbers else None)

    def _of(self, node: Node, table: str, name: str, move: Move | None) -> Part:
        place = f"{table}__{name}" if table else name
        if name.startswith(RESERVED_PREFIX):
            raise NoLayout
        self._check_shape(node, place)
        if node.types == {dict}:
            return self.of_object(node, table, name, move)
        if node.types == {list}:
            self._take(place)
            row = self._of_items(node.items or Node(), place, move)
            return Rows(place, row, pa.list_(row.read_as), None if row.numbers is None else pa.list_(row.numbers))
        return self._of_value(node, name, place)

    def _of_items(self, node: Node, place: str, move: Move | None) -> Part:
        if node.types == {dict}:
            return self.of_object(node, place, "", move)
        self._check_shape(node, f"{place}__value")
        return self._of_value(node, "value", f"{place}__value")

    def _of_value(self, node: Node, name: str, place: str) -> Value:
        if not node.types <= _SCALARS:
            raise NoLayout
        self._take(place)
        column = self._declared.get(place)
        if column is None or column.kind is None:
            column = UNDECLARED[next((SHAPES[kind] for kind in node.types), "text")]
        read_as = _read_as(column, node.types, place in self._keys)
        is_number = column is UNDECLARED["a number"] and pa.types.is_decimal(read_as)
        return Value(name, column, node.types, read_as, pa.float64() if is_number else None)

    def _check_shape(self, node: Node, place: str) -> None:
        column = self._declared.get(place)
        if column is not None and column.kind is not None:
            if node.types & {dict, list}:
                raise NoLayout  # kept as JSON, or told of
        elif len(self._shapes.met(place) | {SHAPES[kind] for kind in node.types}) > 1:
            raise NoLayout

    def _take(self, place: str) -> None:
        if place in self._taken:
            raise NoLayout  # two fields become one, so each row needs a look at which has a value
        self._taken.add(place)


def _read_as(column: Column, types: set[type], is_key: bool) -> pa.DataType:
    """The Arrow type that loses nothing of the values."""
    if not types:
        return pa.null()
    if column.kind in ("decimal", "wei") and not is_key and types <= {int, Decimal, str}:
        return _decimal_before_scaling(column)
    if types == {str}:
        return pa.string()
    if types == {int}:
        return pa.int64()
    if types == {bool}:
        return pa.bool_()
    raise NoLayout


def _decimal_before_scaling(column: Column) -> pa.DataType:
    """A decimal whose digits are those of the column when the point moves by its `x-scale`."""
    scale = (column.scale or 0) + (column.x_scale or 0)
    if scale < 0:
        raise NoLayout
    try:
        return pa.decimal128(column.precision, scale)
    except (ValueError, pa.ArrowInvalid):
        raise NoLayout from None
