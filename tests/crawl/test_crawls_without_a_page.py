"""Crawls that cannot begin, or end without a page: their messages and exit codes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.trees import Follow, FrontPage
from trio.testing import MockClock

from crawler import (
    ConfigError,
    Crawl,
    Failure,
    Plugin,
    Produced,
    Request,
    Settings,
    Spider,
    crawl,
)
from crawler.testing import FakeSite, Page, collect


@pytest.mark.parametrize("url", ["site.test/", "ftp://site.test/", 7])
async def test_an_invalid_start_url_is_rejected_before_the_crawl_starts(autojump_clock: MockClock, url: Any) -> None:
    with pytest.raises(ConfigError, match="start_urls of Follow"):
        await collect(Follow(start_urls=[url]), FakeSite({}))
    with pytest.raises(ConfigError, match="must be a list of URLs"):
        await collect(type("Text", (Follow,), {"start_urls": "https://site.test/"})(), FakeSite({}))


class Idle(Plugin):
    """It might add a request, so what is missing is known at the end."""

    name = "idle"

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Add none."""
        yield


async def test_a_spider_that_cannot_begin_is_refused(autojump_clock: MockClock) -> None:
    with pytest.raises(ConfigError, match=r"Follow has neither start_urls nor a start\(\) method: there is nothing"):
        await collect(Follow(start_urls=[]), FakeSite({}))
    with pytest.raises(ConfigError, match=r"Follow has neither start_urls nor a start\(\) method: there is nothing"):
        await collect(Follow(start_urls=[]), FakeSite({}), plugins=[Idle()])

    class Misspelt(FrontPage):
        start_urls = ()
        start_url = ["https://site.test/"]

    with pytest.raises(ConfigError, match=r"nothing to fetch \(did you mean start_urls instead of start_url\?\)$"):
        await collect(Misspelt(), FakeSite({}))

    class FromScrapy(FrontPage):
        start_urls = ()

        def start_requests(self) -> Produced:
            yield Request("https://site.test/")

    with pytest.raises(ConfigError, match=r"FromScrapy.start_requests\(\) has a meaning in Scrapy only: rename it"):
        await collect(FromScrapy(), FakeSite({}))

    class Elsewhere(FrontPage):
        start_urls = ("https://site.test/", "https://site.test/b")
        allowed_domains = ("other.test",)

    with pytest.raises(ConfigError, match=r"each of 2 start pages is out of scope by allowed_domains = "):
        await collect(Elsewhere(), FakeSite({}))
    with pytest.raises(ConfigError, match="the start page is out of scope by setting exclude, such as https:"):
        await collect(Follow(), FakeSite({}), settings=Settings(exclude="*"))


class Empty(FrontPage):
    def start(self) -> Produced:
        return None


class NoWayIn(FrontPage):
    start_urls = ("https://site.test/in", "https://site.test/gone")
    allowed_domains = ("site.test",)


@pytest.mark.parametrize(
    ("spider", "settings", "reason"),
    [
        (Follow(), Settings(), "https://site.test/ returned status 404"),
        (Follow(), Settings(obey_robots=True), "its robots.txt forbids https://site.test/"),
        (Empty(), Settings(), "start() yielded no request"),
        (
            NoWayIn(),
            Settings(),
            "https://site.test/gone returned status 404; https://other.test/ is out of scope (allo",
        ),
        (Follow(start_urls=["https://bad.test/"]), Settings(), "https://bad.test/ failed (connect_failed)"),
        (Follow(start_urls=["https://slow.test/"]), Settings(max_seconds=0.5, grace=0), "it was not reached in time"),
    ],
    ids=["404", "robots", "no start request", "redirected out of scope", "connection", "max_seconds"],
)
async def test_a_crawl_without_a_page_says_why_and_has_exit_code_4(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, spider: Spider, settings: Settings, reason: str
) -> None:
    site = FakeSite(
        {
            "/in": Page(status=301, headers={"Location": "https://other.test/"}),
            "/robots.txt": "User-agent: *\nDisallow: /",
            "https://bad.test/": httpx.ConnectError("refused"),
            "https://slow.test/": Page("x", delay=100),
        }
    )
    report = (await collect(spider, site, settings=Settings(obey_robots=False) | settings)).report
    assert (report.pages, report.exit_code("100%")) == (0, 4)
    assert report.no_pages.startswith(f"no start page gave a page: {reason}")
    assert report.to_dict()["no_pages"] == report.no_pages
    assert report.no_pages in caplog.text


async def test_a_finished_job_without_a_page_explains_it_once(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    for _ in range(2):
        caplog.clear()
        report = await crawl(
            Follow(start_urls=["https://site.test/gone"]), job=tmp_path, transport=FakeSite({}).transport
        )
        assert (report.no_pages != "", report.exit_code()) == (True, 4)
    assert "had finished before: there is nothing to fetch" in caplog.text
    assert "no start page" not in caplog.text


async def test_a_crawl_without_a_page_may_have_items_or_a_reason_of_its_own(autojump_clock: MockClock) -> None:
    class Checks(FrontPage):
        def start(self) -> Produced:
            yield Request("https://site.test/gone", errback=self.gone)

        def gone(self, failure: Failure) -> Produced:
            yield {"gone": failure.request.url}

    class Stops(FrontPage):
        def start(self) -> Produced:
            self.crawl.stop("nothing is new")

    for spider in (Checks(), Stops()):
        report = (await collect(spider, FakeSite({}))).report
        assert (report.pages, report.no_pages, report.exit_code()) == (0, "", 0)
        assert "no_pages" not in report.to_dict()


async def test_a_start_that_is_not_a_method_is_rejected_with_advice(autojump_clock: MockClock) -> None:
    class Shadowed(Follow):
        def __init__(self, start: str) -> None:
            super().__init__()
            self.start = start  # type: ignore[method-assign, assignment]

    with pytest.raises(ConfigError, match="keep an argument of that name in start_urls"):
        await collect(Shadowed("https://site.test/"), FakeSite({}))
