"""`Engine`: what spiders and components do with ``crawler.engine``."""

from __future__ import annotations

import pytest
import scrapy
from crawler_plugins.scrapy.engine import Engine
from scrapy import signals
from scrapy.exceptions import NotSupported
from support.scrapy_site import SITE, run_scrapy

PAGES = {"/": "<p>a</p>", "/b": "<p>b</p>", "/c": "<p>c</p>"}


class One(scrapy.Spider):
    name = "one"
    start_urls = [f"{SITE}/"]

    def parse(self, response):
        yield {"url": response.url}


async def test_a_callback_downloads_a_page_in_place():
    class Inline(One):
        async def parse(self, response):
            other = await self.crawler.engine.download(scrapy.Request(f"{SITE}/b"))
            third = await self.crawler.engine.download_async(scrapy.Request(f"{SITE}/c"))
            yield {"text": [page.css("p::text").get() for page in (response, other, third)]}

    assert (await run_scrapy(Inline, PAGES)).items == [{"text": ["a", "b", "c"]}]


async def test_a_failed_download_raises_the_exception_of_scrapy():
    class Inline(One):
        async def parse(self, response):
            try:
                await self.crawler.engine.download(scrapy.Request("gopher://site.test/"))
            except NotSupported as error:
                yield {"error": str(error)}

    [item] = (await run_scrapy(Inline, PAGES)).items
    assert "gopher" in item["error"]


async def test_an_idle_spider_adds_requests_until_it_closes(autojump_clock):
    class Idle(One):
        rest = ["/b", "/c"]

        @classmethod
        def from_crawler(cls, crawler, *args, **kwargs):
            spider = super().from_crawler(crawler, *args, **kwargs)
            crawler.signals.connect(spider.more, signals.spider_idle)
            return spider

        def more(self):
            if self.rest:
                self.crawler.engine.crawl(scrapy.Request(SITE + self.rest.pop(0)))
                raise scrapy.exceptions.DontCloseSpider

    ran = await run_scrapy(Idle, PAGES)
    assert ran.paths == ["/", "/b", "/c"]
    assert ran.report.seconds < 1  # the requests of the receiver are not waited for


async def test_a_component_closes_the_spider():
    class Closing:
        @classmethod
        def from_crawler(cls, crawler):
            made = cls()
            made.crawler = crawler
            crawler.signals.connect(made.done, signals.item_scraped)
            return made

        def done(self, spider):
            self.crawler.engine.close_spider(spider, "one item")

    ran = await run_scrapy(One, PAGES, {"EXTENSIONS": {Closing: 1}})
    assert ran.report.finished == "one item"
    assert ran.stats["finish_reason"] == "one item"


async def test_the_limits_of_closespider_hold():
    class Many(One):
        start_urls = [f"{SITE}{path}" for path in PAGES]

    ran = await run_scrapy(Many, PAGES, {"CLOSESPIDER_ITEMCOUNT": 1, "CONCURRENT_REQUESTS": 1})
    assert ran.report.finished == "closespider_itemcount"
    assert len(ran.items) == 1


def test_before_the_crawl_it_says_so():
    class Scrapy:
        settings = signals = spider = None

    with pytest.raises(RuntimeError, match="from the signal spider_opened on"):
        Engine(Scrapy(), print, print, print, ([], [], []), ()).pause()


async def test_the_crawler_says_whether_it_crawls():
    said = []

    class Asks(One):
        def parse(self, response):
            said.append(self.crawler.crawling)

    ran = await run_scrapy(Asks, PAGES)
    assert [*said, ran.spider.crawler.crawling] == [True, False]


async def test_its_status_is_known_in_a_callback():
    said = []

    class Asks(One):
        def parse(self, response):
            engine = self.crawler.engine
            said.append((len(engine.scraper.slot.active), engine.scraper.is_idle()))
            engine.slot.scheduler.enqueue_request(scrapy.Request(f"{SITE}/b", callback=self.later))

        def later(self, response):
            said.append(response.url)

    ran = await run_scrapy(Asks, {**PAGES, "/b": "b"})
    assert said == [(1, False), f"{SITE}/b"]
    assert ran.spider.crawler.engine.scraper.is_idle()


async def test_the_downloader_tells_the_slot_of_a_request_ahead_of_its_first_one():
    class Slots(One):
        def parse(self, response):
            downloader = self.crawler.engine.downloader
            other = scrapy.Request(f"{SITE}/b", meta={"download_slot": "other"})
            key, slot = downloader._get_slot(other)
            yield {"keys": [downloader.get_slot_key(response.request), key], "delay": slot.delay}

    ran = await run_scrapy(Slots, PAGES, {"DOWNLOAD_DELAY": 0.25})
    assert ran.items == [{"keys": ["site.test", "other"], "delay": 0.25}]
