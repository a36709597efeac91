"""DuckDB's extensions: from the Python package of each, else as DuckDB has or gets them itself."""

from __future__ import annotations

from collections.abc import Collection
from importlib.util import find_spec
from pathlib import Path

import duckdb

from invoices_assets.errors import WarehouseUnusable

_checked: set[Path] = set()
"""The files of packages whose signature DuckDB has checked in this process."""


def are_checked(names: Collection[str]) -> bool:
    """Whether DuckDB has checked the signatures of extensions before, which takes a tenth of a second for each.

    It keeps this for one in-memory database, and each connection to a warehouse is one of its own.
    """
    return bool(names) and all(packaged(name) in _checked for name in names)


def load_extension(connection: duckdb.DuckDBPyConnection, name: str, destination: str) -> None:
    """Load an extension into the connection.

    Parameters:
        name: as DuckDB and PyPI spell it, such as `postgres_scanner` (`duckdb-extension-postgres-scanner`).
        destination: that needs it, for the sentence.

    Raises:
        WarehouseUnusable: it is not installed, and cannot be.
    """
    file = packaged(name)
    try:
        if file is None:
            connection.install_extension(name)
        connection.load_extension(str(file or name))
        if file is not None:
            _checked.add(file)
    except duckdb.Error:
        raise WarehouseUnusable(
            f"the destination {destination} needs DuckDB's extension {name} for DuckDB {duckdb.__version__}, which is "
            "neither installed nor to be had here; install this project with "
            "`pip install -c constraints-scale.txt -e '.[scale]'`"
        ) from None


def packaged(name: str) -> Path | None:
    """The file in the Python package of an extension; None without the package, or with that of another DuckDB."""
    package = find_spec(f"duckdb_extension_{name}")
    for folder in package.submodule_search_locations or () if package else ():
        path = Path(folder, "extensions", f"v{duckdb.__version__}", f"{name}.duckdb_extension")
        if path.exists():
            return path
    return None
