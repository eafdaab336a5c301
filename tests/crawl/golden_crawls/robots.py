"""Golden crawls: robots.txt, nofollow and sitemaps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import httpx
import trio

from crawler import (
    Request,
    Response,
    Settings,
    Spider,
)
from crawler.testing import FakeSite, Page

if TYPE_CHECKING:
    from crawl.test_golden_traces import Trace

from crawl.golden_crawls.registry import OBEY, SITE, Asks, Meter, golden, numbered, to


@golden
async def robots_allows_disallows_and_delays(trace: Trace) -> None:
    robots = Page("User-agent: *\nDisallow: /2\nCrawl-delay: 5", delay=1.0)
    other = "https://other.test"
    pages = numbered(4) | {"/robots.txt": robots, f"{other}/": Page("x", delay=0.4)}
    await trace.crawl(Asks("/0", "/1", "/2", "/3", f"{other}/"), FakeSite(pages), settings=OBEY)


@golden
async def robots_that_is_missing(trace: Trace) -> None:
    await trace.crawl(Asks("/0", "/1"), FakeSite(numbered(2)), settings=OBEY)


@golden
async def robots_of_a_broken_server(trace: Trace) -> None:
    pages = numbered(2) | {"/robots.txt": Page(status=503), "https://down.test/robots.txt": httpx.ConnectError("no")}
    site = FakeSite(pages | {"https://heals.test/robots.txt": [Page(status=500), ""], "https://heals.test/": "x"})
    await trace.crawl(Asks("/0", "/1", "https://down.test/", "https://heals.test/"), site, settings=OBEY)


@golden
async def robots_that_is_refused(trace: Trace) -> None:
    refused = Page(status=429, headers={"Retry-After": "90"})
    pages = numbered(2) | {"/robots.txt": [refused, Page("User-agent: *\nDisallow: /1", delay=0.2)]}
    await trace.crawl(Asks("/0", "/1"), FakeSite(pages), settings=OBEY, plugins=[Meter(trace)])


@golden
async def robots_behind_redirects(trace: Trace) -> None:
    pages = numbered(2) | {
        "/robots.txt": to("https://www.site.test/robots.txt", 301),
        "https://www.site.test/robots.txt": to("/rules"),
        "https://www.site.test/rules": "User-agent: *\nDisallow: /1",
    }
    await trace.crawl(Asks("/0", "/1"), FakeSite(pages), settings=OBEY)


@golden
async def robots_that_is_asked_again_after_a_day(trace: Trace) -> None:
    class Daily(Spider):
        async def start(self) -> AsyncIterator[Request]:
            for number in range(3):
                yield Request(f"{SITE}/{number}")
                await trio.sleep(50_000)

        def parse(self, response: Response) -> Any:
            return {"url": response.url}

    site = FakeSite(numbered(3) | {"/robots.txt": ["", "User-agent: *\nDisallow: /"]})
    await trace.crawl(Daily(), site)


@golden
async def nofollow_and_sitemaps(trace: Trace) -> None:
    class Maps(Spider):
        start_urls = [f"{SITE}/"]
        settings = Settings(obey_nofollow=True)

        async def parse(self, response: Response) -> Any:
            maps = await self.crawl.sitemaps_of("https://other.test/x")
            return [{"maps": maps, "robots": sorted(response.robots)}, *response.follow_all()]

    head = {"Content-Type": "text/html", "X-Robots-Tag": "noarchive"}
    home = Page("<a href=/1>x</a><a href=/2 rel=nofollow>x</a>", headers=head)
    pages = {"/": home, "/1": "x", "https://other.test/robots.txt": "Sitemap: /map.xml"}
    await trace.crawl(Maps(), FakeSite(pages))
