"""Crawling in a test and looking at what came of it; testing one callback without a crawl."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import httpx

from crawler.engine.api import crawl
from crawler.engine.crawl import Crawl
from crawler.engine.handler_results import drain
from crawler.engine.page import Callbacks
from crawler.engine.report import Report
from crawler.engine.wiring import wire
from crawler.hooks.page_effects import PageEffects, current_page
from crawler.hooks.plugin import Plugin
from crawler.messages import Request, Response, Row
from crawler.settings import Settings
from crawler.spiders import Spider
from crawler.store import MemoryStore
from crawler.testing.fakesite import FakeSite
from crawler.testing.wire import Wire

__all__ = ["Collected", "callback_results", "collect", "response_for"]


@attrs.frozen
class Collected:
    """What came of a crawl."""

    items: list[Any]
    """The items in the order in which they were kept, as the objects that the spider made."""
    report: Report
    """What the crawl did."""


class _Collector(Plugin):
    """A sink that keeps items in a list."""

    name = "collect"

    def __init__(self) -> None:
        self.items: list[Any] = []

    async def persist(self, batch: Sequence[Row]) -> None:
        self.items += [row.item if row.value is None else row.value for row in batch]


async def collect(
    spider: Spider,
    site: FakeSite | Wire | httpx.AsyncBaseTransport,
    *,
    settings: Settings | None = None,
    plugins: Sequence[Plugin] = (),
) -> Collected:
    """Crawls a site in a test::

        site = FakeSite({"/": "<h1>one</h1>"})
        found = await collect(Headlines(start_urls=["https://site.test/"]), site)
        assert found.items == [{"text": "one"}]
        assert found.report.pages == 1

    Parameters:
        spider: what to crawl.
        site: a `FakeSite`, a `Wire`, or any transport of httpx.
        settings: go over those of the spider.
        plugins: run behind those of the spider.

    Raises:
        CrawlerError: as `crawl` does.
    """
    transport = site if isinstance(site, httpx.AsyncBaseTransport) else site.transport
    collector = _Collector()
    report = await crawl(spider, settings=settings, plugins=plugins, outputs=[collector], transport=transport)
    return Collected(collector.items, report)


def response_for(
    url: str,
    body: bytes | str = "",
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **options: Any,
) -> Response:
    """A response to give to a callback.

    Parameters:
        url: what was asked for and answered.
        body: its content.
        status: HTTP status code.
        headers: header fields; default HTML in UTF-8.
        options: the other arguments of the `Request`: ``callback``, ``meta``, ``cb_kwargs`` …
    """
    fields = {"Content-Type": "text/html; charset=utf-8"} if headers is None else headers
    request = Request(url, **options)
    return Response(request.url, status, fields, body, request=request)


async def callback_results(spider: Spider, response: Response, *, site: FakeSite | None = None) -> list[Any]:
    """What the callback of a response makes of it, in the order of making, without a crawl::

        response = response_for("https://site.test/", "<h1>one</h1><a href='/b'>b</a>")
        item, request = await callback_results(Headlines(), response)
        assert item == {"text": "one"}
        assert request.url == "https://site.test/b"

    The callback is the one that the request of the response names, by default `parse`, in any form of `Produced`.
    What it adds by ``crawl.add`` stands at the end. What it counts is in ``spider.crawl.stats.counters``, what it
    remembers in ``spider.state``: both last from call to call, until a `site` is given.

    Parameters:
        spider: whose callback it is.
        response: what it is given; see `response_for`.
        site: what answers ``crawl.fetch``.

    Raises:
        LookupError: the spider has no such callback; besides, whatever the callback raises.
    """
    crawl = getattr(spider, "crawl", None)
    if site is not None or not isinstance(crawl, Crawl):
        transport = (site or FakeSite({})).transport
        crawl = wire(spider, [spider], spider.merged_settings(), MemoryStore(), transport).crawl
    effects = PageEffects()
    outer = current_page.set(effects)
    try:
        produced = Callbacks(spider).call(response.request.callback, response)
        results = [value for value in await drain(produced) if value is not None]
    finally:
        current_page.reset(outer)
    crawl.stats.counters.update(effects.counters)
    spider.state.apply(spider.state.changes(effects))
    return [*results, *effects.added]
