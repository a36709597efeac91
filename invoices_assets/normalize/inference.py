"""What each field came as so far; from it follow the types of undeclared columns and what people are told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from types import NoneType
from typing import Any

from invoices_assets.source.columns.column import UNDECLARED, Column

SHAPES = {
    str: "text",
    int: "a number",
    Decimal: "a number",
    bool: "true or false",
    dict: "an object",
    list: "a list",
}
_NESTED = {dict, list}


@dataclass
class FieldTypes:
    """The memory of a converter; it lets a column only widen, from one kind of value to text.

    Parameters:
        first: path from the root record -> the shape that an undeclared field had first.
        scalars: path -> the shapes of its values that are neither object nor list.
        objects: the paths at which an object was met.
        remarks: sentence -> number of rows it is true of.
    """

    first: dict[str, str] = field(default_factory=dict)
    scalars: dict[str, frozenset[str]] = field(default_factory=dict)
    objects: set[str] = field(default_factory=set)
    remarks: dict[str, int] = field(default_factory=dict)

    def for_next_batch(self) -> FieldTypes:
        """A copy that can be thrown away, without remarks."""
        return FieldTypes(dict(self.first), dict(self.scalars), set(self.objects))

    def remark(self, sentence: str, rows: int) -> None:
        """Counts rows of which a sentence is true."""
        if rows:
            self.remarks[sentence] = self.remarks.get(sentence, 0) + rows

    def note(self, place: str, path: str, values: Sequence[Any], types: set[type], hint: Column | None) -> None:
        """Takes note of a field, and remarks on rows where it has another shape than declared or at first.

        Parameters:
            place: the normalized path from the root record.
            path: the vendor's keys, for the sentence.
            types: that occur in `values`.

        Raises:
            TypeError: a type that exact JSON does not have, such as a float.
        """
        if dict in types:
            self.objects.add(place)
        try:
            shapes = {SHAPES[kind] for kind in types if kind is not NoneType}
        except KeyError as unknown:
            raise TypeError(f"Field `{path}` holds {unknown}; numbers must be int or Decimal.") from None
        if hint and hint.kind:
            if hint.kind != "json":
                for kind in types & _NESTED:
                    self._count(f"field `{path}` is declared as {hint.kind} and came as", SHAPES[kind], values)
        elif shapes:
            first = self.first.get(place)
            if first is None:
                first = next(SHAPES[type(value)] for value in values if value is not None)
                self.first[place] = first
            for shape in shapes - {first}:
                self._count(f"field `{path}` came as {first} and as", shape, values)

    def met(self, place: str) -> frozenset[str]:
        """The shapes that an undeclared field had so far."""
        first = self.first.get(place)
        return self.scalars.get(place, frozenset()) | ({first} if first else frozenset())

    def column(self, place: str, types: set[type]) -> Column:
        """What an undeclared column becomes, which no earlier batch contradicts."""
        if types & _NESTED:
            return UNDECLARED["json"]
        met = frozenset(SHAPES[kind] for kind in types if kind is not NoneType)
        met |= self.scalars.get(place, frozenset())
        self.scalars[place] = met
        return UNDECLARED[next(iter(met)) if len(met) == 1 else "text"]

    def _count(self, beginning: str, shape: str, values: Sequence[Any]) -> None:
        self.remark(f"{beginning} {shape}", sum(SHAPES.get(type(value)) == shape for value in values))
