"""Moved to `invoices_assets_tests.vendor`."""

from invoices_assets_tests.vendor.fake_api import Asked, FakeApi, Reply

__all__ = ["Asked", "FakeApi", "Reply"]
