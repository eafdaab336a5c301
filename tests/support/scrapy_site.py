"""`run_scrapy`: one crawl of a Scrapy spider on canned responses, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import httpx
from crawler_plugins.scrapy import ScrapySpider
from crawler_plugins.scrapy.reactor import TrioReactor

from crawler import Plugin, Report, Row, crawl

SITE = "https://site.test"


class Ran(NamedTuple):
    """The result of a crawl."""

    report: Report
    items: list[Any]
    stats: dict[str, Any]
    visits: list[httpx.Request]
    """The requests that the server got, without those for robots.txt."""
    spider: Any
    """The Scrapy spider."""

    @property
    def paths(self) -> list[str]:
        """The paths that were asked for, in order."""
        return [visit.url.raw_path.decode() for visit in self.visits]


class Collector(Plugin):
    """Collects the items."""

    def __init__(self, items: list[Any]) -> None:
        self.items = items

    async def persist(self, batch: Sequence[Row]) -> None:
        self.items += [row.item for row in batch]


def answer(page: Any, request: httpx.Request) -> httpx.Response:
    """Return the response for a page: HTML text, a response, or a function of the request that returns one of them."""
    if callable(page):
        page = page(request)
    return httpx.Response(200, html=page) if isinstance(page, str) else page


async def run_scrapy(
    spider_class: Any,
    pages: dict[str, Any],
    settings: dict[str, Any] | None = None,
    arguments: dict[str, Any] | None = None,
    *,
    prepare: Any = None,
    job: Any = None,
) -> Ran:
    """Crawl with a spider.

    Parameters:
        spider_class: A `scrapy.Spider` class, or a `ScrapySpider`.
        pages: By path.
        settings: Settings of Scrapy.
        arguments: Arguments of the spider.
        prepare: Called with the `ScrapySpider` before the crawl.
        job: Folder of a durable job.
    """
    visits: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/robots.txt":
            return answer(pages.get("/robots.txt", httpx.Response(404)), request)
        visits.append(request)
        page = pages.get(request.url.raw_path.decode(), pages.get(request.url.path))
        return httpx.Response(404, html="missing") if page is None else answer(page, request)

    collected: list[Any] = []
    bridged = spider_class
    try:
        if not isinstance(bridged, ScrapySpider):
            bridged = ScrapySpider.of(spider_class, arguments, settings)
        if prepare is not None:
            prepare(bridged)
        bridged.plugins = [*bridged.plugins, Collector(collected)]
        report = await crawl(bridged, transport=httpx.MockTransport(respond), job=job)
    finally:
        TrioReactor.uninstall()
    return Ran(report, collected, bridged.scrapy.stats.get_stats(), visits, bridged.scrapy.spider)
