"""dlt's SQL, on a connection whose transaction somebody else began and will end.

dlt commits in many steps: the schema, the state, the load's row in `_dlt_loads`. Here all of them go through one
connection and their own begin, commit and rollback do nothing, so that readers see the old state or the new one, and
an error or a killed process leaves the old one.

What is overridden was read in dlt 1.31: destinations/impl/duckdb and destinations/job_client_impl.py.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, cast

import duckdb
from dlt.common.destination.client import StorageSchemaInfo
from dlt.common.schema import Schema
from dlt.destinations.impl.duckdb.duck import DuckDbClient
from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient
from dlt.destinations.sql_client import raise_database_error

from invoices_assets.load.sql import CATALOG, ident
from invoices_assets.load.tables import table_exists


class SessionSqlClient(DuckDbSqlClient):
    """Runs dlt's SQL on a connection that has the warehouse attached, and never ends its transaction."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, dataset: str, *configuration: Any) -> None:
        super().__init__(dataset, f"{dataset}_staging", *configuration)
        self._conn = self._session = connection

    def open_connection(self) -> duckdb.DuckDBPyConnection:
        self._conn = self._session
        return self._conn

    def close_connection(self) -> None:
        """The connection is the session's."""

    @contextlib.contextmanager
    def begin_transaction(self) -> Iterator[Any]:
        yield self

    def commit_transaction(self) -> None:
        """Whoever began the transaction ends it."""

    def rollback_transaction(self) -> None:
        """Whoever began the transaction ends it; the error is raised on to there."""

    @contextlib.contextmanager
    @raise_database_error
    def execute_query(self, query: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        # dlt's own rolls back on an error, and dlt lives with some, such as a state table not made yet
        parameters = args or kwargs or None
        if parameters:
            query = query.replace("%s", "?")
        yield self.cursor_impl(cast(Any, self._conn.execute(query, parameters)))

    def catalog_name(self, quote: bool = True, casefold: bool = True) -> str | None:
        return ident(CATALOG) if quote else CATALOG


class Session(DuckDbClient):
    """dlt's job client on an open warehouse: what it reads there, and what it writes beside the rows."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, schema: Schema, *configuration: Any) -> None:
        super().__init__(schema, *configuration)
        config, capabilities = configuration
        self._connection = connection
        self._dataset = self.sql_client.dataset_name
        self.sql_client = SessionSqlClient(connection, self._dataset, config.credentials, capabilities)

    def _row_to_schema_info(self, query: str, *args: Any) -> StorageSchemaInfo:
        # dlt tries and lives with the error, but since DuckDB 2.0 any error ends the transaction
        if not table_exists(self._connection, self._dataset, self.schema.version_table_name):
            # as dlt's own where there is no row, whatever its hint says
            return None  # type: ignore[return-value]
        return super()._row_to_schema_info(query, *args)
