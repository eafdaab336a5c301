"""A browser with a network of its own: whole crawls in virtual time with a browser in memory."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from crawler_plugins.browser.own_network import is_plain
from support.fake_chromium import FakeBrowser
from trio.testing import MockClock
from unit.plugins.test_browser_plugin import One, to

from crawler import Request, Settings
from crawler.testing import FakeSite, collect

HTML = {"Content-Type": "text/html; charset=utf-8"}
API = {"https://site.test/api": (200, HTML, "<b>two</b>")}


async def visit(
    pages: dict[str, tuple[int, dict[str, str], str]],
    *requests: Request,
    settings: Settings | None = None,
    **options: Any,
) -> Any:
    """Return the responses, the report, and the requests of the browser by time and URL."""
    responses = {f"https://site.test{path}": answer for path, answer in pages.items()} | API
    spider, plugin = One(*requests), FakeBrowser(network="own", responses=responses, **options)
    collected = await collect(spider, FakeSite({}), settings=settings, plugins=[plugin])
    return spider.responses, collected.report, [sent for peer in plugin.started for sent in peer.sent]


async def test_the_browser_makes_the_requests_itself(autojump_clock: MockClock) -> None:
    fields = HTML | {"X-Kind": "shop", "Set-Cookie": "a=1\nb=2", "Content-Encoding": "br"}
    [response], report, sent = await visit({"/": (200, fields, "<p>\nGET /api\nIMAGE /a.png")})
    assert response.css("b::text").get() == "two"
    assert (response.source, response.status, response.headers["x-kind"]) == ("browser", 200, "shop")
    assert response.original.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert "content-encoding" not in response.original.headers
    assert response.original.text == "<p>\nGET /api\nIMAGE /a.png"
    assert [url for _, url in sent] == ["https://site.test/", "https://site.test/api"]
    assert report.counters == {"browser/requests": 2, "browser/blocked": 1, "browser/pages": 1}
    assert report.requests == 1, "the document counts as the request of the page"


@pytest.mark.parametrize("tabs", [1, 4])
async def test_documents_keep_the_pace_of_their_host(tabs: int, autojump_clock: MockClock) -> None:
    pages = {f"/{number}": (200, HTML, "<p>x") for number in range(6)}
    requests = [to(path, wait="3") for path in pages]
    responses, report, sent = await visit(pages, *requests, settings=Settings(delay=2.0), tabs=tabs)
    assert len(responses) == 6
    assert min(later - earlier for (earlier, _), (later, _) in itertools.pairwise(sent)) >= 2.0 - 0.1
    assert report.lanes["https://site.test"]["requests"] == 6


async def test_a_document_that_is_not_a_page_is_returned_unchanged(autojump_clock: MockClock) -> None:
    pages = {
        "/data": (200, {"Content-Type": "application/json"}, '{"a": 1}'),
        "/gone": (410, HTML, "<p>gone"),
    }
    responses, report, _ = await visit(pages, to("/data"), to("/gone").replace(accept_status=[410]))
    found = {response.url[-4:]: response for response in responses}
    assert (found["data"].json(), found["data"].original) == ({"a": 1}, None)
    assert found["gone"].css("p::text").get() == "gone"
    assert report.statuses == {200: 1, 410: 1}


async def test_limits_learn_from_a_refusal(autojump_clock: MockClock) -> None:
    refusal = (429, HTML | {"Retry-After": "100"}, "slow down")
    began = autojump_clock.current_time()
    _, report, sent = await visit({"/": refusal}, settings=Settings(attempts=1, max_seconds=350))
    assert report.lanes["https://site.test"]["refusals"] == len(sent) >= 2
    assert min(later - earlier for (earlier, _), (later, _) in itertools.pairwise(sent)) >= 100
    assert autojump_clock.current_time() - began < 400


async def test_a_failure_is_not_repeated_at_once(autojump_clock: MockClock) -> None:
    _, report, sent = await visit({"/": (200, HTML, "<p>\nCRASH")})
    assert report.kinds == {"request_error.browser_crash": 1}
    assert len(sent) == 1


def test_a_form_is_not_sent_by_opening_its_url() -> None:
    assert is_plain(Request("https://site.test/"))
    assert not is_plain(Request("https://site.test/", method="POST"))
    assert not is_plain(Request("https://site.test/", method="GET", body=b"x"))
