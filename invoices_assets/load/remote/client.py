"""A connection to a warehouse that is no DuckDB file, through dlt's client of its destination."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator, Sequence
from typing import Any, cast

from dlt.common.destination import Destination
from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.common.schema import Schema
from dlt.dataset.utils import get_destination_clients
from dlt.destinations.impl.duckdb.factory import DuckDbTypeMapper
from dlt.destinations.impl.duckdb.factory import duckdb as DuckDbDestination

from invoices_assets.load.error_messages import plain_remote_errors
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.tables import Stored
from invoices_assets.source.dlt_settings import own_settings

ROWS_AT_ONCE = 10_000
KEYS_AT_ONCE = 500


class Remote:
    """An open warehouse that is no DuckDB file.

    Parameters:
        settings: names the destination and the dataset.
        destination: of dlt.
    """

    def __init__(self, settings: WarehouseSettings, destination: Destination[Any, Any]) -> None:
        schema = Schema(settings.dataset)
        self._dataset = settings.dataset
        self._client = cast(Any, get_destination_clients(schema, destination, settings.dataset)[0])
        self._sql: Any = self._client.sql_client

    def tables(self) -> list[str]:
        """The names of all tables of the dataset."""
        catalog, schema, _ = self._sql._get_information_schema_components()
        where, values = "table_schema = %s", [schema]
        if catalog:
            where, values = f"table_catalog = %s AND {where}", [catalog, schema]
        query = f"SELECT table_name FROM INFORMATION_SCHEMA.TABLES WHERE {where}"
        return [name for (name,) in self._sql.execute_sql(query, *values) or ()]

    def columns(self, tables: Sequence[str]) -> dict[str, Stored]:
        """table -> column -> (the DuckDB type that holds its values, nullable)."""
        mapper = DuckDbTypeMapper(DuckDbDestination().capabilities())
        found: dict[str, Stored] = {}
        for table, columns in self._client.get_storage_tables(tables):
            found[table] = {
                name: (mapper.to_destination_type(column, {"name": table}), column.get("nullable", True))
                for name, column in columns.items()
            }
        return found

    def rows(self, table: str, columns: Sequence[str], clauses: str = "") -> Iterator[Sequence[tuple[Any, ...]]]:
        """The rows of a table, some thousands at once.

        Parameters:
            clauses: of the query, behind the table.
        """
        names = ", ".join(self._sql.escape_column_name(c) for c in columns)
        query = f"SELECT {names} FROM {self._table(table)}{clauses}"
        connection = self._sql.native_connection
        if self._sql.dbapi.__name__ == "psycopg2":
            # the cursor of the server: that of the client would hold all rows in memory
            connection.autocommit = False
            try:
                with connection.cursor(name=f"mirror_{uuid.uuid4().hex}") as cursor:
                    cursor.execute(query)
                    while rows := cursor.fetchmany(ROWS_AT_ONCE):
                        yield rows
            finally:
                connection.rollback()
                connection.autocommit = True
            return
        with self._sql.execute_query(query) as cursor:
            while rows := cursor.fetchmany(ROWS_AT_ONCE):
                yield rows

    def count(self, table: str, where: str = "") -> int:
        """How many rows a table has."""
        return int(self._sql.execute_sql(f"SELECT count(*) FROM {self._table(table)}{where}")[0][0])

    def delete(self, table: str, column: str, values: Sequence[str]) -> None:
        """Delete the rows of a table that have one of the values."""
        for start in range(0, len(values), KEYS_AT_ONCE):
            listed = ", ".join(map(self.value, values[start : start + KEYS_AT_ONCE]))
            self._sql.execute_sql(f"DELETE FROM {self._table(table)} WHERE {self.name(column)} IN ({listed})")

    def name(self, column: str) -> str:
        """A column in the destination's SQL."""
        return str(self._sql.escape_column_name(column))

    def value(self, value: Any) -> str:
        """A text or a number in the destination's SQL."""
        return str(self._sql.capabilities.escape_literal(value)) if isinstance(value, str) else str(value)

    def _table(self, table: str) -> str:
        return str(self._sql.make_qualified_table_name(table))

    def drop_staging(self) -> None:
        """Drop the staging dataset of this run, if dlt has made one."""
        with contextlib.suppress(DestinationUndefinedEntity), self._client.with_staging_dataset():
            self._sql.drop_dataset()

    def __enter__(self) -> Remote:
        self._sql.open_connection()
        return self

    def __exit__(self, *_: object) -> None:
        self._sql.close_connection()


def remote_destination(settings: WarehouseSettings, run: str = "") -> Destination[Any, Any]:
    """dlt's destination, with a staging dataset of its own for the run named `run`.

    dlt's shared staging dataset loses rows without a word when two loads run at once (dlt issue 4297).
    """
    layout = {"staging_dataset_name_layout": f"%s_staging_{run}"} if run else {}
    found = Destination.from_reference(settings.destination, settings.credentials, **cast(Any, layout))
    return cast(Destination[Any, Any], found)


@contextlib.contextmanager
def open_remote(settings: WarehouseSettings, run: str = "") -> Iterator[Remote]:
    """The warehouse, connected.

    Raises:
        WarehouseError: it cannot be reached, or says no.
    """
    with (
        own_settings(but_destination=True),
        plain_remote_errors(settings),
        Remote(settings, remote_destination(settings, run)) as remote,
    ):
        yield remote
