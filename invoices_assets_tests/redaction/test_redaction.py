"""Secrets are found by value, however they are spelled and whatever carries them."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus, urlencode

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from requests.auth import _basic_auth_str
from requests.utils import requote_uri

from invoices_assets.redaction.redactor import MARK, Redactor
from invoices_assets.redaction.values import is_ordinary
from invoices_assets_tests.support.leaking import KEY

keys = st.text(st.characters(exclude_categories=("C", "Zl", "Zp")), min_size=8, max_size=40).filter(
    lambda key: key.strip() == key and set(key) != {"*"} and not is_ordinary(key)
)

CARRIERS: dict[str, Callable[[str], str]] = {
    "raw": lambda key: f"key={key}.",
    "query": lambda key: "https://api.example/v1?" + urlencode({"api_key": key, "limit": 1}),
    "query in lower case": lambda key: "?k=" + _lower_hex(quote(key, safe="")),
    "query by quote": lambda key: "?k=" + quote(key),
    "query by quote_plus": lambda key: "?k=" + quote_plus(key),
    "query by requests": lambda key: str(requests.Request("GET", "http://h/", params={"k": key}).prepare().url),
    "query by urllib3": lambda key: "?k=" + requote_uri(quote(key, safe="!#$&'()*+,/:;=?@[]~")),
    "query by JavaScript": lambda key: "?k=" + quote(key, safe="!'()*"),
    "query of a query": lambda key: "?next=" + quote("/v1?k=" + quote(key, safe=""), safe=""),
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
    "base64 without padding": lambda key: base64.b64encode(key.encode()).decode().rstrip("="),
    "base64 for URLs": lambda key: base64.urlsafe_b64encode(key.encode()).decode(),
    "basic auth": lambda key: "Basic " + base64.b64encode(f"user:{key}".encode()).decode(),
    "basic auth as user": lambda key: "Basic " + base64.b64encode(f"{key}:x".encode()).decode(),
    "basic auth in a URL": lambda key: "?a=" + quote(base64.b64encode(f"u:{key}".encode()).decode(), safe=""),
    "JSON": lambda key: json.dumps({"key": key}),
    "JSON in UTF-8": lambda key: json.dumps({"key": key}, ensure_ascii=False),
    "JSON by PHP": lambda key: json.dumps({"key": key}).replace("/", "\\/"),
    "JSON by Go": lambda key: _escaped_for_html(json.dumps({"key": key})),
    "JSON in JSON": lambda key: json.dumps(json.dumps({"key": key})),
    "query in JSON": lambda key: json.dumps({"next": "/v1?" + urlencode({"k": key})}).replace("/", "\\/"),
    "repr": lambda key: repr({"key": key}),
    "ascii": lambda key: ascii(f"it's {key}"),
    "bytes": lambda key: repr(key.encode()),
    "repr of repr": lambda key: repr(repr(key)),
    "HTML": lambda key: f"<p>{html.escape(key)}</p>",
    "HTML by number": lambda key: "".join(f"&#{ord(char)};" if not char.isalnum() else char for char in key),
    "HTML by hexadecimal number": lambda key: "".join(
        f"&#x{ord(char):X};" if not char.isalnum() else char for char in key
    ),
    "XML": lambda key: key.encode("ascii", "xmlcharrefreplace").decode(),
    "JSON, each character escaped": lambda key: _in_utf16_units(key, "\\u{:04x}"),
    "JSON in JSON, each character escaped": lambda key: json.dumps(_in_utf16_units(key, "\\u{:04X}")),
    "Python, each byte escaped": lambda key: "".join(f"\\x{byte:02x}" for byte in key.encode()),
    "HTML, each character by number": lambda key: "".join(f"&#{ord(char)};" for char in key),
    "HTML, each character by number, in JSON": lambda key: "".join(f"\\u0026#x{ord(char):x};" for char in key),
    "HTML, each character by number, in a query": lambda key: "".join(f"%26%23{ord(char)}%3B" for char in key),
    "JSON, each character escaped, in a query": lambda key: quote(_in_utf16_units(key, "\\u{:04x}"), safe=""),
    "JSON in JSON, each character escaped, in a query": lambda key: quote(
        json.dumps(_in_utf16_units(key, "\\u{:04x}")), safe=""
    ),
    "query, each byte escaped": lambda key: "".join(f"%{byte:02X}" for byte in key.encode()),
    "query, each byte escaped twice": lambda key: "".join(f"%25{byte:02x}" for byte in key.encode()),
    "HTML cut by tags": lambda key: "<wbr>".join(html.escape(char) for char in key),
    "HTML cut by tags, in JSON": lambda key: json.dumps("<b>" + "</b><b>".join(map(html.escape, key))),
    "base64 in a path": lambda key: f"/v1/{base64.urlsafe_b64encode(key.encode()).decode()}/x",
}


NESTED: dict[str, Callable[[str], str]] = {
    "JSON in base64": lambda key: base64.b64encode(json.dumps({"next": key}).encode()).decode(),
    "query in base64 in a query": lambda key: quote(base64.b64encode(f"k={quote(key, safe='')}".encode())),
    "query in JSON in HTML in JSON": lambda key: json.dumps(html.escape(json.dumps({"next": f"/?k={quote(key)}"}))),
    "JSON in a query in JSON": lambda key: json.dumps({"at": "/?q=" + quote(json.dumps({"k": key}), safe="")}),
}
"""Mixtures in which only the plain letters of a key tell where it may be."""


def _in_utf16_units(text: str, form: str) -> str:
    units = text.encode("utf-16-be")
    return "".join(form.format(high << 8 | low) for high, low in zip(units[::2], units[1::2], strict=True))


def _lower_hex(text: str) -> str:
    return "".join(f"%{part[:2].lower()}{part[2:]}" for part in ("__" + text).split("%"))[3:]


def _escaped_for_html(text: str) -> str:
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


# Encodings


@settings(max_examples=60, deadline=None)
@given(key=keys)
def test_any_key_is_found_in_any_spelling(key: str) -> None:
    redactor = Redactor([key])
    missed = {}
    for name, carry in CARRIERS.items():
        redacted = redactor.text(f"before {carry(key)} after")
        if MARK not in redacted or carry(key).strip("=") in redacted:
            missed[name] = redacted

    assert missed == {}


@pytest.mark.parametrize("carry", [*CARRIERS.values(), *NESTED.values()], ids=[*CARRIERS, *NESTED])
def test_of_a_key_no_part_is_left_over(carry: Callable[[str], str]) -> None:
    redacted = Redactor([KEY]).text(carry(KEY))

    assert MARK in redacted
    base64_parts = [base64.b64encode(before + KEY.encode())[4:12].decode() for before in (b"", b"u:", b"user:")]
    parts = ["s3cr", "K&", "K%26", "<x", "%3cx", *base64_parts]
    assert [part for part in parts if part in html.unescape(redacted)] == []


@settings(max_examples=60, deadline=None)
@given(key=keys, before=st.text(max_size=5), after=st.text(max_size=5))
def test_bytes_lose_the_key_in_every_encoding_of_an_answer(key: str, before: str, after: str) -> None:
    redactor = Redactor([key])
    if len(key) < 12 and key.isdigit():
        return

    for spelled in (key, quote(key, safe=""), json.dumps(key), html.escape(key)):
        body = f"{before} {spelled} {after}".encode("utf-8", "surrogatepass")
        assert MARK.encode() in redactor.data(body)
        assert key.encode() not in redactor.data(body)


def test_what_holds_no_secret_is_returned_as_the_same_object() -> None:
    redactor = Redactor([KEY])
    text = "nothing here" * 3
    body = text.encode()
    value = {"rows": [1, 2.5, None, "text"], "nested": {"a": ("b", b"c")}}

    assert redactor.text(text) is text
    assert redactor.data(body) is body
    assert redactor.value(value) is value


@pytest.mark.parametrize(
    "header", ["Token abcd1234", "Bearer abcd1234", "token abcd1234", "SSWS abcd1234", "Token token=abcd1234"]
)
def test_the_credential_of_a_header_value_is_secret_by_itself_and_its_scheme_is_not(header: str) -> None:
    redactor = Redactor([header])

    assert redactor.text(f"sent {header}") == "sent ***"
    assert "abcd1234" not in redactor.text("got abcd1234")
    assert redactor.text("a token, a Token, a Bearer, SSWS") == "a token, a Token, a Bearer, SSWS"


def test_what_a_basic_header_value_encodes_is_secret_by_itself() -> None:
    redactor = Redactor([_basic_auth_str("ann", "passw0rd!")])

    assert redactor.text("ann:passw0rd! of ann") == "*** of ann"


def test_a_header_value_of_the_key_makes_bodies_no_dearer_to_search() -> None:
    redactor = Redactor(["abcd1234-efgh"])
    searched = redactor._in_data.probes
    redactor.add("Bearer abcd1234-efgh")

    assert redactor._in_data.probes == searched
    assert redactor.data(b"Bearer abcd1234-efgh") == b"***"


def test_a_longer_secret_is_replaced_before_one_that_it_contains() -> None:
    assert Redactor(["abcde1", "abcde1-123456"]).text("abcde1-123456 abcde1") == "*** ***"


def test_a_secret_may_be_added_later() -> None:
    redactor = Redactor()
    redactor.add("t0k3n-of-the-hour", "")

    assert redactor.text("t0k3n-of-the-hour") == MARK
    assert "t0k3n" not in repr(redactor)


@pytest.mark.parametrize(
    ("secret", "text", "redacted"),
    [
        ("abc", "an abc of abc=abc", "an abc of abc=***"),
        ("7", "/v1?page=7&limit=77 key='7'", "/v1?page=***&limit=77 key='7'"),
        ("", "anything", "anything"),
    ],
)
def test_a_very_short_secret_is_replaced_only_as_a_query_value(secret: str, text: str, redacted: str) -> None:
    assert Redactor([secret]).text(text) == redacted


@pytest.mark.parametrize("secret", ["abc", "invoice", "1234567", "12345678", "20231114120"])
def test_bodies_are_left_alone_where_a_secret_could_stand_in_an_invoice(secret: str) -> None:
    body = json.dumps({"number": secret, "total": 1234567820231114120, "kind": "invoice"}).encode()

    assert Redactor([secret]).data(body) is body


def test_a_body_stays_readable_json() -> None:
    body = json.dumps({"key": KEY, "id": 1, "note": f'"{KEY}"'}).encode()

    assert json.loads(Redactor([KEY]).data(body)) == {"key": MARK, "id": 1, "note": f'"{MARK}"'}


def test_a_key_made_for_backtracking_is_searched_in_no_time() -> None:
    redactor = Redactor(["\\" * 30 + "!", "%25" * 10 + "!", "&amp;" * 8])

    redactor.text("\\" * 5_000 + "%25" * 5_000 + "&amp;" * 7 + "&" * 5_000)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_body_in_utf16_loses_the_key_and_stays_readable(encoding: str) -> None:
    body = json.dumps({"said": f"<{KEY}>", "id": 1}, ensure_ascii=False).encode(encoding)

    redacted = Redactor([KEY]).data(body)

    assert json.loads(redacted.decode(encoding)) == {"said": f"<{MARK}>", "id": 1}


@pytest.mark.parametrize("key", ["9f86d081884c7d659a2feaa0c55ad015", "550E8400-E29B-41d4-A716-446655440000"])
def test_a_hexadecimal_key_is_found_in_either_case(key: str) -> None:
    redactor = Redactor([key])

    for written in (key, key.lower(), key.upper()):
        assert redactor.text(f"the key {written} of") == "the key *** of"
        assert redactor.data(f'{{"key": "{written}"}}'.encode()) == b'{"key": "***"}'
        assert MARK in redactor.text(base64.b64encode(f"user:{written}".encode()).decode())


def test_each_part_of_user_and_password_is_secret_by_itself() -> None:
    redactor = Redactor(["accounting-7:pa:ss w0rd!"])

    assert redactor.text("accounting-7 with pa:ss w0rd! and pa%3Ass+w0rd%21") == "*** with *** and ***"
    assert redactor.text("accounting-7:pa:ss w0rd!") == "***"
    assert redactor.data(b'["pa:ss w0rd!"]') == b'["***"]'


@pytest.mark.parametrize("user", ["ann", "admin", "accounting", "ann@vendor.example"])
def test_a_user_name_that_may_be_anything_else_is_left_alone_in_bodies(user: str) -> None:
    body = json.dumps({"by": user}).encode()

    assert Redactor([f"{user}:s3cret-passw0rd"]).data(body) is body


WEAK = ["data", "test", "dagster", "invoices", "refresh_invoices", "invoicing.invoices", "2025", "12345", "2025-01-01"]


@pytest.mark.parametrize("key", WEAK)
def test_a_key_that_is_a_word_or_a_short_number_rewrites_no_names_and_no_data(key: str) -> None:
    redactor = Redactor([key, f"Bearer {key}"])
    value = {key: [key, f"x{key}x"], f"{key}/table": f"the {key} of {key}: 5 `{key}`", "url": f"http://{key}/{key}"}
    body = json.dumps({"data": {key: key, "api_key": key}}).encode()

    assert redactor.value(value) is value
    assert redactor.data(body) is body


@pytest.mark.parametrize("key", WEAK)
def test_a_key_that_is_a_word_or_a_short_number_is_replaced_where_it_is_a_value(key: str) -> None:
    redacted = {
        "/v1/invoices?api_key=KEY&limit=5": "/v1/invoices?api_key=***&limit=5",
        "%2Fv1%3Fapi_key%3DKEY": "%2Fv1%3Fapi_key%3D***",
        "{'X-Api-Key': 'KEY'}": "{'X-Api-Key': '***'}",
        '{"token": "KEY"}': '{"token": "***"}',
        r"{\"token\": \"KEY\"}": r"{\"token\": \"***\"}",
        "the key 'KEY' is wrong": "the key '***' is wrong",
        "password: KEY": "password: ***",
        "Authorization: Bearer KEY": "Authorization: ***",
    }
    redactor = Redactor([key, f"Bearer {key}"])

    assert {text: redactor.text(text.replace("KEY", key)) for text in redacted} == redacted


@pytest.mark.parametrize("key", ["k3y!", "ab12", "20251231", "12345678901"])
def test_a_short_key_is_replaced_where_it_stands_alone(key: str) -> None:
    redactor = Redactor([key])

    assert redactor.text(f"<{key}> ({key}, k={key})") == "<***> (***, k=***)"
    assert redactor.text(f"x{key}x 3-{key}-7") == f"x{key}x 3-{key}-7"


def test_what_was_replaced_in_bodies_is_told_once() -> None:
    redactor = Redactor([KEY])
    redactor.data(b"nothing")
    redactor.data(KEY.encode())
    redactor.data(KEY.encode())

    assert redactor.remarks() == [
        "the key stood in answers of the API and was replaced by ***, in rows as well (answers: 2)"
    ]
    assert redactor.remarks() == []


def test_a_key_that_is_replaced_only_as_a_value_is_told() -> None:
    assert Redactor(["test"]).remarks() == [
        "the key is a word or a short number: it is masked only where it stands as a value"
    ]


@pytest.mark.parametrize(
    "made_of", ["\\", "\\\\u", "%25", "%5c", "%255C", "&", "&amp;", "&#", "<", "a<b", "a<b>", "\0", "a\0", "A/"]
)
def test_a_body_made_for_backtracking_is_searched_in_no_time(made_of: str) -> None:
    redactor = Redactor([KEY, "plain0123456789S3cr3tC0re77"])

    redactor.data((made_of * 200_000)[:200_000].encode())
