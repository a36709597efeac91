"""The columns that records need: what would otherwise be loaded as text or as a number, and is more than that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from invoices_assets.describe.draft import moments
from invoices_assets.describe.draft.names import snake
from invoices_assets.normalize.scalars import reader
from invoices_assets.source.columns.declaration import parse_columns
from invoices_assets.source.naming import normalized
from invoices_assets.source.values.exact_json import Unreadable, is_encodable
from invoices_assets.source.values.numbers import exact_number

MONEY = {"data_type": "decimal", "precision": 38, "scale": 9}
_MONEY = (
    "amount total subtotal price tax vat net gross due paid balance discount fee fees cost sum charge refund refunded "
    "remaining outstanding shipping ht ttc tva"
)
_NO_MONEY = "count number percent percentage rate id qty quantity code"
_MONEY_WORDS, _NO_MONEY_WORDS = frozenset(_MONEY.split()), frozenset(_NO_MONEY.split())
WHOLE = "whole numbers in all records seen: if they are cents, add `x-scale: -2`"
_MOST_DIGITS = 9


@dataclass
class Field:
    """A field of the records.

    Parameters:
        path: the API's keys, with `__` between them, as the column is called.
        values: that are not null; none of them an object or a list.
        nulls: how often it was null.
        is_mixed: whether it was an object or a list as well.
    """

    path: str
    values: list[Any] = field(default_factory=list)
    nulls: int = 0
    is_mixed: bool = False

    @property
    def words(self) -> list[str]:
        """Of the last key, which names the field."""
        return snake(self.path.rpartition("__")[2]).split("_")


@dataclass(frozen=True)
class DraftedColumn:
    """A column as in the YAML.

    Parameters:
        hints: what is declared; none where only the note is worth saying.
        note: what the answers did not prove, or what to look at.
    """

    hints: Mapping[str, Any]
    note: str = ""


def columns_of(records: Sequence[Any], key: str) -> dict[str, DraftedColumn]:
    """The columns by all records seen, in the order in which their fields came; no record contradicts one.

    Parameters:
        key: the field of the primary key.
    """
    fields = fields_of(records)
    drafted: dict[str, DraftedColumn] = (
        {key: DraftedColumn({**_key_type(fields[key]), "nullable": False})} if key in fields else {}
    )
    names = Counter(map(normalized, fields))
    for path, one in fields.items():
        is_plain = path != key and not one.is_mixed and names[normalized(path)] == 1 and is_encodable(path)
        if is_plain and one.values and (column := _column(one)) is not None:
            drafted[path] = column
    return drafted


def fields_of(records: Sequence[Any]) -> dict[str, Field]:
    """The fields of the records and of the lists in them, by the names that their columns get."""
    fields: dict[str, Field] = {}
    for record in records:
        for path, value in _leaves(record, ""):
            one = fields.setdefault(path, Field(path))
            if isinstance(value, dict | list):
                one.is_mixed = True
            elif value is None:
                one.nulls += 1
            else:
                one.values.append(value)
    return fields


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """The values, with their paths, from the outside in; a list of objects, or an empty one, is no value."""
    if not isinstance(value, dict):
        if path and not isinstance(value, list):
            yield path, value
        return
    for key, inner in value.items():
        place = f"{path}__{key}" if path else key
        if isinstance(inner, list):
            if any(not isinstance(item, dict) for item in inner):
                yield place, inner
            for item in inner:
                yield from _leaves(item, place)
        else:
            yield from [(place, inner)] if isinstance(inner, dict) else []
            yield from _leaves(inner, place)


def _key_type(one: Field) -> dict[str, Any]:
    return {"data_type": "bigint" if all(type(value) is int for value in one.values) else "text"}


def _column(one: Field) -> DraftedColumn | None:
    kinds = {type(value) for value in one.values}
    found: DraftedColumn | None = None
    if kinds == {str}:
        found = _text_column(one)
    elif kinds <= {int, Decimal}:
        found = _number_column(one, kinds)
    if found is None or not found.hints or fits(one, found.hints):
        return found
    return DraftedColumn({}, f"{found.hints} does not fit all of the {len(one.values)} values seen")


def fits(one: Field, hints: Mapping[str, Any]) -> bool:
    """Whether each value of a field can be stored as declared."""
    try:
        read = reader(*parse_columns({one.path: dict(hints)}).values())
        for value in one.values:
            read(value)
    except ValueError:
        return False
    return True


def _is_money(one: Field) -> bool:
    words = set(one.words)
    return bool(_MONEY_WORDS & words) and not _NO_MONEY_WORDS & words and not moments.is_named(one.words)


def _number_column(one: Field, kinds: set[type]) -> DraftedColumn | None:
    if kinds == {int}:
        epoch = None if _MONEY_WORDS & set(one.words[-1:]) else moments.epoch_of(one.words, one.values)
        if epoch is not None:
            return DraftedColumn({"data_type": "timestamp", "x-format": epoch})
        is_flag = set(one.values) <= {0, 1} and len(one.values) > 1 and any(one.values)
        return DraftedColumn(MONEY, WHOLE if any(one.values) else "") if _is_money(one) and not is_flag else None
    return DraftedColumn(_wide_enough(one.values))


def _wide_enough(values: Sequence[Any]) -> dict[str, Any]:
    """As many digits after the point as the values have, and at least those that money needs."""
    digits = max(-int(exact_number(value).normalize().as_tuple().exponent) for value in values)
    return {**MONEY, "scale": max(_MOST_DIGITS, digits)}


def _text_column(one: Field) -> DraftedColumn | None:
    given = [value for value in one.values if value.strip()]
    if not given:
        return None
    if _are_amounts(one, given):
        return DraftedColumn(_wide_enough(given)) if len(given) == len(one.values) else None
    hints, note = moments.column_of(one.words, given)
    if hints or note:
        return DraftedColumn(hints, note)
    if _is_money(one) and all(value.strip()[:1] in "-+0123456789" for value in given) and any("," in x for x in given):
        return DraftedColumn({}, "amounts with a comma stay text: no hint reads them")
    return None


def _are_amounts(one: Field, given: Sequence[str]) -> bool:
    """Whether texts are numbers, and not digits that only look like one: `007`, or the number of an invoice."""
    try:
        numbers = [exact_number(value) for value in given]
    except Unreadable:
        return False
    has_zeros = any(
        value.strip().lstrip("+-")[:1] == "0" and value.strip().lstrip("+-")[1:2].isdigit() for value in given
    )
    return not has_zeros and (_is_money(one) or (len(numbers) > 1 and all("." in value for value in given)))
