"""A lake: Parquet files in a folder or bucket, and a catalog that says which of them are the tables.

Its transactions are optimistic: of two that change a row of the same table, the later commit fails.
"""

from __future__ import annotations

import contextlib
import re
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import duckdb

from invoices_assets.errors import LoadFailed, SweepOutdated, WarehouseError, WarehouseUnusable
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.load.sql import CATALOG, ident, literal
from invoices_assets.load.warehouses.catalog import Catalog, attach_nothing, resolved
from invoices_assets.load.warehouses.duckdb_file import attach_patiently
from invoices_assets.load.warehouses.lock import Log, warehouse_lock
from invoices_assets.load.warehouses.server import address, is_of_server, readable, reason, whole_schema
from invoices_assets.load.warehouses.server_lock import server_lock

CATALOG_SETTING = "DESTINATION__DUCKLAKE__CREDENTIALS__CATALOG"
STORAGE = "DESTINATION__DUCKLAKE__CREDENTIALS__STORAGE"
REWRITE_SHARE = 0.05
"""From this share of deleted rows on, a file is written anew; with less, that costs more than it saves."""
READERS_NEED = timedelta(days=1)
"""How long files that no state has any more are left for queries that are under way."""
EXTENSIONS = {"postgresql": ("postgres_scanner",), "postgres": ("postgres_scanner",), "sqlite": ("sqlite_scanner",)}


class DuckLakeCatalog(Catalog):
    """A schema of a lake."""

    dlt_destination: ClassVar[str] = "dlt.destinations.ducklake"

    def __init__(self, settings: WarehouseSettings) -> None:
        super().__init__(settings)
        self._credentials = _resolved(settings)
        self._kind = self._credentials.catalog.drivername
        self.is_shared = self._kind in ("postgresql", "postgres")
        of_bucket = () if self._credentials.storage.is_local_filesystem else ("httpfs",)
        self.extensions = (*EXTENSIONS.get(self._kind, ()), "ducklake", *of_bucket)

    @property
    def secrets(self) -> list[str]:
        storage = self._credentials.storage.credentials
        stored = [value for value in dict(storage).values() if isinstance(value, str)] if storage else []
        return [self._dsn, str(self._credentials.catalog.password or ""), *stored] if self.is_shared else stored

    @property
    def _dsn(self) -> str:
        return address(self._credentials.catalog)

    @property
    def _schema(self) -> str:
        return whole_schema(str(self._credentials.metadata_schema or self._credentials.ducklake_name))

    @property
    def _file(self) -> Path:
        return Path(self._credentials.catalog.database).absolute()

    def attach(self, connection: duckdb.DuckDBPyConnection, log: Log, *, read_only: bool) -> None:
        if read_only and not self.is_shared and not self._file.exists():
            attach_nothing(connection)
            return
        self._show_storage(connection)
        options = [f"DATA_PATH {literal(self._credentials.storage_url)}"]
        if self.is_shared:
            place = f"postgres:{self._dsn}"
            options.append(f"METADATA_SCHEMA {literal(self._schema)}")
        else:
            place = f"sqlite:{self._file}" if self._kind == "sqlite" else str(self._file)
        options += ["READ_ONLY", "CREATE_IF_NOT_EXISTS false"] if read_only else []
        statement = f"ATTACH {literal(f'ducklake:{place}')} AS {ident(CATALOG)} ({', '.join(options)})"
        try:
            attach_patiently(connection, statement, self._file, self.settings.open_wait_seconds, log)
        except duckdb.Error as error:
            if not read_only or "creating a new DuckLake is explicitly disabled" not in str(error):
                raise
            attach_nothing(connection)

    def _show_storage(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Let DuckDB reach a bucket, with the credentials that dlt has of it."""
        storage = self._credentials.storage
        if storage.is_local_filesystem:
            return
        from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient

        for statement in DuckDbSqlClient._build_secret_statements(
            storage.bucket_url, storage.credentials, "warehouse_storage", "", False
        ):
            connection.execute(statement)

    def sweep_turn(self, name: str, folder: Path, log: Log) -> AbstractContextManager[Any]:
        return self._server_lock(name, log) if self.is_shared else super().sweep_turn(name, folder, log)

    def undisturbed(self, log: Log) -> AbstractContextManager[Any]:
        return contextlib.nullcontext() if self.is_shared or not self._file.exists() else self.turn(log)

    def turn(self, log: Log) -> AbstractContextManager[Any]:
        if self.is_shared:
            return self._server_lock("", log)
        limit = self.settings.turn_seconds
        return warehouse_lock(self._file, limit_seconds=limit, log=log, setting=CATALOG_SETTING)

    def _server_lock(self, name: str, log: Log) -> AbstractContextManager[Any]:
        return server_lock(
            self, self._dsn, f"{self._schema}.{self.settings.dataset}.{name}", self.settings.turn_seconds, log
        )

    def maintain(self, connection: duckdb.DuckDBPyConnection, keep: timedelta) -> dict[str, int]:
        # not `CHECKPOINT`: it also deletes whatever else lies in the storage, such as the files of another lake
        size = (
            "SELECT coalesce(sum(file_count + delete_file_count), 0)::BIGINT, "
            "coalesce(sum(file_size_bytes + delete_file_size_bytes), 0)::BIGINT "
            f"FROM ducklake_table_info({literal(CATALOG)})"
        )

        def call(function: str, *options: str) -> int:
            arguments = ", ".join([literal(CATALOG), *options])
            return len(connection.execute(f"CALL ducklake_{function}({arguments})").fetchall())

        def older_than(age: timedelta) -> str:
            return f"older_than => now() - to_seconds({age.total_seconds()})"

        files, bytes_before = connection.execute(size).fetchall()[0]
        call("flush_inlined_data")
        # before the merge, which leaves alone what has deleted rows
        call("rewrite_data_files", f"delete_threshold => {REWRITE_SHARE}")
        call("merge_adjacent_files")
        expired = call("expire_snapshots", older_than(keep))
        removed = call("cleanup_old_files", older_than(min(keep, READERS_NEED)))
        files_after, bytes_after = connection.execute(size).fetchall()[0]
        return {
            "files_before": files,
            "files_after": files_after,
            "bytes_before": bytes_before,
            "bytes_after": bytes_after,
            "snapshots_expired": expired,
            "files_removed": removed,
        }

    def sentence_for(self, error: BaseException, text: str) -> WarehouseError:
        if "Transaction conflict" in text:
            return SweepOutdated()
        low, said = text.lower(), reason(text)[:300]
        # as a word of its own: a catalog has a table `ducklake_schema_versions`
        if re.search(r"\bversions?\b", said) and "ducklake" in said.lower():
            return WarehouseUnusable(f"the lake of {CATALOG_SETTING} is of another version ({said})")
        if self._credentials.storage_url in text or "data_path" in low or isinstance(error, duckdb.HTTPException):
            return WarehouseUnusable(f"the storage of {STORAGE} cannot be used ({text[:300]}); nothing was loaded")
        if is_of_server(error, text) or any(sign in low for sign in _OF_CATALOG):
            return WarehouseUnusable(f"the catalog of {CATALOG_SETTING} cannot be used ({said})")
        return LoadFailed(f"loading into the lake failed and was rolled back: {said}")


_OF_CATALOG = ("attach", "initialize", "ducklake metadata", "existing ducklake", "execute query", "locked")


def _resolved(settings: WarehouseSettings) -> Any:
    """The catalog and the storage; dlt would make up those that are not set, and overlooks a storage given as text.

    Raises:
        WarehouseUnusable: one is not set, or is of a kind that cannot be used.
    """
    import dlt
    from dlt.destinations.impl.ducklake.configuration import DuckLakeCredentials

    from invoices_assets.source.dlt_settings import own_settings

    given = dict(settings.credentials or {})
    names = {"catalog": CATALOG_SETTING, "storage": STORAGE}
    with own_settings(but_destination=True):
        for name, setting in names.items():
            given.setdefault(name, dlt.secrets.get(f"destination.ducklake.credentials.{name}"))
            if not given[name] and not dlt.secrets.get(f"destination.ducklake.credentials.{name}.bucket_url"):
                raise WarehouseUnusable(f"the destination ducklake needs {setting}, which is not set")
    try:
        credentials = DuckLakeCredentials(**given)
    except Exception:
        raise WarehouseUnusable(f"{CATALOG_SETTING} or {STORAGE} is not what dlt can read for ducklake") from None
    found = resolved(settings, f"{CATALOG_SETTING} and {STORAGE}", credentials)
    if found.catalog.drivername not in ("duckdb", "sqlite"):
        readable(found.catalog, CATALOG_SETTING, ", or of a file, such as sqlite:////lakes/catalog.sqlite")
    if not found.storage.is_local_filesystem and found.storage.protocol != "s3":
        raise WarehouseUnusable(f"{STORAGE} must name a folder, or a bucket with s3://")
    return found
