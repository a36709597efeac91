"""Keeps several pages in flight, without the walk having to know."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import islice

from invoices_assets.extract.endpoint import PageRequest
from invoices_assets.extract.page import Page


class Prefetch:
    """Pages at positions, asked for ahead of their use.

    The walk asks for exactly the position it needs; a guess that turns out wrong costs a request and
    is never used.

    Parameters:
        at: makes the request for the page at a position.
        window: how many requests may be under way at once; 1 is the plain walk.
    """

    def __init__(self, at: Callable[[int], PageRequest], window: int) -> None:
        self._at = at
        self._window = window
        self._ahead: dict[int, tuple[PageRequest, Future[Page]]] = {}
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> Prefetch:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def take(self, position: int) -> PageRequest:
        """The page at a position, to be had: fetched ahead already, or not yet asked for."""
        if position not in self._ahead:
            return self._at(position)
        page, fetched = self._ahead.pop(position)
        wait([fetched])  # what it raised, `page` raises again
        return page

    def expect(self, positions: Iterable[int]) -> None:
        """Starts requests for the positions that will probably be asked for next, nearest first.

        What was started for other positions is dropped.
        """
        wanted = list(islice(positions, self._window)) if self._window > 1 else []
        for position in [started for started in self._ahead if started not in wanted]:
            self._ahead.pop(position)[1].cancel()
        for position in wanted:
            if position not in self._ahead:
                if self._pool is None:
                    self._pool = ThreadPoolExecutor(self._window, thread_name_prefix="page")
                page = self._at(position)
                self._ahead[position] = page, self._pool.submit(page.get)
