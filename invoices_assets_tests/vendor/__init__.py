"""The fake vendor: an API whose looks (`Contract`), content (`Book`) and misbehaviour (`Faults`) a test chooses.

    with serve(Book.of(250), Faults(faults.status(503, on=3)), Contract(paging=Paging(largest=50))) as vendor:
        requests.get(vendor.url + "/v1/invoices", params={"api_key": vendor.key})

Where a test needs to say every answer itself, `FakeApi` has routes instead; both are the same server.
"""

from invoices_assets.sandbox import SANDBOX_KEY
from invoices_assets.sandbox.live import LiveBook
from invoices_assets_tests.vendor import faults
from invoices_assets_tests.vendor.book import Book
from invoices_assets_tests.vendor.contract import Contract, Filter, Key, Paging, Total
from invoices_assets_tests.vendor.faults import Faults
from invoices_assets_tests.vendor.server import FakeApi, Reply, Vendor, serve
from invoices_assets_tests.vendor.text import Raw

__all__ = [
    "SANDBOX_KEY",
    "Book",
    "Contract",
    "FakeApi",
    "Faults",
    "Filter",
    "Key",
    "LiveBook",
    "Paging",
    "Raw",
    "Reply",
    "Total",
    "Vendor",
    "faults",
    "serve",
]
