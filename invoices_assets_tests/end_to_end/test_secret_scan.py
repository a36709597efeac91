"""After runs of every kind, no file and no stream has the key, in whatever spelling."""

from __future__ import annotations

import base64
import html
import json
import logging
import socket
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import duckdb
import pytest

from invoices_assets_tests.support.processes import Deployment
from invoices_assets_tests.support.sweep_helpers import config
from invoices_assets_tests.vendor import Book, Contract, Key, Paging, Raw, faults, serve
from invoices_assets_tests.vendor.faults import Fault, answer, status

CORE = "S3cr3tC0re77"
ODD = f"k+/=&%é \"'<>\\ü~{CORE}~9Zq"
"""A key full of characters that need encoding; the letters and digits in it survive most encodings."""

PLAIN = f"plain0123456789{CORE}abcdefghijklmnopqrstuvwxyz"


def spellings(key: str) -> set[bytes]:
    """How a key may be written, whole; `CORE` by itself betrays most of them, but not base64."""
    texts = {
        CORE,
        key,
        quote(key, safe=""),
        quote_plus(key),
        quote(key),
        quote(quote(key, safe=""), safe=""),
        quote(key, safe="").lower(),
        json.dumps(key)[1:-1],
        json.dumps(json.dumps(key))[3:-3],
        repr(key)[1:-1],
        html.escape(key),
    }
    found = {text.encode() for text in texts}
    for encoding in ("utf-8", "latin-1") if max(key) <= "\xff" else ("utf-8",):
        found |= {key.encode(encoding), base64.b64encode(key.encode(encoding)).rstrip(b"=")}
        for around in ("", "u", "us", "user", "Token "):
            # The first and the last characters of base64 depend on what stands beside the key.
            whole = base64.b64encode(f"{around}:{key}:".encode(encoding))
            found |= {whole[12:-6], whole[12:-6].translate(bytes.maketrans(b"+/", b"-_"))}
    return {text for text in found if len(text) >= 6}


def places(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below a folder, and what databases say when they are asked rather than read."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        yield f"{path} itself", path.read_bytes()
        if path.suffix == ".db":
            with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
                yield f"the dump of {path}", "\n".join(database.iterdump()).encode("utf-8", "surrogatepass")
        if path.suffix == ".duckdb":
            with duckdb.connect(str(path), read_only=True) as warehouse:
                tables = warehouse.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall()
                for schema, table in tables:
                    rows = warehouse.execute(f'SELECT * FROM "{schema}"."{table}"').fetchall()
                    yield f"{schema}.{table}", repr(rows).encode() + str(rows).encode()


def betrayals(folder: Path, key: str) -> list[str]:
    """Where the key is found, and how it is written there."""
    wanted = spellings(key)
    return [f"{where}: {text!r}" for where, content in places(folder) for text in wanted if text in content]


@dataclass(frozen=True)
class Place:
    """Where the key is sent."""

    key: Key
    auth: dict[str, Any] | str
    prefix: str = ""


PLACES = {
    "the query": Place(Key(), {"type": "api_key", "name": "api_key", "location": "query"}),
    "an odd parameter": Place(
        Key(name="access[key] é"), {"type": "api_key", "name": "access[key] é", "location": "query"}
    ),
    "a header": Place(Key("header", "X-Api-Key"), {"type": "api_key", "name": "X-Api-Key", "location": "header"}),
    "a header with a prefix": Place(
        Key("header", "Authorization", "Token {key}"),
        {"type": "api_key", "name": "Authorization", "location": "header"},
        "Token ",
    ),
    "bearer": Place(Key("header", "Authorization", "Bearer {key}"), "bearer"),
    "Basic": Place(Key("basic", template="user:{key}"), {"type": "http_basic", "username": "user"}),
}

USER_AND_PASSWORD = Place(Key("basic", template="{key}"), {"type": "http_basic"})

KEYS = {
    "letters of other scripts": (PLACES["the query"], "ключ-鍵-Schlüssel-😀-9Zq7"),
    "percent signs": (PLACES["the query"], "%41%2525+/k%9Zq"),
    "quotes and backslashes": (PLACES["the query"], "a'b\"c`d\\e\\\\f g 9Zq"),
    "what looks like HTML": (PLACES["the query"], "<b>k1</b>&amp;&#47;9Zq"),
    "a number": (PLACES["a header"], "83749261"),
    "hexadecimal": (PLACES["a header with a prefix"], "9f86d081884c7d659a2feaa0c55ad015"),
    "a UUID": (PLACES["bearer"], "550e8400-e29b-41d4-a716-446655440000"),
    "user and password": (USER_AND_PASSWORD, "accounting-7:pass w0rd:9Zq"),
}


@dataclass(frozen=True)
class Kind:
    """A kind of run: what the server does, what the run says, and what is done in its process beforehand."""

    says: str
    faults: Callable[[], list[Fault]] = list
    paging: Paging = field(default_factory=Paging)
    change: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    sabotage: str = "impatient"
    closed: bool = False


def impatient() -> None:
    """Waits before retries take no time."""
    from invoices_assets.extract.http.clock import Clock

    # in a process of its own, which this sabotage ends with
    Clock.sleep = lambda self, seconds: None  # type: ignore[method-assign]


def chatty() -> None:
    """All libraries write all that they have to say to stderr."""
    impatient()
    logging.basicConfig(level=logging.DEBUG)


def clumsy() -> None:
    """A bug: an exception of another library that holds the request, with the key in it."""
    impatient()
    from invoices_assets.extract.endpoint import Endpoint

    def read(self: Endpoint, response: Any) -> Any:
        auth = self._spec.auth
        secret = getattr(auth, "api_key", None) or getattr(auth, "password", None) or auth.token
        raise ValueError(f"cannot handle {secret} of {response}", {"headers": {"X-Api-Key": secret}})

    # in a process of its own, which this sabotage ends with
    Endpoint._read = read  # type: ignore[method-assign]


def key_in_all_but_the_first(field: str) -> Fault:
    """Writes the key into a field of each record of a page but one, since a run needs one that can be stored."""
    echo = faults.echo_key(field)
    assert echo.rows is not None
    rows = echo.rows
    return replace(echo, rows=lambda call, texts: [*texts[:1], *rows(call, texts[1:])])


KINDS = {
    "a refused connection": Kind("cannot reach http://127.0.0.1:", closed=True),
    "401 that echoes the key": Kind(
        "the API refused the key (401)", lambda: [status(401, body='{"error": "{key} of {url} is wrong"}')]
    ),
    "400 in HTML with the address": Kind("answered 400 Bad Request", lambda: [status(400, body="html")]),
    "500 with the key in its body": Kind(
        "failed after 4 attempts: 500", lambda: [status(500, body="{key} / {url} / {key}")]
    ),
    "broken JSON": Kind("not a complete JSON document", lambda: [answer('{"data": ["{key}", "{url}"')]),
    "other keys than expected": Kind("has no `data`", lambda: [answer('{"at {url} with {key}": 1}')]),
    "a redirect to another host": Kind(
        "the key is not sent there", lambda: [faults.redirect("http://elsewhere.invalid")]
    ),
    "a connection cut in the middle": Kind("failed after 4 attempts", lambda: [faults.cut()]),
    "records that hold the key": Kind("RUN_SUCCESS", lambda: [faults.echo_key()]),
    "rejected records that hold the key": Kind(
        "RUN_SUCCESS",
        lambda: [faults.echo_key()],
        change=lambda record: record if record["id"] == "inv_0000001" else {**record, "total": Raw('"no number"')},
    ),
    "a value that holds the key and is rejected": Kind("RUN_SUCCESS", lambda: [key_in_all_but_the_first("issue_date")]),
    "values that hold the key and are all rejected": Kind(
        "none of the 25 records of `invoices` can be stored", lambda: [faults.echo_key("issue_date")]
    ),
    "a next link that carries the key": Kind("RUN_SUCCESS", paging=Paging(style="json_link", size=10, keep_key=True)),
    "libraries that log all they do": Kind("RUN_SUCCESS", sabotage="chatty"),
    "an error of another library": Kind("cannot handle ***", sabotage="clumsy"),
}

RUNS = [
    *((kind, place, ODD) for kind, place in zip(KINDS, [*PLACES] * 3, strict=False)),
    ("401 that echoes the key", "Basic", ODD),
    ("libraries that log all they do", "the query", ODD),
    ("an error of another library", "Basic", ODD),
    ("500 with the key in its body", "the query", PLAIN),
    ("rejected records that hold the key", "a header", PLAIN),
]


@pytest.mark.parametrize(
    ("kind", "place", "key"), [pytest.param(*run, id=f"{run[0]}, {run[1]}, {run[2][:5]}") for run in RUNS]
)
def test_the_key_is_nowhere_after(kind: str, place: str, key: str, tmp_path: Path) -> None:
    what, where = KINDS[kind], PLACES[place]
    content = config(
        paginator={"type": "json_link", "next_url_path": "next"}
        if what.paging.style == "json_link"
        else {"type": "offset", "limit": 100, "total_path": "total"}
    )
    content["client"]["auth"] = where.auth
    contract = Contract(key=where.key, paging=what.paging)
    with serve(Book.of(25, what.change), faults.Faults(*what.faults()), contract, key) as server:
        url = f"http://127.0.0.1:{_closed_port()}" if what.closed else server.url
        run = Deployment(tmp_path, url, where.prefix + key, content).run(globals()[what.sabotage])
    assert what.says in run.said, run.said
    assert run.status == (0 if what.says == "RUN_SUCCESS" else 1)
    assert betrayals(tmp_path, key) == []


@pytest.mark.parametrize("looks", KEYS)
def test_a_key_of_any_looks_is_nowhere_after_all_libraries_logged_its_refusal(looks: str, tmp_path: Path) -> None:
    place, key = KEYS[looks]
    content = config()
    content["client"]["auth"] = place.auth
    echo = faults.Faults(status(401, body='{"error": "{key} of {url} is wrong"}'))
    with serve(Book.of(3), echo, Contract(key=place.key), key) as server:
        run = Deployment(tmp_path, server.url, place.prefix + key, content).run(chatty)
    assert "the API refused the key (401)" in run.said
    assert [found for part in {key, *key.split(":", 1)} for found in betrayals(tmp_path, part)] == []


@pytest.mark.parametrize("key", [ODD, PLAIN])
def test_a_key_in_run_config_is_refused_before_anything_is_stored(key: str, tmp_path: Path) -> None:
    given = {"resources": {"api": {"config": {"api_key": key}}}}
    with serve(Book.of(3), key=key) as server:
        deployment = Deployment(tmp_path, server.url, key)
        run = deployment.run(config=given)
        assert server.requests == []
    assert run.status == 1
    assert 'unexpected config entry "api_key"' in run.said
    (tmp_path / "run_config.0.yaml").unlink()
    assert betrayals(tmp_path, key) == []


@pytest.mark.parametrize("written", [ODD, quote(ODD), base64.b64encode(f"user:{ODD}".encode()).decode()])
def test_the_scan_finds_a_key_that_is_there(written: str, tmp_path: Path) -> None:
    (tmp_path / "some.log").write_text(f"asked for {written} twice")
    assert betrayals(tmp_path, ODD)


def _closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
