"""The embedded invoicing API: a small HTTP server that the project runs on when no real API is configured.

    with serve() as sandbox:                    # on a free loopback port
        requests.get(sandbox.url + "/v1/invoices", params={"api_key": SANDBOX_KEY, "limit": 100})

It speaks the contract that the project's own source file describes, see `app`.
"""

from invoices_assets.sandbox.app import SANDBOX_KEY
from invoices_assets.sandbox.server import Sandbox, serve

__all__ = ["SANDBOX_KEY", "Sandbox", "serve"]
