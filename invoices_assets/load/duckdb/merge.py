"""dlt's delete-insert merge for rows that are known to be distinct.

dlt's own inserts only the rows whose id is in a list of the distinct ones. The rows of a delta are distinct
by construction, and the look-up made DuckDB hold a whole table of wide rows in memory, to look up in that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dlt.common.schema.utils import get_columns_names_with_prop
from dlt.destinations.sql_client import SqlClientBase
from dlt.destinations.sql_jobs import SqlMergeFollowupJob


class DistinctMergeJob(SqlMergeFollowupJob):
    """Deletes the stored rows of every staged record, child rows first, and inserts the staged ones."""

    @classmethod
    def gen_merge_sql(cls, table_chain: Sequence[Any], sql_client: SqlClientBase[Any]) -> list[str]:
        root, *children = table_chain
        datasets = (
            sql_client.fully_qualified_dataset_name(),
            sql_client.fully_qualified_dataset_name(staging=True),
        )
        escape = sql_client.escape_column_name
        name, staged = sql_client.get_qualified_table_names(root["name"])
        keys = [escape(column) for column in get_columns_names_with_prop(root, "primary_key")]
        row_key = escape(cls.get_row_key_col(table_chain, root, *datasets))
        stored = cls.gen_key_table_clauses(name, staged, keys, [], for_delete=True)
        statements, replaced = cls.gen_delete_temp_table_sql(root["name"], row_key, stored, sql_client)
        for child in children:
            owner = escape(cls.get_root_key_col(table_chain, child, *datasets))
            child_name = sql_client.make_qualified_table_name(child["name"])
            statements.append(cls.gen_delete_from_sql(child_name, owner, replaced, row_key))
        statements.append(cls.gen_delete_from_sql(name, row_key, replaced, row_key))
        for table in table_chain:
            name, staged = sql_client.get_qualified_table_names(table["name"])
            columns = ", ".join(map(escape, get_columns_names_with_prop(table, "name")))
            statements.append(f"INSERT INTO {name}({columns}) SELECT {columns} FROM {staged}")
        return statements
