"""Counts the distinct ids of a pass in little memory: a digest of each, in a file as soon as there are many.

A digest has 128 bits (BLAKE2b). That two of n ids have the same one happens once in 2^129 / n² times: for five million
ids once in 10^25, and more often than once in 10^18 only beyond 26 billion of them.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from os import SEEK_END
from pathlib import Path
from typing import IO, Any

from invoices_assets.errors import WarehouseUnusable

IN_MEMORY = 1 << 17
"""How many ids are kept in memory."""
BUCKETS = 64
"""Of the file, by the first bits of a digest: one id is in one bucket only, so each can be counted alone."""
DIGEST_BYTES, STAMP_BYTES = 16, 8


def digests(keys: Iterable[str | tuple[str, ...]]) -> list[bytes]:
    """What is kept of keys."""
    texts = (key if type(key) is str else repr(key) for key in keys)
    return [blake2b(text.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).digest() for text in texts]


class IdCount:
    """Ids, each with the change stamp that it came with where that matters.

    Each question about them raises `WarehouseUnusable` where the file cannot be read back.

    Parameters:
        folder: where the file is made, without a name, so that it ends with the process; None for the system's
            temporary place.
        in_memory: how many ids are kept in memory.
    """

    def __init__(self, folder: Path | None = None, in_memory: int = IN_MEMORY) -> None:
        self._folder, self._in_memory = folder, in_memory
        self._fresh: list[bytes] = []
        self._file: IO[bytes] | None = None
        self._places: list[list[tuple[int, int]]] = [[] for _ in range(BUCKETS)]
        self._width = DIGEST_BYTES
        self._counted: tuple[int, int] | None = None

    def __enter__(self) -> IdCount:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, keys: Iterable[Any], stamps: Sequence[Any] | None = None) -> None:
        """Takes keys; with stamps, a key that comes twice at once counts once, with the last of its stamps.

        Raises:
            WarehouseUnusable: the file cannot be written.
        """
        if stamps is None:
            self._fresh += digests(keys)
        else:
            found = dict(zip(digests(keys), map(hash, stamps), strict=True))
            self._width = DIGEST_BYTES + STAMP_BYTES
            self._fresh += [key + stamp.to_bytes(STAMP_BYTES, signed=True) for key, stamp in found.items()]
        self._counted = None
        if len(self._fresh) > self._in_memory:
            self._spill()

    @property
    def distinct(self) -> int:
        """How many ids there are."""
        return self._count()[0]

    @property
    def renewed(self) -> int:
        """How often an id came with another stamp than the time before."""
        return self._count()[1]

    def known(self, keys: Iterable[Any]) -> list[bool]:
        """Which of a few keys came before."""
        asked = digests(keys)
        found = {key for bucket in self._buckets() for key in asked if key in bucket[0]}
        return [key in found for key in asked]

    def is_same(self, other: IdCount) -> bool:
        """Whether these are the same ids."""
        for each in (self, other):
            each._spill()
        pairs = zip(self._buckets(), other._buckets(), strict=True)
        return all(mine[0].keys() == theirs[0].keys() for mine, theirs in pairs)

    def _count(self) -> tuple[int, int]:
        if self._counted is None:
            counts = [(len(last), renewed) for last, renewed in self._buckets()]
            self._counted = sum(distinct for distinct, _ in counts), sum(renewed for _, renewed in counts)
        return self._counted

    def _buckets(self) -> Iterator[tuple[dict[bytes, bytes], int]]:
        """For a part of the ids at a time: the last stamp of each, and how many took the place of another one."""
        if self._file is None:
            yield _last_stamps(self._fresh, self._width)
            return
        self._spill()
        for places in self._places:
            yield _last_stamps(self._read(places), self._width)

    def _spill(self) -> None:
        """Appends what is in memory to the file, bucket by bucket."""
        parts: list[list[bytes]] = [[] for _ in range(BUCKETS)]
        for entry in self._fresh:
            parts[entry[0] % BUCKETS].append(entry)
        with self._explained():
            if self._file is None:
                # closed by `__exit__`
                self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115
            place = self._file.seek(0, SEEK_END)
            for places, part in zip(self._places, parts, strict=True):
                places.append((place, len(part)))
                place += self._file.write(b"".join(part))
        self._fresh.clear()

    def _read(self, places: Iterable[tuple[int, int]]) -> Iterator[bytes]:
        assert self._file is not None
        for place, entries in places:
            with self._explained():
                self._file.seek(place)
                data = self._file.read(entries * self._width)
            yield from (data[start : start + self._width] for start in range(0, len(data), self._width))

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise WarehouseUnusable(
                f"the ids of the sweep cannot be kept in the working folder ({error.strerror or error}); nothing was "
                "loaded"
            ) from error


def _last_stamps(entries: Iterable[bytes], width: int) -> tuple[dict[bytes, bytes], int]:
    if width == DIGEST_BYTES:
        return dict.fromkeys(entries, b""), 0
    last: dict[bytes, bytes] = {}
    renewed = 0
    for entry in entries:
        key, stamp = entry[:DIGEST_BYTES], entry[DIGEST_BYTES:]
        renewed += last.get(key, stamp) != stamp
        last[key] = stamp
    return last, renewed
