"""Where the rows go: the destination and the limits of a load."""

from __future__ import annotations

import errno
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from invoices_assets.errors import WarehouseUnusable
from invoices_assets.load.sql import catalog_name, written

DUCKDB = "duckdb"
_SCHEME = re.compile(r"[A-Za-z][\w+.-]+:|:\w*:")
"""Of a URL, or of DuckDB's own prefixes; one letter is a drive of Windows."""


@dataclass(frozen=True)
class Hints:
    """What a person can do about a refusal, in the words of whoever runs the load: its settings have names there.

    Parameters:
        path: names the setting of the DuckDB file.
        reconcile: names what loads everything again.
        work_dir: names the setting of the place of working folders.
        accept_deletions: how to have more records marked as deleted than `max_deleted_share` allows.
    """

    path: str = "duckdb_path"
    reconcile: str = "a load of everything"
    accept_deletions: str = "raise max_deleted_share"
    work_dir: str = "work_dir"


DEFAULT_HINTS = Hints()


@dataclass(frozen=True)
class WarehouseSettings:
    """The warehouse of one set of tables.

    Parameters:
        dataset: the schema that holds the tables; also the name of dlt's pipeline and source.
        destination: a dlt destination type; `duckdb` is one file, written in one transaction per load.
        duckdb_path: the DuckDB file; only for the destination `duckdb`.
        memory_limit: what DuckDB may use, in its own notation; beyond it, it uses the working folder.
        open_wait_seconds: how long to wait for a process that holds the file open.
        credentials: passed on to dlt for other destinations; None leaves it to dlt's own configuration.
        turn_seconds: how long to wait for another run.
        hints: end the sentences of refusals.
    """

    dataset: str
    destination: str = DUCKDB
    duckdb_path: Path | None = None
    memory_limit: str = "256MB"
    open_wait_seconds: float = 60.0
    credentials: Any = field(default=None, repr=False)
    turn_seconds: float = 3600.0
    hints: Hints = DEFAULT_HINTS

    @property
    def is_duckdb(self) -> bool:
        """Whether the warehouse is a DuckDB file on this machine."""
        return self.destination == DUCKDB

    @property
    def path(self) -> Path:
        """The DuckDB file, with links followed, so that one file has one name wherever it is opened, or locked.

        Raises:
            ValueError: there is none.
            WarehouseUnusable: it is no path of a file, but `md:…`, `s3://…`, `:memory:` or the like, or one too long.
        """
        if self.duckdb_path is None:
            raise ValueError("the destination duckdb needs duckdb_path")
        scheme = _SCHEME.match(str(self.duckdb_path))
        if scheme:
            raise WarehouseUnusable(
                f"{self.hints.path} begins with `{scheme[0]}`, which names no file on this machine; "
                "it must be the path of a DuckDB file"
            )
        path = os.path.realpath(os.path.expanduser(self.duckdb_path))
        try:
            os.stat(path)
        except OSError as error:
            if error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
                reason = error.strerror
                raise WarehouseUnusable(f"{self.hints.path} names no file of this machine ({reason})") from None
        return Path(path)

    @property
    def place(self) -> str:
        """Tells one warehouse from another on this machine."""
        return f"{self.path if self.is_duckdb else self.destination}.{self.dataset}"

    @property
    def way_out(self) -> str:
        """What to do with a table that cannot be continued."""
        other = f", or set {self.hints.path} to another file," if self.is_duckdb else ""
        return f"move the table away{other} and run {self.hints.reconcile} to fill it anew"

    def relation(self, table: str) -> str:
        """The full name of a table, as a person would write it in a query."""
        catalog = [catalog_name(self.duckdb_path.name)] if self.is_duckdb and self.duckdb_path else []
        return ".".join(map(written, [*catalog, self.dataset, table]))
