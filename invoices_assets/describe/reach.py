"""Whether the API can be reached, takes the key, and answers with records."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

from invoices_assets.describe.finding import Finding, ok, unproven, wrong
from invoices_assets.errors import (
    ApiStatusError,
    ApiUnreachable,
    BadAnswer,
    ExtractError,
    KeyRefused,
    NotFound,
    UnreadableBody,
)
from invoices_assets.extract.api import Api
from invoices_assets.extract.http.retry import RetryPolicy
from invoices_assets.extract.page import Page
from invoices_assets.extract.pagination.walk import walk_of
from invoices_assets.redaction.redactor import Redactor
from invoices_assets.refresh.source import NEVER_SEEN
from invoices_assets.source.resource import ResourceSpec

OTHER_KEY = "another key"
_DEEPEST = 4


def finding_of(error: ExtractError, spec: ResourceSpec, document: Any = None) -> Finding:
    """Why not even the first page came.

    Parameters:
        error: what the request failed by.
        document: the whole answer, where one came; tells where its records are.
    """
    sentence = _as_sentence(error)
    if isinstance(error, KeyRefused):
        return wrong("key", sentence, f"`auth` is {_auth_of(spec)}: is that where this API wants its key?")
    if isinstance(error, NotFound):
        return wrong("path", sentence, f"`path: {spec.path}`; some APIs also say 404 to a key without rights.")
    if isinstance(error, ApiUnreachable):
        return wrong("address", sentence)
    if isinstance(error, ApiStatusError):
        return wrong("answer", sentence, "" if error.may_be_retried else "`path`, `params` and `method`.")
    if isinstance(error, UnreadableBody):
        return wrong("answer", sentence, "The address or the path is that of a page for people, not of an API.")
    if isinstance(error, BadAnswer):
        return wrong("selector", sentence, _selector_remedy(document) if document is not None else "")
    return wrong("answer", sentence)


def on_first_page(page: Page, spec: ResourceSpec) -> Iterator[Finding]:
    """Whether a first page with records came."""
    if not page.outline:
        yield unproven(
            "key", _as_sentence(NEVER_SEEN), "With another key, or once there is an invoice, this can be told."
        )
        return
    yield ok("key", "The API accepts it." if spec.auth is not None else "The API answers without one.")
    where = f"`{spec.data_selector}`" if spec.data_selector else "the answer itself"
    if page.shape == "object":
        yield unproven("selector", f"{where} is one object and no list, which is taken for one record.")
    else:
        yield ok("selector", f"{where} has {len(page.outline)} records.")


def on_wrong_key(api: Api, spec: ResourceSpec, first: Page) -> Finding:
    """Asks once with a key that is none, and says what the API thinks of it.

    Parameters:
        first: the page that the right key brought.
    """
    key = "".join(map(_another, api.secret))
    asked = replace(api, secret=key, redactor=Redactor([key]), window=1)
    with closing(asked.client(spec.with_auth(key), RetryPolicy(retries=0))) as http:
        endpoint = asked.endpoint(http, spec)
        try:
            # a status that is to be ignored is a refusal here
            page = walk_of(endpoint, spec.paginator, endpoint.request(None)).first().get()
        except KeyRefused as error:
            return ok(OTHER_KEY, f"The API refuses a key that is none ({error.status}).")
        except ExtractError as error:
            return ok(OTHER_KEY, f"The API does not answer to a key that is none: {api.redactor.text(str(error))}.")
    if not page.outline and first.outline:
        sentence = (
            "The API answers a key that is none as if there were no records; so a key that expires looks like that."
        )
        return unproven(OTHER_KEY, sentence, "Nothing: a run that finds nothing where there were rows fails.")
    return wrong(
        OTHER_KEY,
        "The API answers a key that is none as it answers yours, so it does not look at the key.",
        f"`auth` is {_auth_of(spec)}: is that where this API wants its key?",
    )


def _lists(value: Any, keys: tuple[str, ...], deeper: int) -> Iterator[tuple[str, list[Any]]]:
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        yield ".".join(keys) or "$", value
    if isinstance(value, dict) and deeper:
        for key, inner in value.items():
            yield from _lists(inner, (*keys, key), deeper - 1)


def _selector_remedy(document: Any) -> str:
    found = sorted(_lists(document, (), _DEEPEST), key=lambda item: -len(item[1]))
    if not found:
        return "The answer has no list of records at all: is `path` that of a list?"
    return "Lists of objects are at " + ", ".join(f"`data_selector: {path}`" for path, _ in found[:4]) + "."


def _auth_of(spec: ResourceSpec) -> str:
    auth = spec.auth_config
    if auth is None:
        return "not declared"
    told = [f"{name}: {auth[name]}" for name in ("type", "name", "location", "x-prefix", "username") if name in auth]
    return f"`{{{', '.join(told)}}}`"


def _as_sentence(error: object) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith((".", "?")) else ".")


def _another(character: str) -> str:
    """A character of the same kind, so that a key keeps its form."""
    if character.isdigit():
        return "9" if character != "9" else "8"
    if character.isalpha() and character.isascii():
        wanted = "z" if character.lower() != "z" else "y"
        return wanted.upper() if character.isupper() else wanted
    return character
