"""Links and cursors lead on wherever an answer has them, and nowhere else."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import pytest

from invoices_assets.errors import BadAnswer, IncompleteSweep
from invoices_assets.extract.http.link_header import links_of
from invoices_assets_tests.support.paged_api import PATH, number, read, rows
from invoices_assets_tests.support.sweep_helpers import config, swept
from invoices_assets_tests.vendor.fake_api import Asked, FakeApi, Reply

HEADER_CURSOR = {"type": "header_cursor", "cursor_key": "NextPageToken", "cursor_param": "after"}
LINK = {"type": "json_link", "next_url_path": "next"}
CURSOR = {"type": "cursor", "cursor_path": "next"}
TWO = "/v1/invoices?page=2"


@pytest.mark.parametrize(
    "header",
    [
        f'<{TWO}>; rel="next"',
        f'<{TWO}>; rel="Next"',
        f'<{TWO}>; rel="next last"',
        f'<{TWO}>; rel="last next"',
        f"<{TWO}>; rel=next",
        f"<{TWO}>;rel=next;title=two",
        f'<{TWO}>; title="page 2, of 9; rel=no"; rel="next"',
        f'<{TWO}>; title="a \\"quoted\\", title"; rel="next"',
        f'<{TWO}> ; REL = "next"',
        f"<{TWO}>; title*=UTF-8''zwei%2C; rel=\"next\"",
        f'</v1/invoices?page=1>; rel="first", <{TWO}>; rel="next"',
        f', <{TWO}>; rel="next",, </v1/invoices?page=9>; rel=last',
        f'</v1/invoices?ids=1,2>; rel="self", <{TWO}>; rel="next"; rel="prev"',
    ],
)
def test_a_link_header_is_read_by_the_rfc(api: FakeApi, header: str) -> None:
    def answer(asked: Asked) -> Reply:
        page = number(asked, "page", 1)
        last = '</v1/invoices?page=1>; rel="prev"'
        return Reply(body={"data": rows(10, 10 * page)}, headers={"Link": header if page == 1 else last})

    assert links_of(header)["next"] == TWO
    api.route(PATH)(answer)
    assert read(api, "header_link")[1].ids == list(range(10, 30))


@pytest.mark.parametrize("header", ["", "next", f"{TWO}; rel=next", "<unfinished", f"<{TWO}>", f"<{TWO}>; title=next"])
def test_a_link_header_without_a_next_has_none(header: str) -> None:
    assert "next" not in links_of(header)


def test_a_link_header_without_a_readable_next_is_no_end_where_the_page_is_full(api: FakeApi) -> None:
    api.route(PATH, Reply(body={"data": rows(10)}, headers={"Link": f"{TWO}; rel=next"}))
    assert not read(api, "header_link")[0].proven


def test_the_next_of_a_link_header_is_not_passed_over_by_another_name(api: FakeApi) -> None:
    api.route(PATH, Reply(body={"data": rows(10)}, headers={"Link": f"<{TWO}>; rel=next"}))
    with pytest.raises(IncompleteSweep, match="`Link` leads to a next page"):
        read(api, {"type": "header_link", "links_next_key": "following"})


def test_a_cursor_in_a_header_leads_through_all_pages(api: FakeApi) -> None:
    def answer(asked: Asked) -> Reply:
        start = number(asked, "after")
        more = {"NextPageToken": str(start + 10)} if start < 20 else {}
        return Reply(body={"data": rows(10, start)}, headers=more)

    api.route(PATH)(answer)
    swept, records = read(api, HEADER_CURSOR)
    assert records.ids == list(range(30))
    assert swept.end == "the last answer has no `NextPageToken` header, and those before had one"


@pytest.mark.parametrize("value", ["https://elsewhere.invalid/x?page=2", "/v1/invoices?page=2", f"<{TWO}>; rel=next"])
def test_an_address_in_the_header_of_a_cursor_is_refused(api: FakeApi, value: str) -> None:
    api.route(PATH, Reply(body={"data": rows(10)}, headers={"NextPageToken": value}))
    with pytest.raises(BadAnswer, match=r"holds an address and no cursor; .* with `x-link: true` it follows"):
        read(api, HEADER_CURSOR)
    assert len(api.asked) == 1


@pytest.mark.parametrize("absolute", [True, False])
def test_an_address_in_a_header_is_followed_where_the_source_file_says_so(api: FakeApi, absolute: bool) -> None:
    def answer(asked: Asked) -> Reply:
        start = number(asked, "_token")
        address = f"{api.url if absolute else ''}{PATH}?_token={start + 10}"
        return Reply(body={"data": rows(10, start)}, headers={"Next-Page": address} if start < 20 else {})

    api.route(PATH)(answer)
    swept, records = read(api, {"type": "header_cursor", "cursor_key": "Next-Page", "x-link": True})
    assert records.ids == list(range(30))
    assert swept.end == "the last answer has no `Next-Page` header, and those before had one"


def test_an_address_in_a_header_that_leads_to_another_host_is_not_followed(api: FakeApi) -> None:
    api.route(PATH, Reply(body={"data": rows(10)}, headers={"Next-Page": "https://elsewhere.invalid/x"}))
    with pytest.raises(IncompleteSweep, match="another host"):
        read(api, {"type": "header_cursor", "cursor_key": "Next-Page", "x-link": True})


def test_a_cursor_that_begins_like_a_path_is_sent_back(api: FakeApi) -> None:
    def answer(asked: Asked) -> Reply:
        is_first = "after" not in asked.query
        return Reply(
            body={"data": rows(10, 0 if is_first else 10)}, headers={"NextPageToken": "/w=="} if is_first else {}
        )

    api.route(PATH)(answer)
    assert read(api, HEADER_CURSOR)[1].ids == list(range(20))
    assert api.asked[1].query["after"] == ["/w=="]


def listed_links(asked: Asked) -> Reply:
    """Links as a list, as PayPal and FHIR have them; the last page has none to a next one."""
    start = number(asked, "after")
    links = [{"rel": "self", "href": PATH}, {"rel": "next", "href": f"{PATH}?after={start + 10}", "at": start + 10}]
    return Reply(body={"data": rows(10, start), "links": links if start < 20 else links[:1]})


@pytest.mark.parametrize(
    "paginator",
    [
        {"type": "json_link", "next_url_path": "links[?(@.rel=='next')].href"},
        {"type": "json_link", "next_url_path": '$.links[?(@.rel == "next")].href'},
        CURSOR | {"cursor_path": "links[?(@.rel=='next')].at", "cursor_param": "after"},
    ],
    ids=str,
)
def test_a_link_may_be_picked_out_of_a_list(api: FakeApi, paginator: dict[str, Any]) -> None:
    api.route(PATH)(listed_links)
    found, records = read(api, paginator)
    assert records.ids == list(range(30))
    assert found.proven


@pytest.mark.parametrize("value", [{"href": TWO}, 2])
def test_a_next_link_that_is_no_text_is_refused(api: FakeApi, value: Any) -> None:
    api.route(PATH, Reply(body={"data": rows(10), "next": value}))
    with pytest.raises(BadAnswer, match="`next` is no address"):
        read(api, {"type": "json_link", "next_url_path": "next"})


def led_on_by(api: FakeApi, name: str, place: str, paginator: dict[str, Any]) -> list[str]:
    """The remarks of a sweep over three pages.

    Parameters:
        name: the parameter that leads on.
        place: what an answer has at `next`, with `{}` for where the next page begins.
    """

    def answer(asked: Asked) -> Reply:
        start = int(re.sub(r"\D", "", asked.query.get(name, ["0"])[0]))
        return Reply(body={"data": rows(10, start), "next": place.format(start + 10) if start < 20 else None})

    api.route(PATH)(answer)
    found, records = read(api, paginator)
    assert records.ids == list(range(30))
    return found.remarks


@pytest.mark.parametrize("name", ["offset", "page[number]", "page[offset]", "$skip", "pageIndex", "p"])
def test_links_that_count_cannot_show_every_move_and_say_so(api: FakeApi, name: str) -> None:
    [remark] = led_on_by(api, name, f"{PATH}?{quote(name)}={{}}", LINK)
    assert "keeps the total cannot be seen" in remark


@pytest.mark.parametrize(("name", "passes"), [("page[number]", 2), ("after", 1)])
def test_deletions_by_links_that_count_need_two_passes_that_agree(api: FakeApi, name: str, passes: int) -> None:
    def answer(asked: Asked) -> Reply:
        start = number(asked, name)
        more = f"{PATH}?{quote(name)}={start + 10}" if start < 20 else None
        return Reply(body={"data": rows(10, start), "next": more})

    api.route(PATH)(answer)
    assert swept(api.url, config(paginator=LINK), confirm=True)[0].passes == passes


@pytest.mark.parametrize("name", ["page", "skip"])
def test_cursors_that_count_cannot_either(api: FakeApi, name: str) -> None:
    [remark] = led_on_by(api, name, "{}", CURSOR | {"cursor_param": name})
    assert "keeps the total cannot be seen" in remark


@pytest.mark.parametrize(
    ("name", "place", "paginator"),
    [("after", f"{PATH}?after={{}}", LINK), ("offset", f"{PATH}?offset=itr{{}}", LINK), ("page", "x{}", CURSOR)],
)
def test_what_leads_on_without_counting_shows_every_move(
    api: FakeApi, name: str, place: str, paginator: dict[str, Any]
) -> None:
    assert led_on_by(api, name, place, paginator | ({"cursor_param": name} if paginator is CURSOR else {})) == []


@pytest.mark.parametrize("declared", ["previous", "links.prev"])
def test_a_place_that_says_no_more_is_contradicted_by_another_next(api: FakeApi, declared: str) -> None:
    body = {"data": rows(10), "previous": None, "links": {"prev": None, "next": TWO}}
    api.route(PATH, Reply(body=body))
    with pytest.raises(IncompleteSweep, match="`next` leads to a next page"):
        read(api, {"type": "json_link", "next_url_path": declared})


def test_a_cursor_that_is_given_beside_the_word_of_no_more_is_none(api: FakeApi) -> None:
    api.route(PATH, Reply(body={"data": rows(10), "next": None, "next_token": "x", "has_more": False}))
    assert read(api, {"type": "json_link", "next_url_path": "next"})[0].proven
