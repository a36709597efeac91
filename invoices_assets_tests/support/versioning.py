"""The source file that asks for a history, and a look at the versions in it."""

from __future__ import annotations

from typing import Any

from invoices_assets_tests.support.loader import Loader
from invoices_assets_tests.support.sweep_helpers import config

SCD2 = {"disposition": "merge", "strategy": "scd2"}


def with_history(**changes: Any) -> dict[str, Any]:
    content = config(**changes)
    content["resources"][0]["write_disposition"] = SCD2
    return content


def versions(loader: Loader, id: str, *columns: str) -> list[tuple[Any, ...]]:
    """The versions of a record in their order, as `columns` and whether they are the present one."""
    shown = ", ".join((*columns, "valid_to IS NULL"))
    return loader.query(f"SELECT {shown} FROM invoices_history WHERE id = '{id}' ORDER BY valid_from")


def assert_gapless(loader: Loader) -> None:
    """Versions of a record follow each other without a gap, and exactly one of them is present."""
    assert not loader.query(
        "SELECT id FROM "
        "(SELECT id, valid_to, lead(valid_from) OVER (PARTITION BY id ORDER BY valid_from) AS next "
        "FROM invoices_history) WHERE valid_to IS DISTINCT FROM next"
    )
    columns = "* EXCLUDE (valid_from, valid_to, _dlt_id, _dlt_load_id)"
    present = f"SELECT {columns} FROM invoices_history WHERE valid_to IS NULL"
    main = "SELECT * EXCLUDE (_dlt_id, _dlt_load_id) FROM invoices"
    assert sorted(loader.query(present), key=str) == sorted(loader.query(main), key=str)
