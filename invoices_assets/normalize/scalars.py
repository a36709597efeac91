"""Columns of JSON values to Arrow arrays: at once where all values are plain, one by one where they are not.

Either way gives the same array. A value that the column cannot hold exactly is never changed to fit: it is
null in the array and named among the unreadable ones.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, Inexact, InvalidOperation
from functools import lru_cache
from itertools import repeat
from types import NoneType
from typing import Any

import pyarrow as pa
import pyarrow.compute

from invoices_assets.normalize import dates
from invoices_assets.source.columns.column import DECIMAL_DIGITS, UNDECLARED, Column
from invoices_assets.source.values.exact_json import NOT_UNICODE, Unreadable, is_encodable, limited_json_text
from invoices_assets.source.values.numbers import exact_number, flag, plain_text, scaled, shown

_compute: Any = pyarrow.compute  # its functions are made at import, so that type checkers know none
_NUMBERS = {int, Decimal, NoneType}
_INTEGERS = {int, NoneType}
_TEXTS = {str, NoneType}
_PLAIN = {"bigint": (_INTEGERS, None), "text": (_TEXTS, pa.string()), "bool": ({bool, NoneType}, pa.bool_())}
# Arrow 26 casts a text of very many digits to a wrong number without an error, and crashes on 0E-9999999; at
# most 28 digits without an exponent can do neither.
_PLAIN_NUMBER = r"^[+-]?[0-9]{1,19}(\.[0-9]{0,9})?$"
# Nor does it see that such a text, moved by more places, is beyond its 128 bits: "35" at a scale of 37 is 0.97...
_LARGEST_SCALE = 19
Reader = Callable[[Any], Any]


def to_arrow(column: Column, values: Sequence[Any], types: set[type]) -> tuple[pa.Array, dict[int, str]]:
    """Turns the values of one column into an array.

    Parameters:
        column: what the values are declared as, `kind` not None.
        values: JSON values, None where there is none; objects and lists only for the kind `json`.
        types: the types that occur in `values`.

    Returns:
        the array, and row number -> why its value is unreadable.
    """
    at_once = _AT_ONCE.get(column.kind or "")
    if at_once:
        try:
            return at_once(column, values, types), {}
        except (pa.ArrowException, InvalidOperation, Inexact, OverflowError, UnicodeEncodeError, Unreadable):
            pass  # the reader of single values finds the one, and says why
    return _one_by_one(column, values)


def reader(column: Column) -> Reader:
    """Returns what reads one value of a column; it raises `Unreadable`."""
    return _READERS[column.kind or "text"](column)


def _one_by_one(column: Column, values: Sequence[Any]) -> tuple[pa.Array, dict[int, str]]:
    read = reader(column)
    readable: list[Any] = []
    unreadable: dict[int, str] = {}
    known: dict[str, Any] = {}  # dates repeat, and strptime is slow; texts only, as 1, True and 1.0 are one key
    for row, value in enumerate(values):
        if value is None or (type(value) is str and value in known):
            readable.append(None if value is None else known[value])
            continue
        try:
            readable.append(read(value))
        except Unreadable as error:
            readable.append(None)
            # a reason is told in places where nobody may see values of persons
            unreadable[row] = str(error).partition(":")[0] if column.x_pii else str(error)
        else:
            if type(value) is str:
                known[value] = readable[-1]
    return pa.array(readable, column.arrow_type), unreadable


def _decimals(column: Column, values: Sequence[Any], types: set[type]) -> pa.Array:
    if types <= _INTEGERS and column.x_scale is None:
        try:
            return pa.array(values, pa.int64()).cast(column.arrow_type)
        except (pa.ArrowInvalid, OverflowError):
            pass  # more than 64 bits, or a column too narrow for Arrow to cast to
    if types <= _NUMBERS:
        return pa.array(_quantized(column, values, NoneType in types), column.arrow_type)
    if types <= _TEXTS and column.x_scale is None and (column.scale or 0) <= _LARGEST_SCALE:
        texts = pa.array(values, pa.string())
        if _compute.all(_compute.match_substring_regex(texts, _PLAIN_NUMBER)).as_py() is not False:
            return texts.cast(column.arrow_type)
    raise pa.ArrowInvalid("no column of one kind")


def _quantized(column: Column, values: Sequence[Any], with_nulls: bool) -> list[Decimal | None]:
    """Gives every number the column's scale; raises where digits would be lost on either side of the point.

    This also keeps from Arrow what it misreads, see `_PLAIN_NUMBER`.
    """
    fit, unit = _fitting(column.precision or DECIMAL_DIGITS), Decimal((0, (1,), -(column.scale or 0)))
    if column.x_scale is not None:
        values = [None if value is None else scaled(value, column.x_scale) for value in values]
    if with_nulls:
        return [None if value is None else fit(value, unit) for value in values]
    return list(map(fit, values, repeat(unit)))


@lru_cache
def _fitting(precision: int) -> Callable[[Decimal, Decimal], Decimal]:
    traps = [Inexact, InvalidOperation]
    return Context(prec=precision, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=traps).quantize


def _as_they_are(column: Column, values: Sequence[Any], types: set[type]) -> pa.Array:
    plain, kind = _PLAIN[str(column.kind)]
    if types <= plain and column.x_scale is None:
        return pa.array(values, kind or column.arrow_type)
    raise pa.ArrowInvalid("no column of one kind")


def _number(column: Column) -> Callable[[Any], Decimal]:
    power = column.x_scale
    return exact_number if power is None else lambda value: scaled(exact_number(value), power)


def _decimal_reader(column: Column) -> Reader:
    number, fit = _number(column), _fitting(column.precision or DECIMAL_DIGITS)
    scale = column.scale or 0
    whole = (column.precision or DECIMAL_DIGITS) - scale
    unit = Decimal((0, (1,), -scale))

    def read(value: Any) -> Decimal:
        try:
            return fit(number(value), unit)
        except Inexact:
            raise Unreadable(f"has more than {scale} digits after the point: {shown(value)}") from None
        except InvalidOperation:
            raise Unreadable(f"has more than {whole} digits before the point: {shown(value)}") from None

    return read


def _integer_reader(column: Column) -> Reader:
    number = _number(column)
    limit = 1 << (column.arrow_type.bit_width - 1)

    def read(value: Any) -> int:
        exact = number(value)
        if exact.adjusted() > 19 or not -limit <= exact < limit:
            raise Unreadable(f"does not fit a whole number of {column.arrow_type.bit_width} bits: {shown(value)}")
        if exact != exact.to_integral_value():
            raise Unreadable(f"is not a whole number: {shown(value)}")
        return int(exact)

    return read


def _double_reader(column: Column) -> Reader:
    number = _number(column)

    def read(value: Any) -> float:
        double = float(number(value))
        if double in (float("inf"), float("-inf")):
            raise Unreadable(f"does not fit a double: {shown(value)}")
        return double

    return read


def _text_reader(column: Column) -> Reader:
    return _text_of_several_kinds if column is UNDECLARED["text"] else _text


def _text_of_several_kinds(value: Any) -> str:
    """A number as `load.types.text_of` writes it, for in another batch it may come among numbers only."""
    if type(value) is not Decimal:
        return _text(value)
    limited_json_text(value)
    return plain_text(value)


def _text(value: Any) -> str:
    if type(value) is not str:
        return limited_json_text(value)
    if not is_encodable(value):
        raise Unreadable(NOT_UNICODE)
    return value


def _binary(value: Any) -> bytes:
    """Hexadecimal after `0x`, else base64, as dlt reads it (dlt.common.data_types.type_helpers)."""
    try:
        if isinstance(value, str) and value.startswith("0x"):
            return bytes.fromhex(value[2:])
        if isinstance(value, str):
            return base64.b64decode(value, validate=True)
    except ValueError:
        pass
    raise Unreadable(f"is neither hexadecimal nor base64: {shown(value)}")


_AT_ONCE: dict[str, Callable[[Column, Sequence[Any], set[type]], pa.Array]] = {
    "decimal": _decimals,
    "wei": _decimals,
    **dict.fromkeys(_PLAIN, _as_they_are),
    "timestamp": dates.timestamps,
    "date": dates.dates,
}
_READERS: dict[str, Callable[[Column], Reader]] = {
    "decimal": _decimal_reader,
    "wei": _decimal_reader,
    "bigint": _integer_reader,
    "double": _double_reader,
    "text": _text_reader,
    "bool": lambda _: flag,
    "json": lambda _: limited_json_text,
    "binary": lambda _: _binary,
    "timestamp": dates.timestamp_reader,
    "date": dates.date_reader,
    "time": dates.time_reader,
}
