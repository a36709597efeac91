"""A step that works in the warehouse alone: it needs no API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from invoices_assets.errors import RefreshError
from invoices_assets.failure import failure_of
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.redaction.redactor import Redactor
from invoices_assets.resources import Warehouse


@contextmanager
def in_warehouse(
    context: dg.AssetExecutionContext | dg.OpExecutionContext, warehouse: Warehouse, dataset: str
) -> Iterator[tuple[WarehouseSettings, Path]]:
    """The settings of the warehouse and a working folder; its passwords are in no log. Use it within `WithoutFrames`.

    Parameters:
        dataset: whose tables are worked on.

    Raises:
        Failure: in place of a `RefreshError`.
    """
    redactor = Redactor()
    try:
        with redactor.installed(), redactor.guard(), warehouse.run(dataset, redactor) as place:
            yield place
    except RefreshError as error:
        raise failure_of(context, [error]) from None
