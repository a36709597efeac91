"""A schema of a PostgreSQL database, attached through DuckDB's extension `postgres_scanner`.

One transaction of DuckDB is one of PostgreSQL, with the isolation level REPEATABLE READ.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import duckdb

from invoices_assets.errors import (
    LoadFailed,
    SweepOutdated,
    TableRefused,
    WarehouseBusy,
    WarehouseError,
    WarehouseUnusable,
)
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.sql import CATALOG, ident, literal
from invoices_assets.load.tables import COLUMNS_VIEW, LoadPlan
from invoices_assets.load.warehouses.catalog import Catalog, resolved
from invoices_assets.load.warehouses.lock import Log
from invoices_assets.load.warehouses.server import LONGEST_NAME, address, is_of_server, readable, reason, whole_schema
from invoices_assets.load.warehouses.server_lock import server_lock
from invoices_assets.source.naming import rejected_table

CREDENTIALS = "DESTINATION__POSTGRES__CREDENTIALS"


class PostgresCatalog(Catalog):
    """A schema of a PostgreSQL database."""

    dlt_destination: ClassVar[str] = "dlt.destinations.postgres"
    has_indexes: ClassVar[bool] = True
    extensions = ("postgres_scanner",)

    def __init__(self, settings: WarehouseSettings) -> None:
        super().__init__(settings)
        whole_schema(settings.dataset)
        self._credentials = readable(resolved(settings, CREDENTIALS, settings.credentials), CREDENTIALS)
        # DuckDB takes all texts for UTF-8, so others would read other characters in a database of another encoding
        self._dsn = address(self._credentials, client_encoding="UTF8")

    @property
    def secrets(self) -> list[str]:
        return [self._dsn, str(self._credentials.password)]

    def attach(self, connection: duckdb.DuckDBPyConnection, log: Log, *, read_only: bool) -> None:
        options = "TYPE postgres, READ_ONLY" if read_only else "TYPE postgres"
        statement = f"ATTACH {literal(self._dsn)} AS {ident(CATALOG)}"
        if not self.sees_all_datasets:
            # else DuckDB learns all tables of the database in each transaction, and lists them with each question
            connection.execute(f"{statement} ({options}, SCHEMA {literal(self.settings.dataset)})")
            schemas = f"SELECT 1 FROM duckdb_schemas() WHERE database_name = {literal(CATALOG)}"
            if connection.execute(schemas).fetchone():
                return
            connection.execute(f"DETACH {ident(CATALOG)}")
        connection.execute(f"{statement} ({options})")

    def sweep_turn(self, name: str, folder: Path, log: Log) -> AbstractContextManager[Any]:
        return server_lock(self, self._dsn, f"{self.settings.dataset}.{name}", self.settings.turn_seconds, log)

    def turn(self, log: Log) -> AbstractContextManager[Any]:
        return server_lock(self, self._dsn, self.settings.dataset, self.settings.turn_seconds, log)

    def hold_turn_row(self, connection: duckdb.DuckDBPyConnection) -> None:
        limit = f"SET LOCAL lock_timeout = {int(self.settings.turn_seconds * 1000)}"
        # a table of which the user may see some rows is then an error, and not a shorter table
        for setting in (limit, "SET LOCAL row_security = off"):
            connection.execute(f"CALL postgres_execute({literal(CATALOG)}, {literal(setting)})")
        super().hold_turn_row(connection)

    def view_columns(self, connection: duckdb.DuckDBPyConnection) -> None:
        # DuckDB shows them as texts
        json = _json_columns(self.settings.dataset)
        connection.execute(
            f"CREATE OR REPLACE TEMP VIEW {COLUMNS_VIEW} AS "
            "SELECT c.table_name, c.column_name, if(j.table_name IS NULL, c.data_type, 'JSON') AS data_type, "
            "c.is_nullable, c.column_index FROM duckdb_columns() c "
            f"LEFT JOIN postgres_query({literal(CATALOG)}, {literal(json)}) j USING (table_name, column_name) "
            f"WHERE c.database_name = {literal(CATALOG)} AND c.schema_name = {literal(self.settings.dataset)}"
        )

    def prepare(self, connection: duckdb.DuckDBPyConnection, plan: LoadPlan) -> None:
        tables = {table.name: table for table in plan.all_tables}
        for name in {*tables, *(column for table in tables.values() for column in table.columns)}:
            if len(name.encode()) > LONGEST_NAME:
                raise TableRefused(
                    f"the name {name} is longer than the {LONGEST_NAME} bytes that PostgreSQL keeps of one; give the "
                    "field a shorter one in the source YAML, with `x-from`"
                )

        for name, why in self._query(connection, _meddled_with(self.settings.dataset)):
            if name in {*tables, rejected_table(plan.root.name)}:
                raise TableRefused(
                    f"the table {self.settings.dataset}.{name} {why}, so that PostgreSQL may change other rows than "
                    f"those of a load, or none; {self.settings.way_out}"
                )

        for name, column, kind in self._query(connection, _inexact_columns(self.settings.dataset)):
            if name in tables:
                alter = f"ALTER TABLE {ident(self.settings.dataset)}.{ident(name)} ALTER COLUMN {ident(column)}"
                change = f"{alter} TYPE {kind} USING {ident(column)}::{kind}"
                connection.execute(f"CALL postgres_execute({literal(CATALOG)}, {literal(change)})")
                connection.execute("CALL pg_clear_cache()")

    def maintain(self, connection: duckdb.DuckDBPyConnection, keep: timedelta) -> dict[str, int]:
        tables = (
            "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) AS name, "
            "pg_total_relation_size((quote_ident(schemaname) || '.' || quote_ident(tablename))::regclass) AS bytes "
            f"FROM pg_tables WHERE schemaname = {literal(self.settings.dataset)}"
        )
        before = dict(self._query(connection, tables))
        for name in before:
            # the server's autovacuum does it too, but later
            vacuum = literal(f"VACUUM (ANALYZE) {name}")
            connection.execute(f"CALL postgres_execute({literal(CATALOG)}, {vacuum}, use_transaction => false)")
        after = dict(self._query(connection, tables))
        return {"tables": len(before), "bytes_before": sum(before.values()), "bytes_after": sum(after.values())}

    def sentence_for(self, error: BaseException, text: str) -> WarehouseError:
        said = reason(text)
        if "could not serialize" in said:
            return SweepOutdated()
        if "lock timeout" in said:
            return WarehouseBusy(f"another run is still loading into {self.settings.dataset}; nothing was loaded")
        if "NULL-byte" in said:
            return LoadFailed("a text of the API has a character NUL, which PostgreSQL cannot hold; nothing was loaded")
        if any(sign in said for sign in ("permission denied", "must be owner", "read-only", "row-level security")):
            return WarehouseUnusable(f"the user of {CREDENTIALS} lacks a right ({said[:200]}); nothing was loaded")
        if is_of_server(error, text):
            return WarehouseUnusable(f"the server of {CREDENTIALS} cannot be used ({said[:200]}); nothing was loaded")
        return LoadFailed(f"loading into PostgreSQL failed and was rolled back: {said[:500]}")

    def _query(self, connection: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
        return connection.execute(f"FROM postgres_query({literal(CATALOG)}, {literal(query)})").fetchall()


def _meddled_with(dataset: str) -> str:
    """SQL for the tables of which no load can tell what the server makes of its statements, and why."""
    # DuckDB names a row by its `ctid`, which is one for each partition and each heir
    reasons = {
        "is partitioned": "relkind = 'p'",
        "is a view": "relkind IN ('v', 'm')",
        "is on another server": "relkind = 'f'",
        "has tables that inherit from it": "EXISTS (SELECT FROM pg_inherits WHERE inhparent = pg_class.oid)",
        "has a rule": "EXISTS (SELECT FROM pg_rewrite WHERE ev_class = pg_class.oid)",
        # the bits of a trigger that is called for each row, and before it is written
        "has a trigger that is called before a row is written": "EXISTS (SELECT FROM pg_trigger WHERE "
        "tgrelid = pg_class.oid AND NOT tgisinternal AND tgenabled <> 'D' AND tgtype & 3 = 3)",
    }
    cases = " ".join(f"WHEN {condition} THEN {literal(why)}" for why, condition in reasons.items())
    return (
        f"SELECT * FROM (SELECT relname::text AS name, CASE {cases} END AS why FROM pg_class "
        f"JOIN pg_namespace ON pg_namespace.oid = relnamespace "
        f"WHERE nspname = {literal(dataset)} AND relkind IN ('r', 'p', 'v', 'm', 'f')) found WHERE why IS NOT NULL"
    )


def _json_columns(dataset: str) -> str:
    # information_schema looks at the rights to each column of the database before it leaves any out
    return (
        "SELECT relname::text AS table_name, attname::text AS column_name FROM pg_attribute "
        "JOIN pg_class ON pg_class.oid = attrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace "
        f"WHERE nspname = {literal(dataset)} AND NOT attisdropped "
        "AND atttypid IN ('json'::regtype, 'jsonb'::regtype)"
    )


def _inexact_columns(dataset: str) -> str:
    """SQL for the columns that keep other values than they are given, and the types that keep them.

    `jsonb` spells a value anew, so that it would never equal what the API sent, and a moment of a limited precision is
    rounded to it. Tables of dlt have both.
    """
    moments = ", ".join(f"'{kind}'::regtype" for kind in ("timestamptz", "timestamp", "time"))
    return (
        "SELECT relname::text, attname::text, "
        "CASE atttypid WHEN 'jsonb'::regtype THEN 'json' ELSE format_type(atttypid, NULL) END FROM pg_attribute "
        "JOIN pg_class ON pg_class.oid = attrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace "
        f"WHERE nspname = {literal(dataset)} AND relkind = 'r' AND NOT attisdropped "
        f"AND (atttypid = 'jsonb'::regtype OR atttypid IN ({moments}) AND atttypmod BETWEEN 0 AND 5)"
    )
