"""What differs from one kind of warehouse to the next: how DuckDB attaches it, its turns, and its refusals.

All else, from the comparison to the commit, is the same, for DuckDB runs it on whatever is attached.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import duckdb

from invoices_assets.errors import WarehouseError, WarehouseUnusable
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.sql import CATALOG, ident, literal
from invoices_assets.load.tables import COLUMNS_VIEW, LoadPlan, qualified, table_exists
from invoices_assets.load.warehouses.lock import Log, sweep_lock
from invoices_assets.redaction.redactor import Redactor

TURNS = "_invoices_turns"


class Catalog(ABC):
    """One kind of warehouse.

    Parameters:
        settings: name the warehouse; what they leave out comes from dlt's own configuration.

    `dlt_destination` is the name kept in dlt's state, so that dlt's own tools read the warehouse.
    `retypes` tells whether ALTER TABLE can compute the values of a new type, `has_indexes` whether `_dlt_id` gets
    a unique one.
    """

    dlt_destination: ClassVar[str] = "dlt.destinations.duckdb"
    retypes: ClassVar[bool] = False
    has_indexes: ClassVar[bool] = False
    extensions: Sequence[str] = ()
    """DuckDB's extensions that must be loaded before it is attached."""
    is_shared = True
    """Whether other machines may load as well, so that a row of the warehouse holds the turn."""
    sees_all_datasets = False
    """Whether tables of other datasets are read as well; a server may have thousands of them."""

    def __init__(self, settings: WarehouseSettings) -> None:
        self.settings = settings

    @property
    def secrets(self) -> list[str]:
        """What must not be in any text: passwords, tokens, and the addresses that they stand in."""
        return []

    @abstractmethod
    def attach(self, connection: duckdb.DuckDBPyConnection, log: Log, *, read_only: bool) -> None:
        """Attach the warehouse as `warehouse`.

        Parameters:
            read_only: make nothing; where there is no warehouse yet, attach an empty one in memory.

        Raises:
            WarehouseError: it cannot be reached, read or written.
        """

    def sweep_turn(self, name: str, folder: Path, log: Log) -> AbstractContextManager[Any]:
        """Wait for the end of another sweep of the same stretch of a resource, which would be one too many.

        That is all: the order of loads does not hang on it, see `load.diff.order`.

        Parameters:
            name: of what is swept.
            folder: on this machine, of this user, for the lock.

        Raises:
            WarehouseBusy: another run held the turn for longer than `settings.turn_seconds`.
        """
        return sweep_lock(folder, f"{self.settings.place}.{name}", self.settings.turn_seconds, log)

    def undisturbed(self, log: Log) -> AbstractContextManager[Any]:
        """Wait for the end of a load that would keep readers out, and keep the next one waiting."""
        return nullcontext()

    @abstractmethod
    def turn(self, log: Log) -> AbstractContextManager[Any]:
        """Wait for the turn of a load.

        Raises:
            WarehouseBusy: another run held the turn for longer than `settings.turn_seconds`.
            WarehouseError: the warehouse cannot be reached or written.
        """

    def begin(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Begin a transaction that holds the turn, also where the session that waited for it is lost.

        Raises:
            duckdb.Error: another load has the turn.
        """
        self.make_turn_row(connection)
        connection.begin()
        self.hold_turn_row(connection)

    def make_turn_row(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Make the row that every load changes where there is none yet, in a transaction of its own, in its turn."""
        dataset = self.settings.dataset
        if self.is_shared and not table_exists(connection, dataset, TURNS):
            connection.begin()
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {ident(CATALOG)}.{ident(dataset)}")
            connection.execute(f"CREATE TABLE {qualified(dataset, TURNS)} (token BIGINT NOT NULL)")
            connection.execute(f"INSERT INTO {qualified(dataset, TURNS)} VALUES (0)")
            connection.commit()

    def hold_turn_row(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Change the row, in the transaction of a load, so that of two at once the later commit fails."""
        if self.is_shared:
            connection.execute(f"UPDATE {qualified(self.settings.dataset, TURNS)} SET token = token + 1")

    def view_columns(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Make the view that shows the columns of the dataset's tables."""
        connection.execute(
            f"CREATE OR REPLACE TEMP VIEW {COLUMNS_VIEW} AS "
            "SELECT table_name, column_name, data_type, is_nullable, column_index FROM duckdb_columns() "
            f"WHERE database_name = {literal(CATALOG)} AND schema_name = {literal(self.settings.dataset)}"
        )

    def prepare(self, connection: duckdb.DuckDBPyConnection, plan: LoadPlan) -> None:
        """See whether the catalog can hold the tables as planned, and make it ready to.

        Raises:
            TableRefused: it cannot.
        """
        return None

    def maintain(self, connection: duckdb.DuckDBPyConnection, keep: timedelta) -> dict[str, int]:
        """Make the warehouse smaller and reading quicker; the figures of it. No row that is there now changes.

        Parameters:
            keep: how long the former states of a lake stay readable.

        Returns:
            `files_before`, `bytes_after` and the like; nothing where a warehouse sees to itself.
        """
        return {}

    def explain(self, error: BaseException) -> WarehouseError:
        """One sentence for what DuckDB, dlt or the operating system said; without secrets."""
        if isinstance(error, WarehouseError):
            return error
        return self.sentence_for(error, Redactor(self.secrets).text(" ".join(str(error).split())))

    @abstractmethod
    def sentence_for(self, error: BaseException, text: str) -> WarehouseError:
        """The same.

        Parameters:
            text: of the error, on one line and without secrets.
        """


def attach_nothing(connection: duckdb.DuckDBPyConnection) -> None:
    """Attach an empty warehouse in memory, in the place of one that is not there."""
    connection.execute(f"ATTACH ':memory:' AS {ident(CATALOG)}")


def resolved(settings: WarehouseSettings, setting: str, credentials: Any) -> Any:
    """The credentials of the destination, by dlt's own configuration (environment, `.dlt/secrets.toml`).

    Parameters:
        setting: dlt's name of them, for the sentence.
        credentials: given instead of, or in part before, dlt's; None where they are not.

    Raises:
        WarehouseUnusable: something is missing, or cannot be read.
    """
    from dlt.common.configuration.exceptions import ConfigFieldMissingException
    from dlt.common.destination import Destination

    from invoices_assets.source.dlt_settings import own_settings

    try:
        with own_settings(but_destination=True):
            found: Any = Destination.from_reference(settings.destination, credentials)
            return found.configuration(found.spec()._bind_dataset_name(settings.dataset)).credentials
    except ConfigFieldMissingException:
        raise WarehouseUnusable(
            f"the destination {settings.destination} needs {setting}, which is not set, or not all of it"
        ) from None
    except Exception:
        # what dlt says may hold the value
        raise WarehouseUnusable(f"{setting} is not what dlt can read for {settings.destination}") from None
