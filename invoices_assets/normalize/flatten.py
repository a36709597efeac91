"""Nested records to flat columns: objects become prefixed columns, lists become rows of a child table.

The result is that of dlt's normalizer (`_flatten` of dlt.common.normalizers.json.relational), but a column at
a time, so that many records are quick, and without recursion, so that deep ones are safe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain
from operator import itemgetter
from types import NoneType
from typing import Any

from invoices_assets.normalize.inference import FieldTypes
from invoices_assets.source.columns.column import Column
from invoices_assets.source.naming import RESERVED_PREFIX, normalized
from invoices_assets.source.values.exact_json import TOO_DEEP, Unread
from invoices_assets.source.values.paths import is_query

_SCALARS = {str, int, Decimal, bool, NoneType}
_LONGEST_PATH = 100
_NOTHING: dict[str, Any] = {}


@dataclass
class Move:
    """A step on the way to the fields that `x-from` names.

    Parameters:
        target: normalized path from the root record that the field moves to; None where only deeper ones do.
        onward: key -> the next step.
    """

    target: str | None = None
    onward: dict[str, Move] = field(default_factory=dict)


@dataclass(frozen=True)
class Field:
    """All values of one field of the records of a table.

    Parameters:
        path: the vendor's keys from the root record, joined by dots, for sentences.
        values: one per row; None where there is none.
        types: that occur in `values`.
        move: the step of `x-from` paths that was reached.
    """

    path: str
    values: Sequence[Any]
    types: set[type]
    move: Move | None = None


@dataclass
class Flat:
    """The rows of one table.

    Parameters:
        columns: normalized column name -> the fields that map to it, most often one.
        lists: normalized path below the table -> the fields with the lists of that child table.
    """

    columns: dict[str, list[Field]] = field(default_factory=dict)
    lists: dict[str, list[Field]] = field(default_factory=dict)


@dataclass
class Table:
    """Records that become the rows of one table.

    Parameters:
        path: normalized path from the root record, empty for the root table.
        source: the vendor's keys to it, joined by dots.
        moves: the step of `x-from` paths at which the records are.
        level: how many levels of nesting may follow.
        records: one object per row.
    """

    path: str
    source: str
    moves: Move | None
    level: int
    records: list[Any] = field(default_factory=list)

    def place(self, name: str) -> str:
        """The path from the root record of a column of this table."""
        return f"{self.path}__{name}" if self.path else name


Reject = Callable[[int, str], None]
"""Takes a row number and the reason why that row cannot be stored."""


def moves_of(columns: Iterable[Column]) -> Move:
    """Returns the tree of all fields that `x-from` names first, each as a literal key and as a dotted path."""
    root = Move()
    for column in columns:
        if column.x_from:
            first = column.sources[0]
            for keys in ([first],) if is_query(first) else ([first], first.split(".")):
                step = root
                for key in keys:
                    step = step.onward.setdefault(key, Move())
                step.target = column.name
    return root


def flatten(table: Table, declared: Mapping[str, Column], shapes: FieldTypes, reject: Reject) -> Flat:
    """Sorts the fields of a table's records into columns and child lists.

    Parameters:
        declared: normalized path from the root record -> Column; the kind `json` keeps an object as it is.
        shapes: told the shape of each field.
        reject: told the rows that hold one of dlt's own columns, or a value beyond the limits of
            `invoices_assets.source.values.exact_json`.

    Raises:
        TypeError: a value that exact JSON does not have, such as a float.
    """
    flat = Flat()
    groups = [(Field(table.source, table.records, {dict}, table.moves), "", table.level)]
    while groups:
        group, prefix, level = groups.pop()
        for key, values in _columns_of(group.values).items():
            found = Field(
                path=f"{group.path}.{key}" if group.path else key,
                values=values,
                types=set(map(type, values)),
                move=group.move.onward.get(key) if group.move else None,
            )
            name = _name(table, prefix, key, found, shapes)
            if name.startswith(RESERVED_PREFIX):
                _reject_reserved(found, reject)
                continue
            place = table.place(name)
            hint = declared.get(place)
            is_kept = hint is not None and hint.kind == "json"
            found = _within_limits(found, reject, may_nest=is_kept or level > 0)
            shapes.note(place, found.path, found.values, found.types, hint)
            if not found.types <= _SCALARS and not is_kept:
                if dict in found.types:
                    groups.append((_only(dict, found, _NOTHING), name, level - 1))
                if list in found.types:
                    flat.lists.setdefault(name, []).append(_only(list, found, None))
                if not found.types & _SCALARS - {NoneType}:
                    continue
                found = _scalars(found)
            flat.columns.setdefault(name, []).append(found)
    return flat


def merged(fields: Sequence[Field], target: str, reject: Reject) -> Field:
    """One field out of those that map to the same place; a row with two different values is rejected.

    Parameters:
        target: what they map to, for the sentence, such as "column `a`".
    """
    if len(fields) == 1:
        return fields[0]
    values = list(fields[0].values)
    origins = [fields[0].path] * len(values)
    for other in fields[1:]:
        for row, value in enumerate(other.values):
            if value is None:
                continue
            if values[row] is None:
                values[row], origins[row] = value, other.path
            elif values[row] != value or (type(values[row]) is bool) != (type(value) is bool):
                reject(row, f"fields `{origins[row]}` and `{other.path}` both map to {target}")
    move = next((each.move for each in fields if each.move), None)
    return Field(fields[0].path, values, set(map(type, values)), move)


def _columns_of(records: Sequence[dict[str, Any]]) -> dict[str, Sequence[Any]]:
    """Key -> one value per record. Where all have the same keys, no Python loop is needed."""
    first = records[0] if records else _NOTHING
    if set(map(len, records)) == {len(first)}:
        try:
            return {key: list(map(itemgetter(key), records)) for key in first}
        except KeyError:
            pass  # as many keys, but others
    keys = dict.fromkeys(chain.from_iterable(records))
    return {key: [record.get(key) for record in records] for key in keys}


def _name(table: Table, prefix: str, key: str, found: Field, shapes: FieldTypes) -> str:
    target = found.move.target if found.move else None
    if target and table.path:
        if target.startswith(f"{table.path}__"):
            return target[len(table.path) + 2 :]
        rows = sum(value is not None for value in found.values)
        shapes.remark(f"field `{found.path}` is in a list and cannot move out of it to column `{target}`", rows)
        target = None
    if target:
        return target
    name = normalized(key)
    return f"{prefix}__{name}" if prefix else name


def _only(kind: type, found: Field, otherwise: Any) -> Field:
    if found.types == {kind}:
        return found
    values = [value if type(value) is kind else otherwise for value in found.values]
    return Field(found.path, values, {kind, type(otherwise)}, found.move)


def _scalars(found: Field) -> Field:
    values = [None if type(value) in (dict, list) else value for value in found.values]
    return Field(found.path, values, found.types & _SCALARS | {NoneType}, found.move)


def _within_limits(found: Field, reject: Reject, *, may_nest: bool) -> Field:
    """The field without what no column can hold; its rows are rejected."""
    beyond = {Unread} if may_nest else {Unread, dict, list}
    if not found.types & beyond:
        return found
    values = list(found.values)
    for row, value in enumerate(values):
        if type(value) in beyond:
            reason = value.reason if type(value) is Unread else TOO_DEEP
            reject(row, f"`{found.path[:_LONGEST_PATH]}` {reason}")
            values[row] = None
    return Field(found.path, values, set(map(type, values)), found.move)


def _reject_reserved(found: Field, reject: Reject) -> None:
    for row, value in enumerate(found.values):
        if value is not None:
            reject(row, f"field `{found.path}` has a name that dlt keeps for its own columns")
