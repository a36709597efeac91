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
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager
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
from dlt.destinations.impl.duckdb.duck import DuckDbClient
from dlt.destinations.impl.duckdb.factory import duckdb as DuckDbDestination

from invoices_assets.load.destination.books import Books
from invoices_assets.load.destination.handover import Handover
from invoices_assets.load.destination.schema import dlt_tables
from invoices_assets.load.error_messages import innermost
from invoices_assets.load.load import Load
from invoices_assets.load.saved_state import next_load_id
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.warehouses.catalog import Catalog
from invoices_assets.load.warehouses.catalogs import catalog_of
from invoices_assets.load.warehouses.connection import open_warehouse
from invoices_assets.source.naming import normalized


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
        self.has_committed = False
        """Whether the last load has; what goes wrong behind it takes nothing back."""
        self.results: dict[str, Any] = {}
        """Of the last run, by resource; filled by whoever sweeps."""
        self._type = catalog.dlt_destination
        self.expected: dict[str, list[Handover]] = defaultdict(list)
        """What load packages are about, by load id; to be filled before their files come."""
        self._capabilities: DestinationCapabilitiesContext | None = None

    def settings_for(self, dataset: str) -> WarehouseSettings:
        """The settings, for one dataset."""
        return replace(self._settings, dataset=normalized(dataset))

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
    """Takes note of a file of a load package."""

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
        if truncate_tables:
            self.drop_tables(*truncate_tables)

    def drop_tables(self, *tables: str, delete_schema: bool = True) -> None:
        raise DestinationTerminalException(
            f"`refresh` and `replace` of dlt are no ways to load {', '.join(sorted(tables))}; nothing was changed; "
            "move the table away, or ask for everything by `RefreshRequest('full')`"
        )

    def is_storage_initialized(self) -> bool:
        return True

    def verify_schema(self, *_: Any, **__: Any) -> list[PreparedTableSchema]:
        return []

    def update_stored_schema(self, only_tables: Any = None, expected_update: Any = None, *_: Any, **__: Any) -> Any:
        return expected_update

    def should_load_data_to_staging_dataset(self, table_name: str) -> bool:
        return False

    def create_load_job(
        self, table: PreparedTableSchema, file_path: str, load_id: str, restore: bool = False
    ) -> LoadJob:
        known = {name for handover in self.destination.expected.get(load_id, []) for name in handover.files}
        self._refuse_foreign(load_id, {table["name"] or ""} - known - set(self.schema.dlt_table_names()))
        if table["write_disposition"] == "replace":
            self.drop_tables(table["name"] or "")
        return CollectJob(file_path)

    def _refuse_foreign(self, load_id: str, tables: Collection[str]) -> None:
        if tables:
            raise DestinationTerminalException(
                f"the load package {load_id} was left by another run, or is none of `complete_rest_source`; nothing "
                "of it was loaded; call `pipeline.drop()` and run again"
            )

    def collect(self, load_id: str, table: str, file: str) -> None:
        """Count the rows of a file; those of dlt's state are of no handover, for that is written anew."""
        for handover in self.destination.expected.get(load_id, []):
            handover.count(table, file)

    def complete_load(self, load_id: str) -> None:
        """Compare, write what differs, and commit; or leave the warehouse exactly as it was.

        Raises:
            WarehouseError: nothing was written.
        """
        handovers, log = self.destination.expected.pop(load_id, []), self.destination.log
        self.destination.has_committed = False
        if not handovers:
            # after a dry run there is dlt's own state alone
            self._refuse_foreign(load_id, self.schema.data_table_names())
            return
        catalog, timed = catalog_of(self._settings), handovers[0].result.timed
        with ExitStack() as stack:
            with plainly(catalog):
                with timed("open"):
                    stack.enter_context(catalog.turn(log))
                    opened = open_warehouse(catalog, working_dir=handovers[0].directory, log=log)
                    connection = stack.enter_context(opened)
                    catalog.begin(connection)
                self._load_all(connection, catalog, handovers, load_id)
            with timed("close"):
                stack.close()

    def _load_all(
        self, connection: duckdb.DuckDBPyConnection, catalog: Catalog, handovers: list[Handover], load_id: str
    ) -> None:
        """In the transaction of the load, which it commits if there is anything to write."""
        dataset = catalog.settings.dataset
        books = Books(connection, dataset, self.config, self.capabilities)
        load_id = next_load_id(connection, dataset, load_id)
        loads = [self._load(connection, catalog, handover, books, load_id) for handover in handovers]
        written = {load.spec.name: load.new_state(load_id) for load in loads if load.differs}
        for load in loads:
            load.describe()
        if written:
            books.close(written, load_id)
            with handovers[0].result.timed("commit"):
                connection.commit()
            self.destination.has_committed = True
        else:
            connection.rollback()
        for load in loads:
            load.report()

    def _load(
        self,
        connection: duckdb.DuckDBPyConnection,
        catalog: Catalog,
        handover: Handover,
        books: Books,
        load_id: str,
    ) -> Load:
        load = Load(connection, catalog, handover.spec, handover.request, handover.result)
        delta = load.compare(handover.arrived())
        if load.differs:
            books.make_tables(dlt_tables(delta.plan, handover.spec, has_rejected=delta.counts.rejected_new > 0))
            load.write(load_id)
        return load

    @property
    def _settings(self) -> WarehouseSettings:
        return self.destination.settings_for(self.sql_client.dataset_name)

    def get_stored_state(self, pipeline_name: str) -> StateInfo:
        """None: whoever sweeps reads the state in the warehouse, and the load does again, in its transaction."""
        # as dlt's own where there is none, whatever its hint says
        return None  # type: ignore[return-value]

    def get_stored_schema(self, schema_name: str | None = None) -> StorageSchemaInfo:
        """An empty one: what the tables are is found out in the transaction of the load."""
        schema = Schema(schema_name or self.schema.name)
        text = json.dumps(schema.to_dict(bump_version=True))
        # it has no moment of its making, which nobody reads
        return StorageSchemaInfo(schema.version_hash, schema.name, 1, 1, None, text)  # type: ignore[arg-type]


@contextmanager
def plainly(catalog: Catalog) -> Iterator[None]:
    """Says in one sentence what DuckDB, dlt or a driver said.

    Raises:
        WarehouseError: they said something.
    """
    try:
        yield
    except Exception as error:
        raise catalog.explain(innermost(error)) from None
