"""A value in a JSON document, at a key, a dotted path or a JSONPath."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from dlt.common import jsonpath
from jsonpath_ng import Child, Fields

from invoices_assets.errors import SourceError

MISSING = object()
"""Stands for a value that is not there, which null is."""


def plain_keys(path: str) -> list[tuple[str, ...]]:
    """The keys that a path may mean: a single key, or keys with dots between them; none for a JSONPath."""
    if path == "$":
        return [()]
    if path.startswith("@") and _is_plain(path[1:]):
        return [(path,)]  # as OData writes its own keys; it begins no JSONPath
    return list({(path,): None, tuple(_keys(path)): None}) if _is_plain(path) else []


def spelled(path: Any) -> str:
    """The text of a path that dlt may have compiled; that of jsonpath-ng differs from version to version."""
    if isinstance(path, Child):
        return f"{spelled(path.left)}.{spelled(path.right)}"
    if isinstance(path, Fields) and len(path.fields) == 1:
        return str(path.fields[0])
    return str(path)


def checked_path(path: str | None) -> str | None:
    """The path itself, if it can be read.

    Raises:
        SourceError: it is neither a key nor a JSONPath.
    """
    if path is not None and not _is_plain(path):
        _compiled(path)
    return path


@lru_cache(maxsize=256)
def is_query(path: str) -> bool:
    """Whether a path is a JSONPath that may find several values, or pick one of a list; `amount[eur]` may be a key.

    Raises:
        SourceError: it has a filter and cannot be read.
    """
    if not {"[", "*"} & set(path) and ".." not in path:
        return False
    try:
        _compiled(path)
    except SourceError:
        if "[?" in path:
            raise
        return False
    return True


def found_by(query: str, document: Any) -> list[Any]:
    """All values that a JSONPath finds; none where it cannot be followed."""
    try:
        return jsonpath.find_values(_compiled(query), document)
    except (TypeError, ValueError, KeyError, IndexError, AttributeError):
        return []


def _keys(path: str) -> list[str]:
    return path.removeprefix("$.").split(".")


def _is_plain(path: str) -> bool:
    """Whether a path is keys with dots between them, or a single key."""
    return all(key and not set(key) & set("[]*?@'\"$ ") for key in _keys(path))


@lru_cache(maxsize=256)
def reader_of(path: str) -> Callable[[Any], Any]:
    """Reads a path as a literal key first, so that `@odata.count` needs no quoting; then as a JSONPath."""
    literal = path.strip("'\"")
    keys = _keys(literal)
    plain = _is_plain(literal)

    def read(document: Any) -> Any:
        if isinstance(document, dict) and literal in document:
            return document[literal]
        return at_keys(document, keys) if plain else _find(path, document)

    return read


def first_at(path: str, document: Any) -> Any:
    """As `reader_of`, of a path that means one value: the first that a JSONPath finds, as dlt reads it.

    Returns:
        None where a list is there in which nothing is found, such as links of which none is that to a next page.
    """
    value = reader_of(path)(document)
    if isinstance(value, list) and _finds_several(path):
        return value[0] if value else None
    return value


def at_keys(document: Any, keys: Iterable[str]) -> Any:
    """The value that keys lead to, one after the other; `MISSING` if absent."""
    for key in keys:
        if not isinstance(document, dict) or key not in document:
            return MISSING
        document = document[key]
    return document


def _find(path: str, document: Any) -> Any:
    values = jsonpath.find_values(_compiled(path), document)
    if _finds_several(path):
        container = path.partition("[")[0].rstrip(".*") or "$"
        if not values and container != "$" and not jsonpath.find_values(_compiled(container), document):
            return MISSING
        return values
    return values[0] if values else MISSING


def _finds_several(path: str) -> bool:
    return "*" in path or "?" in path


@lru_cache(maxsize=256)
def _compiled(path: str) -> Any:
    try:
        return jsonpath.compile_path(path)
    except Exception as error:
        raise SourceError(f"`{path}` is not a JSONPath: {' '.join(str(error).split())}.") from None
