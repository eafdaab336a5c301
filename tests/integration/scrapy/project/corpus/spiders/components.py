"""Pipelines, middlewares, extensions and signals."""

from __future__ import annotations

import scrapy

from corpus.items import Product
from corpus.recorder import note
from corpus.spiders.meta import ONE_MORE

SHOP = "https://shop.test"


def pipelines(*names):
    return {f"corpus.pipelines.{name}": 100 * (n + 1) for n, name in enumerate(names)}


def downloader(*names):
    return {f"corpus.middlewares.{name}": 543 + n for n, name in enumerate(names)}


class Numbers(scrapy.Spider):
    """Yields an item for each of four pages."""

    start_urls = [f"{SHOP}/item/{n}" for n in range(1, 5)]

    def parse(self, response):
        yield {"number": int(response.url.rpartition("/")[2])}


class PipelineForms(Numbers):
    name = "pipeline_forms"
    custom_settings = {"ITEM_PIPELINES": pipelines("WithoutSpider", "Stamp", "Lifecycle", "NotWanted")}


class PipelineDeferreds(Numbers):
    name = "pipeline_deferreds"
    custom_settings = {"ITEM_PIPELINES": pipelines("Deferring", "Yielding", "Coroutine")}


class PipelineDrops(Numbers):
    name = "pipeline_drops"
    custom_settings = {"ITEM_PIPELINES": pipelines("DroppingLater", "Dropping", "Writing")}


class PipelineDownloads(Numbers):
    name = "pipeline_downloads"
    custom_settings = {"ITEM_PIPELINES": pipelines("Downloading")}


class PipelineReplaces(scrapy.Spider):
    name = "pipeline_replaces"
    start_urls = [f"{SHOP}/item/1"]
    custom_settings = {"ITEM_PIPELINES": pipelines("Replacing"), "CONCURRENT_ITEMS": 1}

    def parse(self, response):
        yield Product(url=response.url, name="x")


class MiddlewareHeaders(Numbers):
    name = "middleware_headers"
    custom_settings = {"DOWNLOADER_MIDDLEWARES": downloader("AddHeader", "Asynchronous")}

    def parse(self, response):
        yield {"meta": response.meta["middleware"], "flags": response.flags}


class MiddlewareFetches(Numbers):
    """A middleware fetches a token from the same host before it lets a request go."""

    name = "middleware_fetches"
    start_urls = [f"{SHOP}/echo?1", f"{SHOP}/echo?2"]
    custom_settings = {"DOWNLOADER_MIDDLEWARES": downloader("Token")}

    def parse(self, response):
        yield {"url": response.url}


class MiddlewareAnswers(scrapy.Spider):
    name = "middleware_answers"
    start_urls = [f"{SHOP}/item/1?{word}" for word in ("plain", "answered", "replaced", "ignored", "broken")]
    custom_settings = {"DOWNLOADER_MIDDLEWARES": downloader("Answers")}

    def start_requests(self):
        for url in self.start_urls:
            yield scrapy.Request(url, errback=self.failed)

    def parse(self, response):
        yield {"url": response.url, "h1": response.css("h1::text").get().strip()}

    def failed(self, failure):
        yield {"failed": failure.type.__name__, "message": failure.getErrorMessage()}


class MiddlewareChanges(scrapy.Spider):
    name = "middleware_changes"
    custom_settings = {"DOWNLOADER_MIDDLEWARES": downloader("Changes"), "RETRY_ENABLED": False}

    def start_requests(self):
        for path in ("/item/1?changed", "/status/429", "/status/418"):
            yield scrapy.Request(f"{SHOP}{path}", errback=self.failed)

    def parse(self, response):
        yield {"url": response.url, "h1": response.css("h1::text").get().strip()}

    def failed(self, failure):
        yield {"failed": failure.type.__name__, "message": failure.getErrorMessage()}


class MiddlewareRescues(scrapy.Spider):
    name = "middleware_rescues"
    custom_settings = {"DOWNLOADER_MIDDLEWARES": downloader("Rescues"), "RETRY_ENABLED": False}
    start_urls = [f"{SHOP}/refused", f"{SHOP}/timeout", "https://other.test/item/1"]

    def parse(self, response):
        yield {"url": response.url, "h1": response.css("h1::text").get().strip()}


class MiddlewareOrder(scrapy.Spider):
    name = "middleware_order"
    start_urls = [f"{SHOP}/item/1"]
    custom_settings = {
        "DOWNLOADER_MIDDLEWARES": {
            "corpus.middlewares.Second": 901,
            "corpus.middlewares.First": 10,
            "corpus.middlewares.Rescues": None,
        },
        "SPIDER_MIDDLEWARES": {"corpus.middlewares.SpiderSecond": 901, "corpus.middlewares.SpiderFirst": 10},
    }

    def parse(self, response):
        yield {"url": response.url}


class MiddlewareOff(scrapy.Spider):
    name = "middleware_off"
    start_urls = [f"{SHOP}/page/1"]
    allowed_domains = ["shop.test"]
    custom_settings = {
        "DOWNLOADER_MIDDLEWARES": {
            "scrapy.downloadermiddlewares.useragent.UserAgentMiddleware": None,
            "scrapy.downloadermiddlewares.offsite.OffsiteMiddleware": None,
        },
        "SPIDER_MIDDLEWARES": {"scrapy.spidermiddlewares.referer.RefererMiddleware": None},
    }

    def parse(self, response):
        yield {"url": response.url}
        yield response.follow("https://other.test/item/1")


class SpiderMiddlewareFilters(scrapy.Spider):
    name = "spider_middleware_filters"
    start_urls = [f"{SHOP}/page/1"]
    custom_settings = {"SPIDER_MIDDLEWARES": {"corpus.middlewares.Filters": 100}}

    def parse(self, response):
        yield {"secret": True}
        yield {"url": response.url}
        yield from response.follow_all(css="li.next a")


class SpiderMiddlewareAsync(scrapy.Spider):
    name = "spider_middleware_async"
    start_urls = [f"{SHOP}/page/1"]
    custom_settings = {
        "SPIDER_MIDDLEWARES": {"corpus.middlewares.AsyncOutput": 100, "corpus.middlewares.Universal": 200}
    }

    def parse(self, response):
        yield {"url": response.url}
        yield response.follow("/page/2", self.later)

    async def later(self, response):
        yield {"later": response.url}


class SpiderMiddlewareInput(scrapy.Spider):
    name = "spider_middleware_input"
    custom_settings = {"SPIDER_MIDDLEWARES": {"corpus.middlewares.RefusesInput": 100}}

    def start_requests(self):
        for n in (1, 2, 3):
            yield scrapy.Request(f"{SHOP}/item/{n}", errback=self.failed)
        yield scrapy.Request(f"{SHOP}/item/3?without")

    def parse(self, response):
        yield {"url": response.url}

    def failed(self, failure):
        yield {"failed": failure.type.__name__}


class SpiderMiddlewareSaves(scrapy.Spider):
    name = "spider_middleware_saves"
    start_urls = [f"{SHOP}/page/{n}" for n in (1, 2, 3)]
    custom_settings = {"SPIDER_MIDDLEWARES": {"corpus.middlewares.SavesErrors": 100}}

    def parse(self, response):
        number = int(response.url[-1])
        yield {"number": number}
        if number == 1:
            raise ValueError("after an item")
        if number == 2:
            raise KeyError("not saved")

    def rest(self, response):
        yield {"rest": response.url}


class SpiderMiddlewareSavesAtOnce(SpiderMiddlewareSaves):
    name = "spider_middleware_saves_at_once"

    def parse(self, response):
        raise ValueError(f"at once: {response.url}")


class SpiderMiddlewareStarts(scrapy.Spider):
    name = "spider_middleware_starts"
    start_urls = [f"{SHOP}/item/1"]
    custom_settings = {"SPIDER_MIDDLEWARES": {"corpus.middlewares.Starts": 100}}

    def parse(self, response):
        yield {"url": response.url}


class Signals(scrapy.Spider):
    name = "signals"
    start_urls = [f"{SHOP}/page/1", f"{SHOP}/item/1", f"{SHOP}/item/2", f"{SHOP}/item/1"]
    custom_settings = {
        "CORPUS_COUNT_SIGNALS": True,
        "EXTENSIONS": {
            "corpus.recorder.Recorder": 0,
            "corpus.extensions.CountSignals": 100,
            "corpus.extensions.Arguments": 200,
        },
        "ITEM_PIPELINES": {"corpus.pipelines.Dropping": 100},
    }

    def parse(self, response):
        if "page" in response.url:
            raise RuntimeError("a page")
        yield {"number": int(response.url[-1])}


class NotConfiguredExtension(scrapy.Spider):
    name = "not_configured"
    start_urls = [f"{SHOP}/item/1"]
    custom_settings = {"EXTENSIONS": {"corpus.recorder.Recorder": 0, "corpus.extensions.CountSignals": 100}}

    def parse(self, response):
        yield {"number": 1}


class Idle(scrapy.Spider):
    name = "idle"
    start_urls = [f"{SHOP}/page/1"]
    custom_settings = {"EXTENSIONS": {"corpus.recorder.Recorder": 0, "corpus.extensions.KeepsBusy": 100}}

    def parse(self, response):
        yield {"page": response.url}

    def parse_item(self, response):
        yield {"item": response.url}


class Timers(scrapy.Spider):
    name = "timers"
    start_urls = [f"{SHOP}/item/1"]
    custom_settings = {"EXTENSIONS": {"corpus.recorder.Recorder": 0, "corpus.extensions.Timer": 100}}

    def parse(self, response):
        yield {"url": response.url}


class ClosedEngine(scrapy.Spider):
    name = "closed_engine"
    leaves_out = ONE_MORE
    start_urls = [f"{SHOP}/page/1"]
    custom_settings = {
        "CONCURRENT_REQUESTS": 1,
        "EXTENSIONS": {"corpus.recorder.Recorder": 0, "corpus.extensions.ClosesEngine": 100},
    }

    def parse(self, response):
        yield {"url": response.url}
        yield from response.follow_all(css="li.next a")


class Statistics(scrapy.Spider):
    name = "statistics"
    start_urls = [f"{SHOP}/item/1", f"{SHOP}/item/2"]

    def parse(self, response):
        stats = self.crawler.stats
        stats.inc_value("corpus/pages")
        stats.inc_value("corpus/twos", count=2, start=10)
        stats.set_value("corpus/name", self.name)
        stats.max_value("corpus/most", int(response.url[-1]))
        stats.min_value("corpus/least", int(response.url[-1]))
        yield {"value": stats.get_value("corpus/name"), "default": stats.get_value("corpus/none", 5)}

    def closed(self, reason):
        note(self, "pages", self.crawler.stats.get_stats()["corpus/pages"], reason)


class EngineCrawl(scrapy.Spider):
    name = "engine_crawl"
    start_urls = [f"{SHOP}/item/1"]

    @classmethod
    def from_crawler(cls, crawler, *args, **kwargs):
        spider = super().from_crawler(crawler, *args, **kwargs)
        crawler.signals.connect(spider.scraped, scrapy.signals.item_scraped)
        return spider

    def scraped(self, item):
        if item.get("more"):
            self.crawler.engine.crawl(scrapy.Request(f"{SHOP}/item/2", self.other, meta={"by": "engine"}))

    def parse(self, response):
        yield {"more": True}

    def other(self, response):
        yield {"by": response.meta["by"], "depth": response.meta.get("depth")}


class Media(scrapy.Spider):
    name = "media"
    custom_settings = {
        "ITEM_PIPELINES": {"corpus.pipelines.Files": 1, "corpus.pipelines.Images": 2},
        "FILES_STORE": "{folder}/files",
        "IMAGES_STORE": "{folder}/images",
    }
    start_urls = [f"{SHOP}/item/1", f"{SHOP}/item/2"]

    def parse(self, response):
        number = int(response.url[-1])
        urls = [f"{SHOP}/files/a.pdf", f"{SHOP}/status/404"] if number == 1 else [f"{SHOP}/files/b.pdf"]
        yield {"number": number, "file_urls": urls, "pictures": [response.urljoin(f"/images/{number}.png")]}
