"""Links that need no request, since the crawl knows or refuses them, are left out and counted."""

from __future__ import annotations

import pytest

from crawler import Request, Response
from crawler.messages.page_links import NO_FILTER, LinkFilter

URL = "https://site.test/shop/list?page=1"
LINKS = [f"https://site.test/{name}" for name in "ab"] + ["https://other.test/", "https://site.test/c"]
PAGE = "".join(f"<a href='{link}'>x</a>" for link in [*LINKS, LINKS[0]])


def page(body: str = PAGE, **options) -> Response:
    return Response(URL, 200, {"Content-Type": "text/html; charset=utf-8"}, body, **options)


def test_known_links_are_left_out_and_counted():
    response = page()
    response._bind(link_filter := LinkFilter({LINKS[0], LINKS[2]}))
    assert [request.url for request in response.follow_all()] == [LINKS[1], LINKS[3]]
    assert link_filter.repeats == 2


@pytest.mark.parametrize(
    "options",
    [{"dont_filter": True}, {"method": "POST"}, {"params": {"a": 1}}, {"json": {}}, {"data": {}}, {"body": b"x"}],
)
def test_a_known_url_is_not_left_out_if_the_request_is_another(options):
    response = page()
    response._bind(link_filter := LinkFilter(set(LINKS)))
    assert len(list(response.follow_all(**options))) == 4
    assert link_filter.repeats == 0


def test_links_out_of_scope_are_left_out_with_their_reason():
    asked = []

    def refuses(url: str, depth: int) -> str | None:
        asked.append((url, depth))
        return "scope" if "other.test" in url else None

    response = page(request=Request(URL).replace(depth=1))
    response._bind(link_filter := LinkFilter({LINKS[0]}, refuses))
    assert [request.url for request in response.follow_all()] == [LINKS[1], LINKS[3]]
    assert link_filter.refused == [("scope", LINKS[2])]
    assert asked == [(url, 2) for url in LINKS[1:]]


NOFOLLOW = "<a href=/1>x</a><a href=/2 rel=nofollow>x</a><a href=/3 rel=ugc>x</a><a href=/3>x</a>"


@pytest.mark.parametrize("targets", [None, "a", ["/1", "/2", "/3"]])
@pytest.mark.parametrize(
    ("head", "header", "left"),
    [("", "", [2]), ("<meta name=robots content=nofollow>", "", [1, 2, 3]), ("", "none", [1, 2, 3])],
)
def test_links_that_are_not_to_be_followed_are_left_out_if_that_is_wanted(targets, head, header, left):
    headers = {"Content-Type": "text/html", "X-Robots-Tag": header}
    for heeds in (False, True):
        response = Response("https://site.test/", headers=headers, body=head + NOFOLLOW)
        response._bind(link_filter := LinkFilter(obey_nofollow=heeds))
        followed = [int(request.url[-1]) for request in response.follow_all(targets)]
        assert followed == [number for number in (1, 2, 3) if not heeds or number not in left]
        assert link_filter.refused == (
            [("nofollow", f"https://site.test/{number}") for number in left] if heeds else []
        )


def test_outside_a_crawl_nothing_is_left_out_or_counted():
    assert len(list(page().follow_all())) == 4
    assert (NO_FILTER.repeats, NO_FILTER.refused, NO_FILTER.agent) == (0, [], "")


def test_a_copy_of_a_page_counts_with_the_page():
    response = page()
    response._bind(link_filter := LinkFilter({LINKS[0]}))
    assert len(list(response.replace(status=203).follow_all())) == 3
    assert link_filter.repeats == 1


def test_filters_share_no_counts():
    LinkFilter().refused.append(("scope", URL))
    assert LinkFilter().refused == []


def test_a_request_that_is_made_by_follow_is_not_filtered():
    response = page()
    response._bind(link_filter := LinkFilter(set(LINKS), lambda url, depth: "scope"))
    assert response.follow(LINKS[0]) == Request(LINKS[0]).replace(depth=1)
    assert (link_filter.repeats, link_filter.refused) == (0, [])
