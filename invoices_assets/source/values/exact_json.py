"""JSON without loss: each number digit by digit, and what no program can hold left as it is written.

msgspec reads and writes it. What msgspec does not take, a careful reader and writer of Python's own do: a text with
a lone surrogate (`"\\ud800"`), an integer of thousands of digits, an exponent that even a Decimal cannot have, and
values that are nested so deeply that no parser that calls itself can follow.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec

MAX_DEPTH = 500
"""Levels of nesting that a value may have: half of what Python follows (`sys.getrecursionlimit`)."""
MAX_DIGITS = 1000
"""Digits that a number may have where it is kept as text."""
MAX_EXPONENT = 9999
"""Largest exponent there; the JSON of PostgreSQL has 131,072 digits before and 16,383 after the point."""

NOT_UNICODE = "is not valid Unicode: it has a lone surrogate"
TOO_DEEP = f"is nested in more than {MAX_DEPTH} levels"
_SPARE_DEPTH = 100  # of the list of records in its document
_BEYOND = re.compile(rf"(?:[0-9]\.?){{{MAX_DIGITS + 1}}}|[eE][+-]?0*[1-9][0-9]{{{len(str(MAX_EXPONENT))}}}")
_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\Z)'  # one without an end is read once only
_TOKENS = re.compile(rf"{_STRING}|[\[\]{{}}]|NaN|-?Infinity", re.DOTALL)
_STRINGS = re.compile(_STRING, re.DOTALL)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Unreadable(ValueError):
    """A value that its column cannot hold; `str()` continues a sentence that names the field."""


class Unread:
    """A value that no program can hold.

    Parameters:
        text: its JSON, as it stands in the answer.
        reason: why, as `Unreadable` says it.
    """

    def __init__(self, text: str, reason: str = "") -> None:
        self.text = text
        self.reason = reason

    def __str__(self) -> str:
        return self.text


def _refuse(value: Any) -> Any:
    if isinstance(value, Unread):
        raise Unreadable(value.reason)
    raise TypeError(f"JSON has no {type(value).__name__}")


_decode = msgspec.json.Decoder(float_hook=Decimal).decode
_encode = msgspec.json.Encoder(decimal_format="number", enc_hook=_refuse).encode


def read(body: bytes) -> tuple[Any, bool]:
    """Reads a document, for example `{"total": 0.10, "id": 1e999999999999999999999}`.

    Returns:
        the document, in which numbers are `int` or `Decimal` and what no program can hold is `Unread`; and whether
        other parsers can read it as well.

    Raises:
        ValueError: no complete JSON document; NaN and Infinity are none (RFC 8259, section 6).
    """
    try:
        return _decode(body.removeprefix(_BYTE_ORDER_MARK)), True
    except (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError):
        return _read_carefully(body.decode(json.detect_encoding(body), "surrogatepass")), False


def _read_carefully(text: str) -> Any:
    shallow, deep = _without_deep_values(text, MAX_DEPTH + _SPARE_DEPTH)
    taken_out = iter(deep)
    return json.loads(
        shallow,
        parse_int=_integer,
        parse_float=_fraction,
        parse_constant=lambda _: Unread(next(taken_out), TOO_DEEP),
    )


def _integer(text: str) -> int | Decimal:
    try:
        return int(text)
    except ValueError:  # more digits than `sys.get_int_max_str_digits()`, which a Decimal reads in linear time
        return Decimal(text)


def _fraction(text: str) -> Decimal | Unread:
    try:
        return Decimal(text)
    except ArithmeticError:
        return Unread(text, "is a number that cannot be stored")


def _without_deep_values(text: str, levels: int) -> tuple[str, list[str]]:
    """JSON with `NaN` for each value beyond so many levels, and these values in their order."""
    kept, deep, depth, start = [], [], 0, 0
    for found in _TOKENS.finditer(text):
        token = found[0]
        if token in "[{":
            depth += 1
            if depth == levels + 1:
                kept.append(text[start : found.start()])
                start = found.start()
        elif token in "]}":
            if depth == levels + 1:
                deep.append(storable(text[start : found.end()]))
                kept.append("NaN")
                start = found.end()
            depth -= 1
        elif token[0] != '"':
            raise ValueError(f"{token} is no JSON")
    if depth > levels:
        raise ValueError("the document is cut")
    return "".join([*kept, text[start:]]), deep


def json_text(value: Any) -> str:
    """The JSON text of a value, with each number as exact as it came; every database and file can hold it.

    Characters are written as they are, unless the value has a lone surrogate, which no encoding has; then all
    that is not ASCII is escaped.

    Parameters:
        value: as `read` returns it.
    """
    try:
        return _plain_text(value)
    except (Unreadable, UnicodeEncodeError, RecursionError, msgspec.MsgspecError):
        return "".join(_written_carefully(value))


def limited_json_text(value: Any) -> str:
    """As `json_text`, for a text that is read on by others.

    Raises:
        Unreadable: a lone surrogate, or a number or nesting beyond the limits above.
    """
    try:
        text = _plain_text(value)
    except UnicodeEncodeError:
        raise Unreadable(NOT_UNICODE) from None
    except RecursionError:
        raise Unreadable(TOO_DEEP) from None
    if _BEYOND.search(text) and _BEYOND.search(_STRINGS.sub("", text)):
        raise Unreadable(f"has a number of more than {MAX_DIGITS} digits, or an exponent beyond {MAX_EXPONENT}")
    if text.count("[") + text.count("{") > MAX_DEPTH and _without_deep_values(text, MAX_DEPTH)[1]:
        raise Unreadable(TOO_DEEP)
    return text


def _plain_text(value: Any) -> str:
    return msgspec.json.format(_encode(value), indent=0).decode()


def _written_carefully(value: Any) -> Iterator[str]:
    """The pieces of the JSON text of any value, however deep, in ASCII."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Unread):
            yield item.text
        elif isinstance(item, str):
            yield json.dumps(item)
        elif isinstance(item, dict | list):
            waiting += reversed([*_pieces(item)])
        else:
            yield _encode(item).decode()


def _pieces(container: dict[str, Any] | list[Any]) -> Iterator[Any]:
    is_object = isinstance(container, dict)
    yield Unread("{" if is_object else "[")
    for place, item in enumerate(container):
        yield Unread(", " if place else "")
        yield item
        if isinstance(container, dict):
            yield Unread(": ")
            yield container[item]
    yield Unread("}" if is_object else "]")


def is_utf8(body: bytes) -> bool:
    """Whether bytes are text in UTF-8."""
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def is_encodable(text: str) -> bool:
    """Whether a text is valid Unicode, without a lone surrogate (`"\\ud800"` in JSON)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def storable(text: str) -> str:
    """The text itself, or with its lone surrogates spelled out."""
    return text if is_encodable(text) else text.encode(errors="backslashreplace").decode()
