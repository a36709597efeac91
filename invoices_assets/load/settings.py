"""Where the rows go: the destination and the limits of a load."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

DUCKDB = "duckdb"


@dataclass(frozen=True)
class Hints:
    """What a person can do about a refusal, in the words of whoever runs the load: its settings have names there.

    Parameters:
        path: names the setting of the DuckDB file.
        reconcile: names what loads everything again.
        accept_deletions: how to have more records marked as deleted than `max_deleted_share` allows.
    """

    path: str = "duckdb_path"
    reconcile: str = "a load of everything"
    accept_deletions: str = "raise max_deleted_share"

    @property
    def way_out(self) -> str:
        """What to do with a table that cannot be continued."""
        return f"move the table away, or set {self.path} to another file, and run {self.reconcile} to fill it anew"


DEFAULT_HINTS = Hints()


@dataclass(frozen=True)
class WarehouseSettings:
    """The warehouse of one set of tables.

    Parameters:
        dataset: the schema that holds the tables; also the name of dlt's pipeline and source.
        destination: a dlt destination type; `duckdb` is one file, written in one transaction per load.
        duckdb_path: the DuckDB file; only for the destination `duckdb`.
        memory_limit: what DuckDB may use, in its own notation; beyond it, it uses the working folder.
        threads: how many threads DuckDB may use; None for its default, all cores.
        open_wait_seconds: how long to wait for a process that holds the file open.
        credentials: passed on to dlt for other destinations; None leaves it to dlt's own configuration.
        hints: end the sentences of refusals.
    """

    dataset: str
    destination: str = DUCKDB
    duckdb_path: Path | None = None
    memory_limit: str = "256MB"
    threads: int | None = None
    open_wait_seconds: float = 60.0
    credentials: Any = None
    hints: Hints = DEFAULT_HINTS

    @property
    def is_duckdb(self) -> bool:
        return self.destination == DUCKDB

    @property
    def path(self) -> Path:
        """The DuckDB file as an absolute path, so that a change of folder in between does not matter."""
        if self.duckdb_path is None:
            raise ValueError("the destination duckdb needs duckdb_path")
        return Path(self.duckdb_path).expanduser().absolute()

    @property
    def is_there(self) -> bool:
        """Whether there can be anything to read."""
        return self.path.exists() if self.is_duckdb else True

    def relation(self, table: str) -> str:
        """The full name of a table, as a person would write it in a query."""
        return f"{self.path.stem}.{self.dataset}.{table}" if self.is_duckdb else f"{self.dataset}.{table}"
