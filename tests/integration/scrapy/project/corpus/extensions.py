"""Extensions: signals, statistics, timers, idle spiders."""

from __future__ import annotations

import scrapy
from scrapy import signals
from scrapy.exceptions import DontCloseSpider, NotConfigured
from scrapy.statscollectors import MemoryStatsCollector
from scrapy.utils.defer import deferred_from_coro
from twisted.internet import task
from twisted.internet.defer import succeed

from corpus.recorder import note

NAMES = (
    "engine_started", "engine_stopped", "spider_opened", "spider_closed", "spider_error", "request_scheduled",
    "request_dropped", "request_reached_downloader", "request_left_downloader", "response_received",
    "response_downloaded", "item_scraped", "item_dropped", "item_error",
)  # fmt: skip


class CountSignals:
    """Counts each signal."""

    def __init__(self, crawler):
        self.crawler = crawler
        self.handlers = {}
        for name in NAMES:
            self.handlers[name] = lambda name=name, **_: crawler.stats.inc_value(f"corpus/signal/{name}")
            crawler.signals.connect(self.handlers[name], getattr(signals, name))

    @classmethod
    def from_crawler(cls, crawler):
        if not crawler.settings.getbool("CORPUS_COUNT_SIGNALS"):
            raise NotConfigured("CORPUS_COUNT_SIGNALS is not set")
        return cls(crawler)


class Arguments:
    """Takes the arguments of signals, and answers with Deferreds."""

    @classmethod
    def from_crawler(cls, crawler):
        self = cls()
        self.crawler = crawler
        crawler.signals.connect(self.opened, signals.spider_opened)
        crawler.signals.connect(self.closed, signals.spider_closed)
        crawler.signals.connect(self.scraped, signals.item_scraped)
        crawler.signals.connect(self.scheduled, signals.request_scheduled)
        crawler.signals.connect(self.received, signals.response_received)
        crawler.signals.connect(self.error, signals.spider_error)
        return self

    def opened(self, spider):
        note(spider, "opened", spider.name, spider is self.crawler.spider)

    async def closed(self, spider, reason):
        note(spider, "closed", reason)

    def scraped(self, item, response, spider):
        note(spider, "scraped", item, response.url)
        return succeed(None)

    def scheduled(self, request, spider):
        note(spider, "scheduled", request.url)

    def received(self, response, request, spider):
        note(spider, "received", response.url, request.url, response.request is request)

    def error(self, failure, response, spider):
        note(spider, "error", failure.type.__name__, response.url, failure.getErrorMessage())


class KeepsBusy:
    """Adds requests when the spider is idle, twice."""

    def __init__(self, crawler):
        self.crawler, self.left = crawler, 2
        crawler.signals.connect(self.idle, signals.spider_idle)

    @classmethod
    def from_crawler(cls, crawler):
        return cls(crawler)

    def idle(self, spider):
        note(spider, "idle", self.left)
        if self.left:
            self.crawler.engine.crawl(scrapy.Request(f"https://shop.test/item/{self.left}", callback=spider.parse_item))
            self.left -= 1
            raise DontCloseSpider


class Timer:
    """Calls itself while the spider runs."""

    def __init__(self, crawler):
        self.crawler, self.ticks = crawler, 0
        crawler.signals.connect(self.opened, signals.spider_opened)
        crawler.signals.connect(self.closed, signals.spider_closed)

    @classmethod
    def from_crawler(cls, crawler):
        return cls(crawler)

    def opened(self, spider):
        self.loop = task.LoopingCall(self.tick)
        self.loop.start(0.01, now=True)

    def tick(self):
        self.ticks += 1

    def closed(self, spider, reason):
        self.loop.stop()
        note(spider, "ticked", self.ticks > 0)


class ClosesEngine:
    """Ends the crawl at the third item."""

    def __init__(self, crawler):
        self.crawler, self.count = crawler, 0
        crawler.signals.connect(self.scraped, signals.item_scraped)

    @classmethod
    def from_crawler(cls, crawler):
        return cls(crawler)

    def scraped(self, item, spider):
        self.count += 1
        if self.count == 3:
            engine = self.crawler.engine
            if hasattr(engine, "close_spider_async"):
                deferred_from_coro(engine.close_spider_async(reason="three items"))
            else:
                engine.close_spider(spider, "three items")


class OwnStats(MemoryStatsCollector):
    """A collector of the project's own."""

    def set_value(self, key, value, spider=None):
        super().set_value(key, f"{value}" if key == "finish_reason" else value)

    def close_spider(self, spider=None, reason="finished"):
        self.set_value("corpus/closed", reason)
        super().close_spider(reason=reason) if spider is None else super().close_spider(spider, reason)
