"""What an answer means: a success, an error that is final, or a reason to ask again."""

from __future__ import annotations

import codecs
import html
import re
from contextlib import suppress
from email.message import Message
from http import HTTPStatus

import requests
from requests.structures import CaseInsensitiveDict

from invoices_assets.errors import ApiStatusError, KeyRefused, NotFound
from invoices_assets.extract.http.retry import AttemptResult, RetryPolicy, retry_after_seconds
from invoices_assets.redaction.redactor import Redactor
from invoices_assets.source.values.exact_json import is_utf8

_CONDITIONS = {"if-modified-since", "if-none-match"}
_LONGEST_EXCERPT = 200
_INVISIBLE = re.compile(r"<(script|style)\b.*?</\1\s*>|<!--.*?-->|<[^>]*>", re.DOTALL | re.IGNORECASE)


def cleaned(response: requests.Response, url: str, redactor: Redactor) -> requests.Response:
    """The response without the key, which a server may echo, and in the one encoding in which JSON is read.

    Parameters:
        response: with its body read; it is changed in place.
        url: what was asked.
    """
    response.url = redactor.text(url)
    response._content = redactor.data(_in_utf8(response))
    values = "\n".join(response.headers.values())
    if redactor.text(values) != values:
        response.headers = CaseInsensitiveDict(redactor.value(dict(response.headers)))
    return response


def _in_utf8(response: requests.Response) -> bytes:
    """The body as it is, or in UTF-8 where none of it is and its `charset` names what it is in.

    JSON is in UTF-8 whatever the `charset` says (RFC 8259, 8.1 and 11), so that is tried first: some servers name a
    charset of old and send UTF-8, others send what they name. Who says ISO-8859-1 or ASCII sends windows-1252, of which
    they are a part (WHATWG Encoding Standard, 4.2).
    """
    body, header = response.content, Message()
    header["Content-Type"] = response.headers.get("Content-Type", "")
    charset = header.get_content_charset()
    with suppress(LookupError, ValueError):
        name = codecs.lookup(charset or "utf-8").name
        # most answers name it, and a large one need not be read once more for that
        if name != "utf-8" and not is_utf8(body) and body.decode(errors="ignore").isascii():
            return body.decode("cp1252" if name in ("iso8859-1", "ascii") else name).encode()
    return body


def judged(
    request: requests.Request,
    response: requests.Response,
    line: str,
    policy: RetryPolicy,
    redactor: Redactor,
    now: float,
) -> AttemptResult:
    """What an answer that is no redirect means.

    Parameters:
        response: without secrets.
        line: what was asked, for example `GET http://host/v1/invoices`.
        now: seconds since the epoch.
    """
    status = response.status_code
    asked_for_changes = any(str(name).lower() in _CONDITIONS for name in request.headers or ())
    if 200 <= status < 300 or (status == 304 and asked_for_changes):
        return AttemptResult(response=response)
    if status not in policy.statuses:
        return AttemptResult(error=_status_error(line, response, redactor))
    reason = status_text(status)
    seconds = retry_after_seconds(response.headers.get("Retry-After"), now)
    if seconds is not None and seconds > policy.longest_wait:
        message = (
            f"{line} answered {reason} and asks to wait {seconds:,.0f} s (Retry-After), "
            f"longer than the {policy.longest_wait:,.0f} s allowed"
        )
        return AttemptResult(error=ApiStatusError(status, message))
    return AttemptResult(reason=reason, status=status, retry_after=seconds)


def status_text(status: int) -> str:
    """For example `503 Service Unavailable`; a server's own wording is not repeated."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _status_error(line: str, response: requests.Response, redactor: Redactor) -> ApiStatusError:
    status, excerpt = response.status_code, _excerpt(response, redactor)
    said = f": {excerpt}" if excerpt else ""
    if status in (401, 403):
        challenge = response.headers.get("WWW-Authenticate", "")
        return KeyRefused(status, f"the API refused the key ({status}) at {line}{said}", challenge)
    kind = NotFound if status == 404 else ApiStatusError
    return kind(status, f"{line} answered {status_text(status)}{said}")


def _excerpt(response: requests.Response, redactor: Redactor) -> str:
    """The beginning of a body as one line of text, without markup."""
    text = response.content.decode("utf-8", "replace")
    text = redactor.text(text)
    if "html" in response.headers.get("Content-Type", "") or text.lstrip()[:1] == "<":
        text = html.unescape(_INVISIBLE.sub(" ", text))
    text = "".join(char if char.isprintable() else " " for char in text)
    text = redactor.text(" ".join(text.split()))
    return text if len(text) <= _LONGEST_EXCERPT else f"{text[: _LONGEST_EXCERPT - 1]}…"
