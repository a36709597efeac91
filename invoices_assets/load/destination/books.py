"""What dlt keeps beside the rows: the schema of the tables, the state of the pipeline, and the loads.

dlt prepares schema and state before its load step, on its own copies. Here both are worked out in the transaction of
the load, from what the warehouse has, so that runs of other resources and partitions may load in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import duckdb
from dlt.common.destination import DestinationCapabilitiesContext
from dlt.common.normalizers.utils import generate_dlt_id
from dlt.common.schema import Schema
from dlt.common.schema.utils import dlt_id_column, dlt_load_id_column, pipeline_state_table
from dlt.destinations.impl.duckdb.configuration import DuckDbClientConfiguration
from dlt.pipeline.state_sync import bump_pipeline_state_version_if_modified, default_pipeline_state, state_doc

from invoices_assets.load.destination.session import Session
from invoices_assets.load.saved_state import merged_state, pipeline_state, stored_schema
from invoices_assets.load.tables import LOAD_ID, ROW_ID, qualified


@dataclass(frozen=True)
class Books:
    """dlt's own tables in an open warehouse.

    Parameters:
        connection: in the transaction of the load.
        dataset: the schema of the tables; also the name of dlt's pipeline, of its source and of its schema.
        configuration, capabilities: of dlt's client.
    """

    connection: duckdb.DuckDBPyConnection
    dataset: str
    configuration: DuckDbClientConfiguration
    capabilities: DestinationCapabilitiesContext

    def make_tables(self, tables: Iterable[Any]) -> None:
        """Make and complete tables, and write them into dlt's schema beside those of other resources.

        Parameters:
            tables: as dlt's schema has them.
        """
        schema = self._schema()
        states: Any = pipeline_state_table()
        states["columns"] |= {ROW_ID: dlt_id_column(), LOAD_ID: dlt_load_id_column()}
        tables = [*tables, states]
        for table in tables:
            schema.tables.pop(table["name"], None)
            schema.update_table(table)
        schema = Schema.from_dict(cast(Any, schema.to_dict(bump_version=True)))
        session = Session(self.connection, schema, self.configuration, self.capabilities)
        session.initialize_storage()
        names = {*(table["name"] for table in tables), *schema.dlt_table_names()}
        # without `force`, dlt takes its stored schema's word for tables that somebody has moved away
        session.update_stored_schema(names, force=True)

    def close(self, states: Mapping[str, Mapping[str, Any]], load_id: str) -> None:
        """Write the row of the state and that of the load.

        Parameters:
            states: what changes of dlt's state, by resource.
        """
        schema = self._schema()
        state: Any = pipeline_state(self.connection, self.dataset) or {**default_pipeline_state(), "schema_names": []}
        if schema.name not in state["schema_names"]:
            state["schema_names"].append(schema.name)
        state.setdefault("pipeline_name", self.dataset)
        state.setdefault("dataset_name", self.dataset)
        state.setdefault("default_schema_name", schema.name)
        resources = state.setdefault("sources", {}).setdefault(schema.name, {}).setdefault("resources", {})
        for resource, update in states.items():
            resources[resource] = merged_state(resources.get(resource, {}), update)
        bump_pipeline_state_version_if_modified(state)
        row: Any = {**state_doc(cast(Any, {"_local": {}, **state}), load_id), ROW_ID: generate_dlt_id()}
        table = qualified(self.dataset, schema.state_table_name)
        names, marks = ", ".join(row), ", ".join("?" for _ in row)
        self.connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(row.values()))
        Session(self.connection, schema, self.configuration, self.capabilities).complete_load(load_id)

    def _schema(self) -> Schema:
        stored = stored_schema(self.connection, self.dataset)
        return Schema.from_dict(stored) if stored else Schema(self.dataset)
