"""How spiders begin, and what they are given."""

from __future__ import annotations

import scrapy
from scrapy import signals
from scrapy.exceptions import UsageError
from scrapy.http import HtmlResponse
from scrapy.utils.misc import load_object
from scrapy.utils.project import get_project_settings
from scrapy.utils.response import get_base_url
from scrapy.utils.spider import iterate_spider_output

from corpus.recorder import note


class StartUrls(scrapy.Spider):
    name = "start_urls"
    start_urls = ["https://shop.test/page/1", "https://shop.test/page/2", "https://shop.test/page/1"]

    def parse(self, response):
        for quote in response.css("div.quote"):
            yield {
                "text": quote.css("span.text::text").get(),
                "author": quote.xpath("small[@class='author']/text()").get(),
                "tags": quote.css("a.tag::text").getall(),
            }
        yield from response.follow_all(css="li.next a")


class StartRequests(scrapy.Spider):
    name = "start_requests"

    def start_requests(self):
        for number in (1, 2):
            yield scrapy.Request(f"https://shop.test/item/{number}", self.parse_item, cb_kwargs={"number": number})

    def parse_item(self, response, number):
        yield {"number": number, "name": response.css("h1::text").get().strip()}


class StartList(scrapy.Spider):
    name = "start_list"

    def start_requests(self):
        return [scrapy.FormRequest("https://shop.test/echo", formdata={"a": "1", "b": ["2", "é"]}, callback=self.done)]

    def done(self, response):
        return response.json()


class AsyncStart(scrapy.Spider):
    name = "async_start"

    async def start(self):
        yield {"made": "before any request"}
        yield scrapy.Request("https://shop.test/item/1")
        yield scrapy.Request("https://shop.test/item/1", dont_filter=True)

    async def parse(self, response):
        yield {"url": response.url}


class LazyStart(scrapy.Spider):
    """Reads its start requests one by one, whenever nothing else is left to fetch."""

    name = "lazy_start"
    custom_settings = {"CONCURRENT_REQUESTS": 1}

    async def start(self):
        for n in range(1, 4):
            if self.crawler.engine.needs_backout():
                await self.crawler.signals.wait_for(signals.scheduler_empty)
            yield scrapy.Request(f"https://shop.test/item/{n}")

    def parse(self, response):
        yield {"url": response.url, "is_start": response.meta.get("is_start_request")}
        if "/item/1" in response.url:
            yield response.follow("/page/1", self.quotes)

    def quotes(self, response):
        yield {"url": response.url, "is_start": response.meta.get("is_start_request")}


class NoStart(scrapy.Spider):
    name = "no_start"

    def closed(self, reason):
        note(self, "closed", reason)


class StartError(scrapy.Spider):
    name = "start_error"

    def start_requests(self):
        yield scrapy.Request("https://shop.test/item/1")
        raise RuntimeError("no more")

    def parse(self, response):
        yield {"url": response.url}


class Arguments(scrapy.Spider):
    name = "arguments"
    arguments = {"tag": "t1", "pages": "2"}

    def __init__(self, tag=None, pages="1", *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.start_urls = [f"https://shop.test/page/{n + 1}" for n in range(int(pages))]
        self.wanted = tag

    def parse(self, response):
        for tag in response.css("a.tag::text").getall():
            if tag == self.wanted:
                yield {"tag": tag, "url": response.url}


class FromCrawler(scrapy.Spider):
    name = "from_crawler"
    start_urls = ["https://shop.test/item/1"]
    custom_settings = {"CORPUS_OWN": "yes", "CORPUS_NUMBER": "7"}

    @classmethod
    def from_crawler(cls, crawler, *args, **kwargs):
        spider = super().from_crawler(crawler, *args, **kwargs)
        spider.own = crawler.settings.get("CORPUS_OWN")
        crawler.signals.connect(spider.opened, scrapy.signals.spider_opened)
        return spider

    def opened(self, spider):
        note(self, "opened", spider.name, self.own)

    def parse(self, response):
        settings = self.settings
        yield {
            "number": settings.getint("CORPUS_NUMBER"),
            "answer": settings["CORPUS_ANSWER"],
            "missing": settings.get("CORPUS_MISSING", "none"),
            "list": settings.getlist("SPIDER_MODULES"),
            "bool": settings.getbool("TELNETCONSOLE_ENABLED"),
        }


class UpdateSettings(scrapy.Spider):
    name = "update_settings"
    start_urls = ["https://shop.test/echo"]

    @classmethod
    def update_settings(cls, settings):
        super().update_settings(settings)
        settings.set("USER_AGENT", "corpus/1.0 (+https://corpus.test)", priority="spider")

    def parse(self, response):
        return {"agent": response.request.headers["User-Agent"].decode()}


class Addons(scrapy.Spider):
    name = "addons"
    start_urls = ["https://shop.test/item/1"]
    custom_settings = {}

    def parse(self, response):
        return {"added": self.settings.get("CORPUS_ADDED")}


class Addon:
    def update_settings(self, settings):
        settings.set("CORPUS_ADDED", "by an addon", priority="addon")
        settings.set("ITEM_PIPELINES", {"corpus.pipelines.Stamp": 100}, priority="addon")


Addons.custom_settings["ADDONS"] = {Addon: 0}


class Logs(scrapy.Spider):
    name = "logs"
    start_urls = ["https://shop.test/item/1"]

    def parse(self, response):
        self.logger.info("page %s", response.url)
        self.log("an old way to log")
        return {"logger": self.logger.name}


class Contracts(scrapy.Spider):
    name = "contracts"
    start_urls = ["https://shop.test/item/1"]

    def parse(self, response):
        """A page of an item.

        @url https://shop.test/item/1
        @returns items 1 1
        @scrapes url
        """
        yield {"url": response.url}


class Names(scrapy.Spider):
    """Helpers that projects import."""

    name = "names"
    start_urls = ["https://shop.test/item/1"]
    custom_settings = {"STATS_CLASS": "corpus.extensions.OwnStats"}

    def parse(self, response):
        settings = get_project_settings()
        kind = load_object("corpus.items.Product")
        page = HtmlResponse("https://shop.test/x", body=b"<a href='y'>z</a>", encoding="utf-8")
        yield {
            "settings": [settings["BOT_NAME"], settings.getint("CORPUS_ANSWER")],
            "class": kind.__name__,
            "base": get_base_url(page),
            "made": page.css("a::text").get(),
            "follow": page.follow("y").url,
            "items": [type(one).__name__ for one in iterate_spider_output({"a": 1})],
            "bot": self.settings["BOT_NAME"],
            "version": scrapy.version_info >= (2, 11),
        }
        raise UsageError("which is an ordinary exception here")
