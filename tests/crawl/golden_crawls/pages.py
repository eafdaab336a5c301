"""Golden crawls: pages and lanes: pace, priorities, scope, callbacks, encodings, large pages."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import trio
from support.trees import FREE, Follow

from crawler import (
    Request,
    Response,
    Settings,
    Spider,
)
from crawler.testing import FakeSite, Page

if TYPE_CHECKING:
    from crawl.test_golden_traces import Trace

from crawl.golden_crawls.registry import ONE, SITE, Asks, Meter, golden, links, numbered


@golden
async def plain_pages(trace: Trace) -> None:
    pages = {"/": Page(links("/a", "/b", "/a#top", "/missing"), delay=0.2), "/a": Page(links("/", "/b"), delay=0.3)}
    await trace.crawl(Follow(), FakeSite(pages | {"/b": Page("b", delay=0.1)}), plugins=[Meter(trace)])


@golden
async def several_lanes(trace: Trace) -> None:
    hosts = [f"https://h{n}.test" for n in range(3)]
    pages: dict[str, Any] = {"/": links(*(f"{host}/{n}" for n in range(5) for host in hosts))}
    for number, host in enumerate(hosts):
        pages |= numbered(5, host, delay=1.0 + 0.37 * number, apart=0.053)
    await trace.crawl(Follow(), FakeSite(pages), settings=Settings(per_host=2, workers=16))


@golden
async def levels_rise_in_slow_start(trace: Trace) -> None:
    spider = Asks(*(f"/{n}" for n in range(20)))
    await trace.crawl(spider, FakeSite(numbered(20, delay=0.5, apart=0.007)))


@golden
async def priorities_and_depth_first(trace: Trace) -> None:
    class Levels(Follow):
        def parse(self, response: Response) -> Any:
            yield {"url": response.url, "depth": response.depth}
            yield from response.follow_all(priority=len(response.url))

    pages = {"/": links("/a", "/bb", "/ccc"), "/bb": links("/bb/deep", "/c"), "/ccc": links("/ccc/deep/er")}
    site = FakeSite(pages | dict.fromkeys(("/a", "/c", "/bb/deep", "/ccc/deep/er"), "x"))
    await trace.crawl(Levels(), site, settings=ONE | Settings(max_depth=2, delay=1.0))


@golden
async def scope_and_traps(trace: Trace) -> None:
    class Inside(Follow):
        allowed_domains = ["site.test"]

    home = links("/in", "https://other.test/", "/a.pdf", "/no/way", "/x/x/x/x/x/x", "mailto:a@b.test")
    settings = Settings(skip_extensions=("pdf",), exclude=("/no/*",), delay=1.0)
    await trace.crawl(Inside(), FakeSite({"/": home, "/in": "x", "/x/x/x/x/x/x": "x"}), settings=settings)


@golden
async def callbacks_of_all_forms(trace: Trace) -> None:
    class Forms(Spider):
        settings = FREE | Settings(delay=1.0)

        def start(self) -> Iterator[Request]:
            for name in ("generator", "listing", "coroutine", "async_generator", "misspelt"):
                yield Request(f"{SITE}/{name}", getattr(self, name, name), cb_kwargs={"n": 3})

        def generator(self, response: Response, n: int) -> Any:
            self.state["seen"] = self.state.get("seen", 0) + n
            self.crawl.count("seen", n)
            yield {"form": "generator"}
            yield Request(f"{SITE}/nobody", "nobody")

        def listing(self, response: Response, n: int) -> Any:
            self.crawl.add(Request(f"{SITE}/added", self.coroutine, cb_kwargs={"n": n + 1}, meta={"from": "list"}))
            return [{"form": "list"}, {"form": "twice"}]

        async def coroutine(self, response: Response, n: int) -> Any:
            await trio.sleep(n)
            return {"form": "coroutine", "meta": response.meta}

        async def async_generator(self, response: Response, n: int) -> Any:
            with trio.move_on_after(0.2):
                yield {"form": "async generator"}
                await trio.sleep(n)

    names = ("generator", "listing", "coroutine", "async_generator", "misspelt", "added")
    await trace.crawl(Forms(), FakeSite(dict.fromkeys((f"/{name}" for name in names), "x")))


@golden
async def pages_in_another_encoding(trace: Trace) -> None:
    body = "<meta charset=windows-1251><title>\u0436</title><a href='/to?q=\u0436'>x</a>".encode("windows-1251")

    class Titles(Follow):
        def parse(self, response: Response) -> Any:
            yield {"title": response.css("title::text").get()}
            yield from response.follow_all()

    await trace.crawl(Titles(), FakeSite({"/": body, "/to": "x"}))


@golden
async def large_page_that_spills(trace: Trace) -> None:
    class Large(Spider):
        start_urls = [f"{SITE}/"]
        settings = FREE

        def parse(self, response: Response) -> Any:
            if response.url == f"{SITE}/":
                yield from ({"n": n} for n in range(12_000))
                yield from (Request(f"{SITE}/{n % 3}") for n in range(9_000))
                self.crawl.count("done")

    await trace.crawl(Large(), FakeSite({"/": "x"} | numbered(3)))


@golden
async def large_page_that_raises_in_the_end(trace: Trace) -> None:
    class Large(Spider):
        start_urls = [f"{SITE}/"]
        settings = FREE

        def parse(self, response: Response) -> Any:
            yield from ({"n": n} for n in range(12_000))
            yield Request(f"{SITE}/0")
            raise ZeroDivisionError

    with tempfile.TemporaryDirectory() as folder:
        await trace.crawl(Large(), FakeSite({"/": "x"} | numbered(1)), job=f"{folder}/job")
