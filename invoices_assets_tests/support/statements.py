"""Looks at each statement of a load's transaction before it runs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from invoices_assets.load.destination import atomic


class _Watched:
    """A connection that tells of its statements."""

    def __init__(self, connection: Any, look: Callable[[str], str | None]) -> None:
        self._connection = connection
        self._look = look

    def execute(self, query: str, *arguments: Any) -> Any:
        instead = self._look(query)
        return self._connection.execute(instead) if instead else self._connection.execute(query, *arguments)

    def commit(self) -> None:
        self._look("COMMIT")
        self._connection.commit()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def fail_statement(patch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Gives a function that lets the statement of that number fail in the next load."""
    left = -1

    def look(_: str) -> str | None:
        nonlocal left
        left -= 1
        return "SELECT error('odd')" if left == -1 else None

    def choose(number: int) -> None:
        nonlocal left
        left = number

    watch_statements(patch, look)
    return choose


def watch_statements(patch: pytest.MonkeyPatch, look: Callable[[str], str | None]) -> None:
    """Have `look` see each statement of the loads to come; what it returns runs instead."""
    real = atomic.open_warehouse

    @contextlib.contextmanager
    def open_warehouse(*arguments: Any, **named: Any) -> Iterator[Any]:
        with real(*arguments, **named) as connection:
            yield _Watched(connection, look)

    patch.setattr(atomic, "open_warehouse", open_warehouse)
