"""A dlt destination whose load is one transaction, and writes only what differs.

dlt's own destinations commit in many steps: the schema, each file, the merge of each chain of tables, the row in
`_dlt_loads`. Here dlt's jobs only collect the files of a load package; what they change is worked out and written when
dlt completes the load, all at once. So readers see the old state or the new one, and an error, or a killed process,
leaves the old one. It loads what `complete_rest_source` yields, and nothing else:

    pipeline = dlt.pipeline("invoicing", destination=atomic_duckdb("data/invoices.duckdb"), dataset_name="invoicing")
    pipeline.run(complete_rest_source(read_source("source.yaml"), api))

What is overridden was read in dlt 1.31: common/destination/client.py and load/load.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import duckdb
from dlt.common.destination import DestinationCapabilitiesContext
from dlt.common.destination.client import LoadJob, RunnableLoadJob, StateInfo, StorageSchemaInfo
from dlt.common.destination.exceptions import DestinationTerminalException
from dlt.common.destination.typing import PreparedTableSchema
from dlt.common.schema import Schema
from dlt.common.schema.typing import TSchemaTables
from dlt.common.storages.load_package import load_package_state
from dlt.destinations.impl.duckdb.duck import DuckDbClient
from dlt.destinations.impl.duckdb.factory import duckdb as DuckDbDestination

from invoices_assets.load.catalogs import catalog_of
from invoices_assets.load.connection import open_warehouse
from invoices_assets.load.dlt_tables import dlt_tables
from invoices_assets.load.handover import Handover
from invoices_assets.load.load import Load
from invoices_assets.load.session import Session
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.sql import parquet
from invoices_assets.load.tables import LoadPlan, qualified
from invoices_assets.load.target import Target


def atomic_duckdb(path: str | Path, **settings: Any) -> AtomicDestination:
    """The destination of one DuckDB file.

    Parameters:
        path: of the file, which is made if missing.
        settings: further fields of `WarehouseSettings`, such as `memory_limit`.
    """
    return AtomicDestination(WarehouseSettings("", duckdb_path=Path(path), **settings))


class AtomicDestination(DuckDbDestination):
    """The destination of one warehouse, of any kind that DuckDB can attach.

    Parameters:
        settings: of the warehouse; its dataset is that of the pipeline.
        log: told when another process holds the warehouse and has to be waited for.
    """

    def __init__(self, settings: WarehouseSettings, log: Callable[[str], None] = lambda _: None) -> None:
        catalog = catalog_of(settings)
        # dlt wants the path of a file; that of another kind of warehouse is never opened
        file = str(settings.path) if settings.is_duckdb else "unused.duckdb"
        super().__init__(credentials=file, create_indexes=catalog.has_indexes)
        self._settings = settings
        self.log = log
        self.results: dict[str, Any] = {}
        """Of the last run, by resource; filled by whoever sweeps."""
        self._type = catalog.dlt_destination
        self._expected: dict[str, list[Handover]] = {}
        self._capabilities: DestinationCapabilitiesContext | None = None

    def settings_for(self, dataset: str) -> WarehouseSettings:
        """The settings, for one dataset."""
        return replace(self._settings, dataset=dataset)

    def expect(self, load_id: str, handover: Handover) -> None:
        """Say what a load package is about, before its files come."""
        self._expected.setdefault(load_id, []).append(handover)

    def expected(self, load_id: str) -> list[Handover]:
        """What a load package is about.

        Raises:
            DestinationTerminalException: nothing is known about it; its sweep may be of any age.
        """
        if load_id not in self._expected:
            raise DestinationTerminalException(
                f"the load package {load_id} was left by another run, or is none of `complete_rest_source`; nothing "
                "of it was loaded; call `pipeline.drop()` and run again"
            )
        return self._expected[load_id]

    def client(self, schema: Schema, initial_config: Any = None) -> AtomicClient:
        client: Any = super().client(schema, initial_config)
        client.destination = self
        return cast(AtomicClient, client)

    def capabilities(self, config: Any = None, naming: Any = None) -> DestinationCapabilitiesContext:
        # dlt asks some thirty times in a load and resolves its configuration each time; the answer
        # depends on neither argument, for dlt's default naming is not case sensitive
        if self._capabilities is None:
            self._capabilities = super().capabilities(config, naming)
            self._capabilities.preferred_loader_file_format = "parquet"
            self._capabilities.supported_loader_file_formats = ["parquet"]
        return copy(self._capabilities)

    def configuration(self, initial_config: Any, accept_partial: bool = False) -> Any:
        if initial_config is not None and initial_config.is_resolved():
            return initial_config
        return super().configuration(initial_config, accept_partial)

    @property
    def client_class(self) -> type[DuckDbClient]:
        return AtomicClient

    @property
    def destination_type(self) -> str:
        # the name kept in dlt's state, so that dlt's own tools read the warehouse
        return self._type


class CollectJob(RunnableLoadJob):
    """Takes a file of a load package over; it is read when the load is completed."""

    def run(self) -> None:
        client = self._job_client
        assert isinstance(client, AtomicClient)
        client.collect(self._load_id, self.load_table_name, self._file_path)


class AtomicClient(DuckDbClient):
    """dlt's job client: collects files, and loads them at the end."""

    destination: AtomicDestination

    def __enter__(self) -> AtomicClient:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """A connection lasts as long as what is done with it."""

    def initialize_storage(self, truncate_tables: Iterable[str] | None = None) -> None:
        """The schema is made with the tables, in the transaction of the load."""

    def is_storage_initialized(self) -> bool:
        return True

    def verify_schema(self, *_: Any, **__: Any) -> list[PreparedTableSchema]:
        return []

    def update_stored_schema(
        self,
        only_tables: Iterable[str] | None = None,
        expected_update: TSchemaTables | None = None,
        force: bool = False,
    ) -> TSchemaTables | None:
        return expected_update

    def should_load_data_to_staging_dataset(self, table_name: str) -> bool:
        return False

    def create_load_job(
        self, table: PreparedTableSchema, file_path: str, load_id: str, restore: bool = False
    ) -> LoadJob:
        self.destination.expected(load_id)
        return CollectJob(file_path)

    def collect(self, load_id: str, table: str, file: str) -> None:
        """Keep a file for `complete_load`."""
        handovers = self.destination.expected(load_id)
        owners = [handover for handover in handovers if table in handover.tables]
        (owners or handovers)[0].keep(table, file)

    def complete_load(self, load_id: str) -> None:
        """Compare, write what differs, and commit; or leave the warehouse exactly as it was.

        Raises:
            WarehouseError: nothing was written.
        """
        handovers = self.destination.expected(load_id)
        target, first = Target(self._settings), handovers[0]
        with target.plain_errors(), target.open(first.directory, self.destination.log) as connection:
            loads = [self._load(connection, target, handover, load_id) for handover in handovers]
            if any(load.differs for load in loads):
                self._close_books(connection, handovers, load_id)
                with first.result.timed("commit"):
                    connection.commit()
            else:
                connection.rollback()
            for load in loads:
                load.describe()

    def _load(self, connection: duckdb.DuckDBPyConnection, target: Target, handover: Handover, load_id: str) -> Load:
        load = Load(connection, self._settings, handover.spec, handover.request, handover.result, target)
        delta = load.compare(handover.arrived())
        if load.differs:
            self._make_tables(connection, delta.plan, handover)
            load.write(load_id, load_package_state()["state"]["created_at"].isoformat())
        return load

    def _make_tables(self, connection: duckdb.DuckDBPyConnection, plan: LoadPlan, handover: Handover) -> None:
        """Make and complete the tables, and write dlt's schema of them beside those of other resources."""
        schema = self._stored(connection) or Schema(self.schema.name)
        tables: list[Any] = [self.schema.get_table(name) for name in self.schema.dlt_table_names()]
        tables += dlt_tables(plan, handover.spec)
        for table in tables:
            schema.tables.pop(table["name"], None)
            schema.update_table(table)
        schema = Schema.from_dict(cast(Any, schema.to_dict(bump_version=True)))
        session = self._session(connection, schema)
        session.initialize_storage()
        session.update_stored_schema({table["name"] for table in tables})

    def _close_books(self, connection: duckdb.DuckDBPyConnection, handovers: list[Handover], load_id: str) -> None:
        """dlt's own rows: the state of the pipeline, and the load."""
        schema = self._stored(connection)
        assert schema is not None
        state = schema.state_table_name
        for handover in handovers:
            if files := handover.kept(state):
                table = qualified(self._settings.dataset, state)
                connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM {parquet(files)}")
        self._session(connection, schema).complete_load(load_id)

    def _stored(self, connection: duckdb.DuckDBPyConnection) -> Schema | None:
        found = self._session(connection, self.schema).get_stored_schema(self.schema.name)
        return Schema.from_dict(json.loads(found.schema)) if found else None

    def _session(self, connection: duckdb.DuckDBPyConnection, schema: Schema) -> Session:
        return Session(connection, schema, self.config, self.capabilities)

    @property
    def _settings(self) -> WarehouseSettings:
        return self.destination.settings_for(self.sql_client.dataset_name)

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        with open_warehouse(catalog_of(self._settings), read_only=True, log=self.destination.log) as connection:
            yield self._session(connection, self.schema)

    def get_stored_state(self, pipeline_name: str) -> StateInfo:
        with self._reading() as session:
            return session.get_stored_state(pipeline_name)

    def get_stored_schema(self, schema_name: str | None = None) -> StorageSchemaInfo:
        """An empty one: what the tables are is found out in the transaction of the load."""
        schema = Schema(schema_name or self.schema.name)
        text = json.dumps(schema.to_dict(bump_version=True))
        return StorageSchemaInfo(schema.version_hash, schema.name, 1, 1, None, text)  # type: ignore[arg-type]

    def get_stored_schema_by_hash(self, version_hash: str) -> StorageSchemaInfo:
        with self._reading() as session:
            return session.get_stored_schema_by_hash(version_hash)
