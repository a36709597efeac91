"""A server of PostgreSQL: its address, what it calls things, and what it says."""

from __future__ import annotations

import re
from typing import Any

from invoices_assets.errors import WarehouseUnusable

LONGEST_NAME = 63
"""In bytes; PostgreSQL cuts off the rest of a longer one without a word."""
_SIGNS = ("connect", "terminat", "closed", "could not translate", "authentication", "timeout")


def readable(credentials: Any, setting: str, other: str = "") -> Any:
    """The credentials of a PostgreSQL server, when no part of a password was taken for its host.

    Parameters:
        setting: their name.
        other: what else the setting may hold, for the sentence.

    Raises:
        WarehouseUnusable: they are none, or were misread; drivers repeat the host that they cannot find.
    """
    host = str(credentials.host or "")
    if credentials.drivername not in ("postgresql", "postgres") or not re.fullmatch(r"[\w.,:/-]+|\[[\da-f:.]+\]", host):
        raise WarehouseUnusable(
            f"{setting} is not the address of a PostgreSQL server, such as postgresql://user:password@host/db{other} "
            "(signs such as @ in a password are written as %40)"
        )
    return credentials


def whole_schema(name: str) -> str:
    """The name of a schema; under a longer one it would be made, and not be found again.

    Raises:
        WarehouseUnusable: PostgreSQL would cut it.
    """
    if len(name.encode()) > LONGEST_NAME:
        raise WarehouseUnusable(
            f"the schema {name} has a name longer than the {LONGEST_NAME} bytes that PostgreSQL keeps of one; choose a "
            "shorter one"
        )
    return name


def address(credentials: Any, **parameters: str) -> str:
    """The address of a PostgreSQL server, as its library reads it.

    Parameters:
        credentials: as `readable` lets them pass.
        parameters: of the connection, before those of the credentials.
    """
    url = credentials.to_url().set(drivername="postgresql").update_query_dict(parameters)
    place, _, query = str(url.render_as_string(hide_password=False)).partition("?")
    # SQLAlchemy writes a space as it is, or in a parameter as +, and the library reads neither
    return "?".join([place.replace(" ", "%20"), *([query.replace("+", "%20")] if query else [])])


def reason(text: str) -> str:
    """What a PostgreSQL server or its library said, without the statement and the rows that it said it of.

    Parameters:
        text: of DuckDB or psycopg2, on one line; DuckDB begins with the statement, the server ends with the rows.
    """
    said = text.rpartition("ERROR: ")[2].rpartition("FATAL: ")[2]
    if said == text and "Failed to " in text:
        said = text.rpartition('": ')[2]
    return said.partition(" DETAIL: ")[0].strip()


def is_of_server(error: BaseException, text: str) -> bool:
    """Whether a server cannot be reached, lets nobody in or breaks off, so that no load is at fault.

    Parameters:
        text: of the error, on one line.
    """
    # what follows these words names columns, such as `closed_at`
    said = re.split(r" (?:CONTEXT|HINT|LINE \d+): ", reason(text))[0]
    # psycopg2 holds the turn alone
    return type(error).__module__.startswith("psycopg2") or '"ROLLBACK"' in text or any(sign in said for sign in _SIGNS)
