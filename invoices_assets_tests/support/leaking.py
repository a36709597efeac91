"""A key that every notation spells in another way, and an exception that holds it at every level."""

from __future__ import annotations

from urllib.parse import quote

import requests

KEY = "s3cr%t/K&y+\"ü' <x>"


def failing_request() -> None:
    """Fails by an error of this process, after one of `requests`, which the operating system caused."""
    try:
        try:
            raise OSError(113, f"no route for /v1?k={quote(KEY)}")
        except OSError as error:
            raise requests.ConnectionError(error) from error
    except requests.ConnectionError:
        raise ValueError(f"cannot\nread {KEY}")  # noqa: B904 - a context can leak, too
