"""What DuckDB, dlt and the drivers of databases say, in one sentence for a person."""

from __future__ import annotations

from pathlib import Path

import duckdb

from invoices_assets.errors import LoadFailed, RefreshError, WarehouseError, WarehouseUnusable
from invoices_assets.load.settings import DEFAULT_HINTS, Hints


def explain(error: BaseException, path: Path, hints: Hints = DEFAULT_HINTS) -> WarehouseError:
    """The sentence for what DuckDB, or the operating system, said about the file at `path`."""
    if isinstance(error, WarehouseError):
        return error
    text = " ".join(str(error).split())
    low = text.lower()
    full = ("no space left", "disk full", "could not write", "error writing", "file too large", "quota")
    if any(sign in low for sign in full):
        return WarehouseUnusable(
            f"the disk of {path.parent}, or of the working folder ({hints.work_dir}), is full; "
            "nothing was loaded and the warehouse is as it was"
        )
    if "max_temp_directory_size" in low or "failed to offload" in low or "out of memory" in low:
        return WarehouseUnusable(
            f"DuckDB ran out of memory or of room for its temporary files; set {hints.work_dir} to a larger disk; "
            "nothing was loaded and the warehouse is as it was"
        )
    if "not a valid duckdb database" in low or "corrupt" in low or "checksum" in low or "storage version" in low:
        return WarehouseUnusable(
            f"{path} is not a readable DuckDB database ({text[:200]}); move it away or set {hints.path} to another file"
        )
    if "read-only" in low or "permission denied" in low or "cannot open file" in low:
        return WarehouseUnusable(
            f"{path} cannot be written ({text[:200]}); set {hints.path} to a file in a writable folder"
        )
    if isinstance(error, (duckdb.IOException, OSError)):
        return WarehouseUnusable(f"{path} cannot be used ({text[:300]}); nothing was loaded")
    return LoadFailed(f"loading into {path} failed and was rolled back: {text[:500]}")


def innermost(error: BaseException) -> BaseException:
    """The error inside dlt's wrappers."""
    if isinstance(error, RefreshError):
        return error
    for name in ("exception", "client_exception", "dbapi_exception", "__cause__"):
        inner = getattr(error, name, None)
        if isinstance(inner, BaseException) and inner is not error:
            return innermost(inner)
    return error
