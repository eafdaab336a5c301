"""Golden crawls: duplicates, limits of a crawl, and streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio
from support.trees import Follow

from crawler import (
    Response,
    Settings,
    stream,
)
from crawler.testing import FakeSite, Page

if TYPE_CHECKING:
    from crawl.test_golden_traces import Trace

from crawl.golden_crawls.registry import ONE, Asks, golden, links, numbered


@golden
async def pages_with_the_same_body(trace: Trace) -> None:
    pages = {"/": links("/a", "/b", "/c"), "/a": Page("same", delay=0.1), "/b": Page("same", delay=0.2), "/c": "other"}
    await trace.crawl(Follow(), FakeSite(pages), settings=ONE | Settings(dedup_content=True))


@golden
async def pages_with_the_same_body_whose_callback_raises(trace: Trace) -> None:
    class Fragile(Follow):
        def parse(self, response: Response) -> Any:
            if response.url.endswith("/a"):
                raise ValueError("no")
            yield from super().parse(response)

    pages = {"/": links("/a", "/b", "/c"), "/a": Page("same", delay=0.1), "/b": Page("same", delay=0.2), "/c": "same"}
    await trace.crawl(Fragile(), FakeSite(pages), settings=ONE | Settings(dedup_content=True))


@golden
async def max_pages(trace: Trace) -> None:
    await trace.crawl(Asks(*(f"/{n}" for n in range(9))), FakeSite(numbered(9)), settings=ONE | Settings(max_pages=4))


@golden
async def max_items(trace: Trace) -> None:
    class Three(Asks):
        def parse(self, response: Response) -> Any:
            yield from ({"n": n} for n in range(3))

    await trace.crawl(Three(*(f"/{n}" for n in range(9))), FakeSite(numbered(9)), settings=ONE | Settings(max_items=4))


@golden
async def max_errors(trace: Trace) -> None:
    site = FakeSite({f"/{n}": Page(status=500, delay=0.1) for n in range(9)})
    settings = ONE | Settings(max_errors=2, attempts=1, delay=1.0)
    await trace.crawl(Asks(*(f"/{n}" for n in range(9))), site, settings=settings)


@golden
async def max_seconds_and_grace(trace: Trace) -> None:
    pages = {"/0": Page("x", delay=4.0), "/1": Page("x", delay=8.0), "/2": Page("x", delay=30.0)}
    settings = Settings(max_seconds=6.0, grace=5.0, slow_start=False)
    await trace.crawl(Asks("/0", "/1", "/2"), FakeSite(pages), settings=settings)


@golden
async def spider_that_stops_its_crawl(trace: Trace) -> None:
    class Enough(Follow):
        def parse(self, response: Response) -> Any:
            yield {"url": response.url}
            yield from response.follow_all()
            if response.depth == 1:
                self.crawl.stop("found it")

    site = FakeSite({"/": links("/a", "/b"), "/a": Page(links("/c"), delay=0.1), "/b": "x", "/c": "x"})
    await trace.crawl(Enough(), site, settings=ONE)


@golden
async def streamed_items(trace: Trace) -> None:
    with trace.run(FakeSite(numbered(5))) as transport:
        spider = Asks(*(f"/{n}" for n in range(5)))
        async with stream(spider, settings=Settings(sink_lag=1, per_host=1), transport=transport) as items:
            async for item in items:
                trace.note(f"got {item['url']}")
                await trio.sleep(2.0)
        trace.keep_report(items.report)
