"""`Lifecycle`: what projects see when their spider is opened and closed."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace

import pytest
import scrapy
import trio
from crawler_plugins.scrapy.reactor import TrioReactor
from scrapy import signals
from scrapy.statscollectors import MemoryStatsCollector
from support import scrapy_site
from support.scrapy_site import SITE, run_scrapy

import crawler

PAGES = {"/": "<a href='/b'>b</a>", "/b": "<p>b</p>"}


class Links(scrapy.Spider):
    name = "links"
    start_urls = [f"{SITE}/"]

    def parse(self, response):
        yield {"url": response.url}
        yield from response.follow_all(css="a")


async def test_the_log_says_when_a_spider_is_opened_and_closed_and_which_pages_were_crawled(caplog, autojump_clock):
    caplog.set_level(logging.DEBUG, "scrapy")
    await run_scrapy(Links, PAGES)
    found = [record.getMessage() for record in caplog.records if record.name == "scrapy.core.engine"]
    assert found == [
        "Spider opened",
        f"Crawled (200) <GET {SITE}/> (referer: None)",
        f"Crawled (200) <GET {SITE}/b> (referer: {SITE}/)",
        "Closing spider (finished)",
        "Spider closed (finished)",
    ]


async def test_messages_and_rates_are_counted(autojump_clock):
    class Warns(Links):
        def parse(self, response):
            self.logger.warning("seen")
            return super().parse(response)

    stats = (await run_scrapy(Warns, PAGES)).stats
    assert stats["log_count/WARNING"] == len(PAGES)
    assert stats["memusage/max"] >= stats["memusage/startup"] > 1_000_000
    assert stats["downloader/response_bytes"] == sum(len(page) for page in PAGES.values())
    assert {"items_per_minute", "responses_per_minute"} <= stats.keys()


def recorder(calls, **raising):
    """Return an item pipeline and settings that record the order in which a project is opened and closed."""

    class Recorder:
        @classmethod
        def from_crawler(cls, crawler):
            for name in ("spider_opened", "engine_started", "spider_closed", "engine_stopped"):
                crawler.signals.connect(getattr(cls, name), getattr(signals, name))
            return cls()

        def open_spider(self, spider):
            calls.append("pipeline opened")

        def close_spider(self, spider):
            calls.append("pipeline closed")

        def process_item(self, item, spider):
            return item

        @staticmethod
        def spider_opened():
            calls.append("spider_opened")
            if "spider_opened" in raising:
                raise scrapy.exceptions.CloseSpider(raising["spider_opened"])

        @staticmethod
        def engine_started():
            calls.append("engine_started")

        @staticmethod
        def spider_closed(reason):
            calls.append(f"spider_closed {reason}")

        @staticmethod
        def engine_stopped():
            calls.append("engine_stopped")

    return {"ITEM_PIPELINES": {Recorder: 1}}


async def test_a_project_is_opened_and_closed_in_the_order_of_scrapy():
    calls = []
    await run_scrapy(Links, PAGES, recorder(calls))
    assert calls == [
        "pipeline opened",
        "spider_opened",
        "engine_started",
        "pipeline closed",
        "spider_closed finished",
        "engine_stopped",
    ]


async def test_a_receiver_of_spider_opened_may_stop_the_crawl():
    calls = []
    ran = await run_scrapy(Links, PAGES, recorder(calls, spider_opened="not today"))
    assert (ran.report.finished, ran.paths) == ("not today", [])
    assert calls[-2:] == ["spider_closed not today", "engine_stopped"]


async def test_duplicates_that_only_the_crawl_has_seen_are_in_the_stats():
    class Twice(Links):
        async def start(self):
            for _ in range(3):
                yield scrapy.Request(f"{SITE}/b")

    ran = await run_scrapy(Twice, PAGES)
    assert (ran.paths, ran.stats["dupefilter/filtered"]) == (["/b"], 2)


async def test_close_spider_ends_the_crawl_with_its_reason():
    reasons = []

    class Ending(Links):
        def parse(self, response):
            yield {"text": "last"}
            raise scrapy.exceptions.CloseSpider("enough")

        def closed(self, reason):
            reasons.append(reason)

    ran = await run_scrapy(Ending, PAGES)
    assert (ran.report.finished, reasons) == ("enough", ["enough"])
    assert ran.items == [{"text": "last"}]


async def test_the_crawl_counts_as_stats_of_scrapy():
    ran = await run_scrapy(Links, PAGES)
    assert ran.stats["downloader/request_count"] == 2
    assert ran.stats["downloader/response_status_count/200"] == 2
    assert ran.stats["request_depth_max"] == 1


async def test_a_crawl_that_close_spider_ends_waits_for_its_requests_in_flight(autojump_clock):
    class Closes(Links):
        start_urls = [f"{SITE}/", f"{SITE}/b"]

        async def parse(self, response):
            if response.url.endswith("/b"):
                await asyncio.sleep(1)
                raise scrapy.exceptions.CloseSpider("enough")
            await asyncio.sleep(60)
            return {"url": response.url}

    ran = await run_scrapy(Closes, PAGES, {"CONCURRENT_REQUESTS_PER_DOMAIN": 2})
    assert ran.items == [{"url": f"{SITE}/"}]
    assert (ran.report.finished, ran.stats["finish_reason"]) == ("enough", "enough")


class Hangs:
    async def close_spider(self, spider):
        await asyncio.sleep(1e6)


async def test_a_crawl_that_is_cancelled_waits_ten_seconds_at_most_for_components_that_do_not_close(autojump_clock):
    class Slow(Links):
        async def parse(self, response):
            await asyncio.sleep(1e6)

    with trio.move_on_after(3):
        await run_scrapy(Slow, PAGES, {"ITEM_PIPELINES": {Hangs: 1}})
    assert trio.current_time() < 15


class Unkept(MemoryStatsCollector):
    def close_spider(self, spider=None, reason=None):
        raise OSError("no space")


async def test_a_stats_collector_that_fails_at_the_end_is_logged(caplog, autojump_clock):
    class Ends(Links):
        ended = []

        @classmethod
        def from_crawler(cls, crawler, *args, **kwargs):
            spider = super().from_crawler(crawler, *args, **kwargs)
            crawler.signals.connect(lambda: cls.ended.append(True), signals.engine_stopped, weak=False)
            return spider

    ran = await run_scrapy(Ends, PAGES, {"STATS_CLASS": Unkept})
    assert (ran.report.finished, Ends.ended) == ("finished", [True])
    assert "Stats close failure" in caplog.text


class Unopened(MemoryStatsCollector):
    def open_spider(self, spider=None):
        raise OSError("no space")


async def test_the_reactor_is_uninstalled_after_a_crawl_that_fails(monkeypatch, autojump_clock):
    monkeypatch.setattr(scrapy_site, "TrioReactor", SimpleNamespace(uninstall=lambda: None))  # the crawl does it
    with pytest.raises(crawler.CrawlFailed):
        await run_scrapy(Links, PAGES, {"STATS_CLASS": Unopened})
    assert not TrioReactor.is_installed()
