"""A client with a key that needs encoding, and a search for that key in what comes out of it."""

from __future__ import annotations

import base64
import shutil
import ssl
import subprocess
import traceback
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
from dlt.sources.helpers.rest_client.auth import APIKeyAuth

from invoices_assets.extract.http.client import HttpClient
from invoices_assets.extract.http.limits import AnswerLimits
from invoices_assets.redaction.redactor import Redactor
from invoices_assets_tests.support.fake_clock import FakeClock
from invoices_assets_tests.vendor.fake_api import FakeApi, Reply

TESTS = Path(__file__).parents[1]
KEY = "s3cr%t/K&y+ü"
KEY_IN_QUERY = APIKeyAuth(name="api_key", api_key=KEY, location="query")
OK = Reply(body={"data": []})


def client(auth: Any = KEY_IN_QUERY, **settings: Any) -> HttpClient:
    usual = {"redactor": Redactor([KEY]), "clock": FakeClock(), "limits": AnswerLimits(connect=5, read=5)}
    return HttpClient(auth=auth, **{**usual, **settings})


def get(api: FakeApi, path: str = "/v1/invoices", /, **params: Any) -> requests.Request:
    return requests.Request("GET", f"{api.url}{path}", params=params)


def everything_in(error: BaseException) -> str:
    """All that handlers may print of an exception: with causes, contexts, attributes and local variables."""
    seen = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is not None:
            seen += [str(one), repr(one.args), repr(vars(one))]
            trace = traceback.TracebackException.from_exception(one, capture_locals=True)
            frames = [frame for frame in trace.stack if TESTS not in Path(frame.filename).parents]
            seen += [repr(frame.locals) for frame in frames]
            waiting += [one.__cause__, one.__context__]
    return "\n".join(seen)


def spellings_of(key: str) -> list[str]:
    return [key, quote(key, safe=""), quote(key), base64.b64encode(key.encode()).decode(), ascii(key)[1:-1]]


def assert_holds_no_key(text: str) -> None:
    assert [spelling for spelling in spellings_of(KEY) if spelling in text] == []


def self_signed(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for 127.0.0.1 that nobody knows, and a server's context with it."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("makes its certificate with openssl, which is not there")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-out", str(certificate), "-keyout", str(key)),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return certificate, context
