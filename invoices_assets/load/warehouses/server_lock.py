"""Turns that many machines take: a lock of the PostgreSQL server to wait for.

It ends with its session, also where the server or a firewall ends that too early; so it is for waiting alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from invoices_assets.errors import WarehouseUnusable
from invoices_assets.load.warehouses.catalog import Catalog
from invoices_assets.load.warehouses.lock import Log, wait_for_turn

# a server that is gone is noticed after some two minutes, however long the sweep
KEEPALIVE = {"keepalives": 1, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 9}


@contextlib.contextmanager
def server_lock(catalog: Catalog, dsn: str, name: str, limit_seconds: float, log: Log) -> Iterator[None]:
    """Hold the lock `name` of a PostgreSQL server.

    Parameters:
        catalog: explains what the server says.

    Raises:
        WarehouseBusy: another run held it for longer than the limit.
        WarehouseError: the server cannot be reached.
    """
    try:
        import psycopg2
    except ImportError:
        raise WarehouseUnusable("a warehouse in PostgreSQL needs psycopg2: pip install -e '.[scale]'") from None

    with contextlib.ExitStack() as stack:
        try:
            session = stack.enter_context(
                contextlib.closing(psycopg2.connect(dsn, application_name="invoices-assets turn", **KEEPALIVE))
            )
            session.autocommit = True
            cursor = session.cursor()

            def try_once() -> bool:
                cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [name])
                return bool(cursor.fetchone()[0])

            # a server of PostgreSQL 14 or later may end sessions that say nothing for long
            cursor.execute("SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'idle_session_timeout'")
            wait_for_turn(try_once, name, limit_seconds, log)
        except psycopg2.Error as error:
            raise catalog.explain(error) from None
        yield
