"""A database of MotherDuck, attached through DuckDB's extension `motherduck`."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager
from typing import Any, ClassVar

import duckdb

from invoices_assets.errors import LoadFailed, SweepOutdated, WarehouseError, WarehouseUnusable
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.sql import CATALOG, ident, literal
from invoices_assets.load.warehouses.catalog import Catalog, resolved
from invoices_assets.load.warehouses.lock import Log

CREDENTIALS = "DESTINATION__MOTHERDUCK__CREDENTIALS"


class MotherDuck(Catalog):
    """A schema of a database of MotherDuck."""

    dlt_destination: ClassVar[str] = "dlt.destinations.motherduck"
    retypes: ClassVar[bool] = True
    extensions = ("motherduck",)

    def __init__(self, settings: WarehouseSettings) -> None:
        super().__init__(settings)
        self._credentials = resolved(settings, CREDENTIALS, settings.credentials)

    @property
    def secrets(self) -> list[str]:
        return [str(self._credentials.password or "")]

    def attach(self, connection: duckdb.DuckDBPyConnection, log: Log, *, read_only: bool) -> None:
        if self._credentials.password:
            connection.execute(f"SET motherduck_token = {literal(self._credentials.password)}")
        options = " (READ_ONLY)" if read_only else ""
        connection.execute(f"ATTACH {literal(f'md:{self._credentials.database}')} AS {ident(CATALOG)}{options}")

    def turn(self, log: Log) -> AbstractContextManager[Any]:
        # there is no lock to wait for: of two loads at once, the later commit fails
        return contextlib.nullcontext()

    def sentence_for(self, error: BaseException, text: str) -> WarehouseError:
        if "conflict" in text.lower():
            return SweepOutdated()
        if isinstance(error, (duckdb.IOException, duckdb.HTTPException, duckdb.InvalidInputException)):
            return WarehouseUnusable(f"the database of {CREDENTIALS} cannot be used ({text[:300]}); nothing was loaded")
        return LoadFailed(f"loading into MotherDuck failed and was rolled back: {text[:500]}")
