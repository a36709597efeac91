"""What can go wrong while rows are stored. Each message is one sentence for the person who reads the run.

WarehouseError
  WarehouseUnusable    the file cannot be made, opened, read or written
  WarehouseBusy        another run or process held it for longer than the limit
  TableRefused         a table there cannot take these rows without loss
  DeletionRefused      more rows would vanish than is believable
  LoadFailed           the load itself failed; nothing of it was kept
"""

from __future__ import annotations


class WarehouseError(Exception):
    """Base of all errors of this package; `str()` is one clear sentence."""


class WarehouseUnusable(WarehouseError):
    """The file or its folder cannot be made, opened, read or written, or the disk is full."""


class WarehouseBusy(WarehouseError):
    """Another run, or another process that holds the file open, did not let go within the limit."""


class TableRefused(WarehouseError):
    """A table that is already there cannot take these rows without losing or changing something."""


class DeletionRefused(WarehouseError):
    """The sweep would mark so many rows as deleted that the API's answer is more likely to be wrong."""


class LoadFailed(WarehouseError):
    """dlt or the database failed in the middle; the transaction was rolled back."""
