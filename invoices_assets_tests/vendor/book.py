"""What the API has: a book of invoices that tests fill and change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from threading import RLock
from typing import Any, Protocol

from invoices_assets.sandbox.live import EPOCH, LiveBook
from invoices_assets_tests.vendor.text import dumps, iso, loads, parse_stamp


class Rows(Protocol):
    """The records of one moment, in the API's order."""

    def __len__(self) -> int: ...

    def texts(self, positions: Sequence[int]) -> list[bytes]:
        """The records at these positions as JSON."""
        ...

    def record(self, position: int) -> dict[str, Any]:
        """One record as a dict, numbers exact."""
        ...


class AnyBook(Protocol):
    """What the HTTP side needs of a book."""

    def rows(self, since: datetime | None = None) -> Rows:
        """The records, or those whose `updated_at` is at or after a moment."""
        ...


class Book:
    """Records that can be changed while the server runs; all methods are safe to call from any thread.

    Parameters:
        records: dicts as `json.loads(..., parse_float=Decimal)` gives them; `text.Raw` values are written as
            they are. They are served in this order.
        clock: the moment that `update` writes into `updated_at`.
    """

    def __init__(
        self,
        records: Iterable[Mapping[str, Any]] = (),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._lock = RLock()
        self._clock = clock
        self._entries = [_entry(record) for record in records]

    @classmethod
    def of(
        cls,
        count: int,
        change: Callable[[dict[str, Any]], Mapping[str, Any]] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        seed: int = 0,
    ) -> Book:
        """A book of `count` generated invoices, the same each time.

        Parameters:
            change: turns each generated invoice into the record to serve, for APIs with other fields.
            clock: as for the class.
            seed: another value gives other invoices.
        """
        live = LiveBook(count, seed, clock=lambda: datetime.fromtimestamp(EPOCH, UTC))
        texts = live.texts(range(count), EPOCH)
        if change is not None:
            return cls((change(loads(text)) for text in texts), clock)
        book = cls((), clock)
        book._entries = [(loads(text), text) for text in texts]
        return book

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def records(self) -> list[dict[str, Any]]:
        """Copies of all records, in the order served."""
        with self._lock:
            return [dict(record) for record, _ in self._entries]

    def insert(self, record: Mapping[str, Any], at: int | None = None) -> None:
        """Adds a record at the end, or before position `at`."""
        with self._lock:
            self._entries.insert(len(self._entries) if at is None else at, _entry(record))

    def update(self, id: Any, **fields: Any) -> None:
        """Changes fields of a record and sets `updated_at` to now, unless the fields name it (or it has
        none).

        Raises:
            KeyError: no record has this id.
        """
        with self._lock:
            at = self._position(id)
            record = self._entries[at][0]
            if "updated_at" in record:
                fields.setdefault("updated_at", iso(self._clock()))
            self._entries[at] = _entry({**record, **fields})

    def delete(self, id: Any) -> None:
        """Removes a record.

        Raises:
            KeyError: no record has this id.
        """
        with self._lock:
            del self._entries[self._position(id)]

    def rows(self, since: datetime | None = None) -> Rows:
        """The records as they are now; later changes do not show in what is returned."""
        with self._lock:
            entries = list(self._entries)
        if since is not None:
            entries = [entry for entry in entries if _is_changed(entry[0].get("updated_at"), since)]
        return _BookRows(entries)

    def _position(self, id: Any) -> int:
        for at, (record, _) in enumerate(self._entries):
            if record.get("id") == id:
                return at
        raise KeyError(id)


class _BookRows:
    def __init__(self, entries: list[tuple[dict[str, Any], bytes]]) -> None:
        self._entries = entries

    def __len__(self) -> int:
        return len(self._entries)

    def texts(self, positions: Sequence[int]) -> list[bytes]:
        return [self._entries[position][1] for position in positions]

    def record(self, position: int) -> dict[str, Any]:
        return self._entries[position][0]


def _entry(record: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
    return dict(record), dumps(record).encode()


def _is_changed(value: Any, since: datetime) -> bool:
    moment = None if value is None else parse_stamp(value)
    return moment is not None and moment >= since
