"""Pages that an answer leads on to: by an address or a cursor, in the body or in a header."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from invoices_assets.describe.draft.names import AFTER_RECORD, CURSOR_PLACES, CURSORS, snake
from invoices_assets.describe.draft.paging.sample import Sample
from invoices_assets.describe.draft.parameters import find_parameter
from invoices_assets.describe.draft.records import Keys, path_of
from invoices_assets.extract.claims import flag_of
from invoices_assets.extract.http.link_header import links_of
from invoices_assets.source.values.paths import MISSING, reader_of

Paginator = dict[str, Any]
_HREFS = ("href", "url")


def by_link(sample: Sample) -> tuple[Paginator, str] | None:
    """A paginator that follows an address, and that address; None where none leads to a next page, or an empty one."""
    for paginator, link in _addresses(sample):
        page = sample.listing.behind(link, sample.small.url)
        if sample.is_next(page) or (page is not None and not page.records):
            return paginator, link
    return None


def by_cursor(sample: Sample) -> Paginator | None:
    """A paginator that sends a cursor back; None where no answer has one, or no parameter takes it."""
    for place, value, paginator in _cursors(sample):
        names = dict.fromkeys((*_like(place), *CURSORS))
        found = find_parameter(sample.asked_small, list(names), value, sample.is_next, sample.is_first)
        if found:
            return {**paginator, "cursor_param": found}
    return None


def by_last_record(sample: Sample, key: str) -> Paginator | None:
    """A paginator that sends the key of the last record, as Stripe's does; None where nothing takes that.

    Parameters:
        key: the field of the primary key.
    """
    more = next((keys for keys, value in sample.claimed("more") if flag_of(value)), None)
    if more is None:
        return None
    last = sample.small.records[-1].get(key)
    found = find_parameter(sample.asked_small, AFTER_RECORD, last, sample.is_next, sample.is_first)
    selector = path_of(sample.small.keys, sample.small.document)
    path = f"{selector}[-1].{key}"
    if found is None or reader_of(path)(sample.small.document) in (MISSING, None):
        return None
    place = path_of(more, sample.small.document)
    return {"type": "cursor", "cursor_path": path, "cursor_param": found, "has_more_path": place}


def is_address(value: Any) -> bool:
    """Whether a value leads somewhere by itself."""
    return isinstance(value, str) and ("://" in value or value.startswith(("/", "?")))


def _addresses(sample: Sample) -> Iterator[tuple[Paginator, str]]:
    page = sample.small
    for keys, value in sample.claimed("next"):
        places = [keys, *((*keys, href) for href in _HREFS if isinstance(value, dict) and href in value)]
        for place in places:
            target = value[place[-1]] if place is not keys else value
            if is_address(target):
                yield {"type": "json_link", "next_url_path": path_of(place, page.document)}, target
    if "next" in (links := links_of(page.headers.get("Link", ""))):
        yield {"type": "header_link"}, links["next"]
    for name, value in page.headers.items():
        if "next" in name.lower() and is_address(value):
            yield {"type": "header_cursor", "cursor_key": name, "x-link": True}, value


def _cursors(sample: Sample) -> Iterator[tuple[str, Any, Paginator]]:
    """Name and value of what may be a cursor, and its paginator but for the parameter."""
    page = sample.small
    seen: set[Keys] = set()
    named = ((keys, value) for keys, value in page.around() if snake(keys[-1]) in CURSOR_PLACES)
    for keys, value in (*sample.claimed("next"), *named):
        is_value = isinstance(value, str | int) and not isinstance(value, bool)
        if keys in seen or not is_value or not value or is_address(value):
            continue
        seen.add(keys)
        yield keys[-1], value, _cursor(path_of(keys, page.document), sample)
    for name, text in page.headers.items():
        if any(word in snake(name) for word in ("next", "cursor", "continuation")) and not is_address(text):
            yield name, text, {"type": "header_cursor", "cursor_key": name}


def _cursor(place: str, sample: Sample) -> Paginator:
    """A cursor in the body; an answer whose cursor also stands behind the last page says elsewhere that it is one."""
    more = next((keys for keys, value in sample.claimed("more") if flag_of(value)), None)
    end = {"has_more_path": path_of(more, sample.small.document)} if more is not None else {}
    return {"type": "cursor", "cursor_path": place, **end}


def _like(place: str) -> Iterator[str]:
    """Parameters that are named as the place of the cursor is: `next_page_token` goes into `page_token`."""
    bare = snake(place).removeprefix("x_").removeprefix("next_").removeprefix("end_")
    first, *rest = bare.split("_")
    yield from (bare, first + "".join(word.title() for word in rest), place, f"_{bare}")
