"""What of a secret is to be kept secret, and how each value is recognised in a text."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterator

SHORTEST_VALUE = 4
"""Characters. A shorter part of a secret is not looked for by itself, and a shorter secret only as `=abc`."""

DISTINCT = 8
"""Characters. A shorter secret could be a part of any word or identifier."""

LONGEST_WORD = 19
"""Characters. Longer names of letters only do not come up in logs by chance."""

SHORTEST_NUMBER_IN_DATA = 12
"""Digits. A shorter number could be an amount, an identifier or a telephone number."""

_PLAIN = re.compile(r"[A-Za-z0-9]+")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z_-]{1,19}")
_WORDS = re.compile(r"[A-Za-z]+(?:[_./][A-Za-z]+)*")
_NUMBERS = re.compile(r"[0-9]+(?:[ .,:/-][0-9]+)*")
_HEX = re.compile(r"[0-9A-Fa-f]{8,}|[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_ENDS_VALUE = r"(?=$|[&\s\"'`#<>()\[\]{},;\\])"
_NAMED = r"(?i:key|token|secret|passw(?:or)?d|authorization)(?:[\"']?\s?[:=]\s?[\"']?|\s[\"'`])"


def is_ordinary(value: str) -> bool:
    """Whether a value is found in many texts by chance: it is very short, a word, a short number or a date."""
    if len(value) < SHORTEST_VALUE:
        return True
    if value.isdigit():
        return len(value) < DISTINCT
    if _NUMBERS.fullmatch(value):
        return sum(map(str.isdigit, value)) < SHORTEST_NUMBER_IN_DATA
    return len(value) <= LONGEST_WORD and _WORDS.fullmatch(value) is not None


def values_of(secret: str) -> set[str]:
    """The secret and its secret parts, each as it may be written.

    Of `Token abc` also `abc`, of `user:password` also each part, of `Basic …` what is encoded, and of hexadecimal
    keys and UUIDs both cases. A user name is secret by itself only where it can be nothing else.
    """
    values = _credentials_of(secret)
    for value in tuple(values):
        user, colon, password = value.partition(":")
        values += [password] if colon else []
        values += [user] if colon and len(user) >= DISTINCT and not is_ordinary(user) else []
    return {
        written
        for value in values
        if value == secret or len(value) >= SHORTEST_VALUE
        for written in ((value, value.lower(), value.upper()) if _HEX.fullmatch(value) else (value,))
    }


def values_in_data(secret: str) -> set[str]:
    """Those values of a secret that cannot stand in an invoice by chance; a user name, such as an address, can."""
    users = {value.partition(":")[0] for value in _credentials_of(secret) if ":" in value}
    return {value for value in values_of(secret) - users if _is_distinct_in_data(value)}


def _credentials_of(secret: str) -> list[str]:
    values = [secret]
    parts = secret.split()
    if len(parts) == 1:
        values.append(parts[0])
    elif len(parts) == 2 and _SCHEME.fullmatch(parts[0]):
        values.append(parts[1])
        if parts[0].lower() == "basic":
            values.append(_decoded(parts[1]))
    else:
        values += [part for part in parts if len(part) >= DISTINCT and not is_ordinary(part)]
    return values + [value.strip("\"',") for part in parts for _, found, value in [part.partition("=")] if found]


def _is_distinct_in_data(value: str) -> bool:
    return len(value) >= (SHORTEST_NUMBER_IN_DATA if value.isdigit() else DISTINCT) and not is_ordinary(value)


def _decoded(encoded: str) -> str:
    try:
        return b64decode(encoded, validate=True).decode()
    except ValueError:
        return ""


def folded(text: str) -> str:
    """HTML forms write a space as `+`, and only what follows tells which one it was."""
    return text.replace("+", " ")


def patterns_of(value: str) -> Iterator[str]:
    """How a value is recognised in a decoded text: anywhere, standing alone, or only as somebody's value."""
    utf16 = value.encode("utf-16-be", "surrogatepass")
    surrogates = "".join(chr(high << 8 | low) for high, low in zip(utf16[::2], utf16[1::2], strict=True))
    bytes_of = value.encode("utf-8", "surrogatepass").decode("latin-1")
    for form in dict.fromkeys((value, bytes_of, surrogates)):
        written = re.escape(folded(form))
        if len(value) < SHORTEST_VALUE:
            yield f"(?<==){written}{_ENDS_VALUE}"
        elif is_ordinary(value):
            yield f"(?:(?<==)|{_NAMED})({written}){_ENDS_VALUE}"
        elif len(value) < DISTINCT or value.isdigit():
            yield f"(?<![0-9A-Za-z_-]){written}(?![0-9A-Za-z_-])"
        else:
            yield written


def probes_of(value: str, in_base64: bool) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What is there wherever a value is, and what else must then be near."""
    runs = tuple(_PLAIN.findall(value))
    longest = max(runs, key=len, default="")
    yield longest, runs
    if longest:
        plain = (longest if len(longest) >= SHORTEST_VALUE else value).encode("utf-8", "surrogatepass")
        for inside in list(_base64_of(plain))[: 3 if in_base64 else 1]:
            if run := max(_PLAIN.findall(inside), key=len, default=""):
                yield run, ()


def _base64_of(value: bytes) -> Iterator[str]:
    """The base64 of a value inside a longer text: what is the same whatever stands before and after it.

    Three bytes make four characters, so there are three of them; the characters at the edges depend on the
    neighbours and are left out.
    """
    for before in range(3):
        encoded = b64encode(b"\0" * before + value).decode()
        yield encoded[-(-8 * before // 6) : 8 * (before + len(value)) // 6]
