"""Crawl a site in a test and collect its items, or test one callback without a crawl."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import httpx

from crawler.engine.api import crawl
from crawler.engine.callbacks import Callbacks
from crawler.engine.crawl import Crawl
from crawler.engine.handler_results import drain
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
    """The result of a crawl in a test."""

    items: list[Any]
    """The items in the order in which they were committed, as the objects that the spider made."""
    report: Report
    """The report of the crawl."""


class _Collector(Plugin):
    """A sink that collects items in a list."""

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
    """Crawl a site in a test, and return the items and the report::

        site = FakeSite({"/": "<h1>one</h1>"})
        found = await collect(Headlines(start_urls=["https://site.test/"]), site)
        assert found.items == [{"text": "one"}]
        assert found.report.pages == 1

    Parameters:
        spider: The spider.
        site: A `FakeSite`, a `Wire`, or any httpx transport.
        settings: Settings that override those of the spider.
        plugins: Plugins that run after those of the spider.

    Raises:
        CrawlerError: The same errors as `crawl` raises.
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
    """Make a response for a callback.

    Parameters:
        url: The URL of the request and the response.
        body: The body; text is encoded as UTF-8.
        status: The HTTP status code.
        headers: The header fields. `None` means HTML in UTF-8.
        options: More arguments of the `Request`: ``callback``, ``meta``, ``cb_kwargs``, …
    """
    fields = {"Content-Type": "text/html; charset=utf-8"} if headers is None else headers
    request = Request(url, **options)
    return Response(request.url, status, fields, body, request=request)


async def callback_results(spider: Spider, response: Response, *, site: FakeSite | None = None) -> list[Any]:
    """Call the callback of a response without a crawl, and return its results in order::

        response = response_for("https://site.test/", "<h1>one</h1><a href='/b'>b</a>")
        item, request = await callback_results(Headlines(), response)
        assert item == {"text": "one"}
        assert request.url == "https://site.test/b"

    The callback is the one that the request of the response names, by default `parse`. It may have any form of
    `Produced`. Requests that it adds with ``crawl.add`` are at the end of the results. Counters are in
    ``spider.crawl.stats.counters``, state is in ``spider.state``; both persist between calls until a `site` is given.

    Parameters:
        spider: The spider of the callback.
        response: The argument of the callback, such as a result of `response_for`.
        site: The site that answers ``crawl.fetch``.

    Raises:
        LookupError: The spider has no such callback.
        Exception: Any exception of the callback.
    """
    crawl = getattr(spider, "crawl", None)
    if site is not None or not isinstance(crawl, Crawl):
        transport = (site or FakeSite({})).transport
        crawl = wire(spider, [spider], spider.merged_settings(), MemoryStore(), transport).crawl
    effects = PageEffects()
    outer = current_page.set(effects)
    try:
        produced = Callbacks(spider).bind(response.request.callback, response)()
        results = [value for value in await drain(produced) if value is not None]
    finally:
        current_page.reset(outer)
    crawl.stats.counters.update(effects.counters)
    spider.state.apply(spider.state.changes(effects))
    return [*results, *effects.added]
