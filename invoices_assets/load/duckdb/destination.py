"""dlt's DuckDB destination, bound to a connection whose transaction somebody else began and will end.

dlt commits in many steps: the schema, each load job, the merge, the load's row in `_dlt_loads`. Here all of
them go through one connection and their own begin, commit and rollback do nothing, so that readers see the
old state or the new one, and an error or a killed process leaves the old one.

dlt merges from a staging dataset. Here a staging table is a temporary view of the Parquet file of the load
job: no row is copied, and nothing has to be cleaned up in the warehouse.

What is overridden was read in dlt 1.31: destinations/impl/duckdb, destinations/job_client_impl.py and
load/load.py.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from pathlib import Path
from typing import Any, ClassVar, cast

import duckdb
from dlt.common.destination import DestinationCapabilitiesContext
from dlt.common.destination.client import (
    FollowupJobRequest,
    HasFollowupJobs,
    LoadJob,
    RunnableLoadJob,
    StateInfo,
    StorageSchemaInfo,
)
from dlt.common.destination.typing import PreparedTableSchema
from dlt.common.schema import Schema
from dlt.common.schema.typing import TSchemaTables
from dlt.common.storages import FileStorage
from dlt.destinations.exceptions import DatabaseTerminalException, DatabaseUndefinedRelation
from dlt.destinations.impl.duckdb.configuration import DuckDbClientConfiguration
from dlt.destinations.impl.duckdb.duck import DuckDbClient
from dlt.destinations.impl.duckdb.factory import duckdb as DuckDbDestination
from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient
from dlt.destinations.sql_client import raise_database_error

from invoices_assets.load.catalog import Catalog
from invoices_assets.load.duckdb.merge import DistinctMergeJob
from invoices_assets.load.spool import SEQ
from invoices_assets.load.sql import CATALOG, ident, literal, parquet
from invoices_assets.load.tables import LOAD_ID, table_exists


class Session:
    """The open warehouse of one load.

    Parameters:
        connection: attached as `warehouse`, in a transaction.
        directory: of the run, for the Parquet files behind the staging views.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, directory: Path) -> None:
        self.connection = connection
        self.directory = directory
        self.staged: dict[str, list[Path]] = {}

    def stage(self, table: str, file: str) -> list[Path]:
        """Keep a job's file, which dlt is about to move, under a name of our own.

        Returns:
            All files of the table so far.
        """
        files = self.staged.setdefault(table, [])
        path = self.directory / f"{table}.staged.{len(files)}.parquet"
        FileStorage.link_hard_with_fallback(file, str(path))
        files.append(path)
        return files


class SessionSqlClient(DuckDbSqlClient):
    """Runs dlt's SQL on the session's connection and never ends its transaction."""

    def __init__(
        self,
        session: Session,
        dataset_name: str,
        staging_dataset_name: str,
        credentials: Any,
        capabilities: DestinationCapabilitiesContext,
    ) -> None:
        super().__init__(dataset_name, staging_dataset_name, credentials, capabilities)
        self.session = session
        # dataset_name changes while dlt works on the staging dataset
        self.main_dataset = dataset_name

    def open_connection(self) -> duckdb.DuckDBPyConnection:
        self._conn = self.session.connection
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

    def make_qualified_table_name_path(
        self,
        table_name: str | None,
        quote: bool = True,
        casefold: bool = True,
        dataset_name: str | None = None,
        catalog: str | None = None,
    ) -> list[str]:
        if table_name and dataset_name is None and self.is_staging_dataset_active:
            return ["temp", "main", ident(f"_staged_{table_name}") if quote else f"_staged_{table_name}"]
        return super().make_qualified_table_name_path(table_name, quote, casefold, dataset_name, catalog)

    @classmethod
    def _make_database_exception(cls, ex: Exception) -> Exception:
        # a transient error would be tried again inside a transaction that is already lost
        error = super()._make_database_exception(ex)
        if isinstance(error, DatabaseUndefinedRelation) or not isinstance(ex, duckdb.Error):
            return error
        return DatabaseTerminalException(ex)


class StageParquetJob(RunnableLoadJob, HasFollowupJobs):
    """Makes the staging view of a table; every column with the exact type of the table, or not at all."""

    def __init__(self, file_path: str) -> None:
        super().__init__(file_path)
        # dlt sets it before it runs the job
        self._job_client: SessionClient = None  # type: ignore[assignment]

    def run(self) -> None:
        self._job_client.make_staging_view(self.load_table_name, self._file_path, self._load_id)


class SessionClient(DuckDbClient):
    """dlt's job client on a session; subclassed per session, for dlt makes clients by their class."""

    session: ClassVar[Session]

    def __init__(
        self, schema: Schema, config: DuckDbClientConfiguration, capabilities: DestinationCapabilitiesContext
    ) -> None:
        super().__init__(schema, config, capabilities)
        names = self.sql_client.dataset_name, self.sql_client.staging_dataset_name
        self._session_client = SessionSqlClient(self.session, *names, config.credentials, capabilities)
        self.sql_client = self._session_client

    def initialize_storage(self, truncate_tables: Iterable[str] | None = None) -> None:
        if not self.in_staging_dataset_mode:
            # dlt's hint leaves out its own default, None
            super().initialize_storage(truncate_tables)  # type: ignore[arg-type]

    def is_storage_initialized(self) -> bool:
        return self.in_staging_dataset_mode or super().is_storage_initialized()

    def update_stored_schema(
        self,
        only_tables: Iterable[str] | None = None,
        expected_update: TSchemaTables | None = None,
        force: bool = False,
    ) -> TSchemaTables | None:
        if not self.in_staging_dataset_mode:
            # dlt would take its stored schema's word for tables that somebody has moved away; its hint leaves out
            # its own default, None
            return super().update_stored_schema(only_tables, expected_update, True)  # type: ignore[arg-type]
        # a table without rows in this load gets no job, but the merge reads its staging table
        for table in only_tables or ():
            if table != self.schema.version_table_name:
                self.make_staging_view(table, None)
        return {}

    def get_stored_state(self, pipeline_name: str) -> StateInfo:
        # dlt tries and lives with the error, but since DuckDB 2.0 any error ends the transaction
        for table in (self.schema.state_table_name, self.schema.loads_table_name):
            if not self._is_stored(table):
                raise DatabaseUndefinedRelation(duckdb.CatalogException(f"Table {table} does not exist"))
        return super().get_stored_state(pipeline_name)

    def _row_to_schema_info(self, query: str, *args: Any) -> StorageSchemaInfo:
        if not self._is_stored(self.schema.version_table_name):
            # as dlt's own where there is no row, whatever its hint says
            return None  # type: ignore[return-value]
        return super()._row_to_schema_info(query, *args)

    def _is_stored(self, table: str) -> bool:
        return table_exists(self.session.connection, self._session_client.main_dataset, table)

    def create_load_job(
        self, table: PreparedTableSchema, file_path: str, load_id: str, restore: bool = False
    ) -> LoadJob:
        name = table.get("name")
        if file_path.endswith(".parquet") and name and self.should_load_data_to_staging_dataset(name):
            return StageParquetJob(file_path)
        return super().create_load_job(table, file_path, load_id, restore)

    def _create_merge_followup_jobs(self, table_chain: Sequence[PreparedTableSchema]) -> list[FollowupJobRequest]:
        return [DistinctMergeJob.from_table_chain(table_chain, self.sql_client)]

    def make_staging_view(self, table: str, file: str | None, load_id: str = "") -> None:
        """The staging view of `table` over its Parquet files so far, and over nothing without a file.

        Columns that a file lacks are null, but for the load id.

        Raises:
            DatabaseTerminalException: a column of the file has another type than that of the table, or none
                there; DuckDB would cast it, or leave it out, without a word.
        """
        connection = self.session.connection
        target = f"{ident(CATALOG)}.{ident(self._session_client.main_dataset)}.{ident(table)}"
        view = f"temp.main.{ident(f'_staged_{table}')}"
        kinds = _described(connection, f"SELECT * FROM {target}")
        if file is None:
            connection.execute(f"CREATE OR REPLACE TEMP VIEW {view} AS SELECT * FROM {target} WHERE false")
            return
        source = parquet(self.session.stage(table, file), ", union_by_name = true")
        came = _described(connection, f"SELECT * FROM {source}")
        for column, kind in came.items():
            if column != SEQ and not _same(kind, kinds.get(column)):
                problem = f"{table}.{column} is {kinds.get(column)} in the warehouse and {kind} in the load"
                raise DatabaseTerminalException(duckdb.InvalidInputException(problem))
        columns = []
        for column, kind in kinds.items():
            value = ident(column) if column in came else literal(load_id) if column == LOAD_ID else "NULL"
            columns.append(f"CAST({value} AS {kind}) AS {ident(column)}")
        connection.execute(f"CREATE OR REPLACE TEMP VIEW {view} AS SELECT {', '.join(columns)} FROM {source}")


def _described(connection: duckdb.DuckDBPyConnection, query: str) -> dict[str, str]:
    return {row[0]: row[1] for row in connection.execute(f"DESCRIBE {query}").fetchall()}


def _same(came: str, stored: str | None) -> bool:
    # Parquet has neither JSON nor seconds; the converter has seen to it that the values fit
    return came == stored or (came, stored) in {
        ("VARCHAR", "JSON"),
        ("JSON", "VARCHAR"),
        ("TIMESTAMP", "TIMESTAMP_S"),
        ("TIMESTAMP", "TIMESTAMP_MS"),
    }


def destination(session: Session, catalog: Catalog) -> DuckDbDestination:
    """dlt's destination `duckdb` for the warehouse of `catalog`, bound to the open `session`."""
    bound = type("BoundSessionClient", (SessionClient,), {"session": session})

    class BoundDestination(DuckDbDestination):
        _capabilities: DestinationCapabilitiesContext | None = None

        def capabilities(self, config: Any = None, naming: Any = None) -> DestinationCapabilitiesContext:
            # dlt asks some thirty times in a load and resolves its configuration each time; the answer
            # depends on neither argument, for dlt's default naming is not case sensitive
            if self._capabilities is None:
                self._capabilities = super().capabilities(config, naming)
            return copy(self._capabilities)

        def configuration(self, initial_config: Any, accept_partial: bool = False) -> Any:
            if initial_config is not None and initial_config.is_resolved():
                return initial_config
            return super().configuration(cast(Any, initial_config), accept_partial)

        @property
        def client_class(self) -> type[DuckDbClient]:
            return bound

        @property
        def destination_type(self) -> str:
            # the name kept in dlt's state, so that dlt's own tools read the warehouse
            return catalog.dlt_destination

    # a file that is never opened, for dlt wants one
    file = str(session.directory / "warehouse.duckdb")
    return BoundDestination(credentials=file, create_indexes=catalog.has_indexes)
