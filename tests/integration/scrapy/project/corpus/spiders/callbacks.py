"""What callbacks get, return and raise."""

from __future__ import annotations

import asyncio
import datetime
from decimal import Decimal
from functools import partial

import scrapy
from scrapy.exceptions import CloseSpider, IgnoreRequest
from scrapy.spidermiddlewares.httperror import HttpError
from scrapy.utils.defer import maybe_deferred_to_future
from twisted.internet.defer import Deferred, succeed

from corpus.items import Page, Product, Quote
from corpus.recorder import note

SHOP = "https://shop.test"


class Returns(scrapy.Spider):
    name = "returns"

    def start_requests(self):
        for callback in (self.a_list, self.an_item, self.nothing, self.a_request):
            yield scrapy.Request(f"{SHOP}/echo?{callback.__name__}", callback)

    def a_list(self, response):
        return [{"a": 1}, Product(url=response.url), None]

    def an_item(self, response):
        return Quote("one", author="me")

    def nothing(self, response):
        return None

    def a_request(self, response):
        return response.follow("/item/1", self.kinds)

    def kinds(self, response):
        yield Page(url=response.url, number=1)
        yield {"date": datetime.date(2026, 1, 2), "price": Decimal("1.50"), "raw": b"\xff", "set": {1}, "pair": (1, 2)}


class AsyncCallbacks(scrapy.Spider):
    name = "async_callbacks"
    start_urls = [f"{SHOP}/page/1"]

    async def parse(self, response):
        deferred = Deferred()
        from twisted.internet import reactor

        reactor.callLater(0, deferred.callback, "later")
        word = await maybe_deferred_to_future(deferred)
        yield {"word": word}
        yield response.follow("/item/1", self.coroutine)
        yield response.follow("/item/2", self.awaits)

    async def coroutine(self, response):
        return [{"coroutine": response.url}]

    async def awaits(self, response):
        value = await maybe_deferred_to_future(succeed(5))
        return {"awaited": value}


class Downloads(scrapy.Spider):
    name = "downloads"
    start_urls = [f"{SHOP}/page/1"]

    async def parse(self, response):
        request = scrapy.Request(f"{SHOP}/item/3", headers={"X-Test": "inline"})
        page = await self.download(request)
        yield {"inline": page.css("h1::text").get().strip(), "status": page.status}
        lost = await self.download(scrapy.Request(f"{SHOP}/status/404"))
        yield {"status": lost.status}
        try:
            await self.download(scrapy.Request(f"{SHOP}/refused", meta={"dont_retry": True}))
        except Exception as error:
            yield {"error": type(error).__name__}

    async def download(self, request):
        engine = self.crawler.engine
        if hasattr(engine, "download_async"):
            return await engine.download_async(request)
        return await maybe_deferred_to_future(engine.download(request))


class OtherItems(scrapy.Spider):
    """Yields what is no item."""

    name = "other_items"
    start_urls = [f"{SHOP}/item/1"]
    leaves_out = ("items",)

    def parse(self, response):
        yield {"a": 1}
        yield 5
        yield "text"


class Arguments(scrapy.Spider):
    name = "callback_arguments"

    def start_requests(self):
        yield scrapy.Request(
            f"{SHOP}/item/1",
            self.parse_item,
            cb_kwargs={
                "day": datetime.date(2026, 1, 2),
                "price": Decimal("1.5"),
                "raw": b"x",
                "seen": {1},
                "pair": (1, 2),
            },
            meta={
                "when": datetime.datetime(2026, 1, 2, 3, 4),
                "product": Product(name="n"),
                "deep": {"list": [1, {"a": None}]},
            },
        )

    def parse_item(self, response, day, price, raw, seen, pair, default="d"):
        yield {"values": [day, price, raw, seen, pair, default]}
        yield {"meta": [response.meta["when"], response.meta["product"], response.meta["deep"]]}
        yield response.follow("/item/2", self.parse_more, meta=response.meta, cb_kwargs=response.cb_kwargs)

    def parse_more(self, response, **kwargs):
        yield {"kept": sorted(kwargs), "same": response.meta["deep"]}


class OtherCallables(scrapy.Spider):
    name = "other_callables"

    def start_requests(self):
        yield scrapy.Request(f"{SHOP}/item/1", lambda response: {"lambda": response.url})
        yield scrapy.Request(f"{SHOP}/item/2", partial(self.part, "given"))
        yield scrapy.Request(f"{SHOP}/item/3", Helper().parse)
        yield scrapy.Request(f"{SHOP}/item/4", outside)

    def part(self, word, response):
        return {"partial": word, "url": response.url}


class Helper:
    def parse(self, response):
        return {"helper": response.url}


def outside(response):
    return {"function": response.url}


class Raises(scrapy.Spider):
    name = "raises"
    start_urls = [f"{SHOP}/page/1"]

    def parse(self, response):
        yield {"before": "kept"}
        yield response.follow("/item/1", self.fails_at_once)
        raise ValueError("after an item and a request")

    def fails_at_once(self, response):
        raise KeyError("at once")


class Errbacks(scrapy.Spider):
    name = "errbacks"
    custom_settings = {"RETRY_ENABLED": False}

    def start_requests(self):
        for path in ("/status/404", "/status/500", "/refused", "/timeout", "/item/1"):
            yield scrapy.Request(f"{SHOP}{path}", self.parse, errback=self.failed, cb_kwargs={"path": path})
        yield scrapy.Request(f"{SHOP}/status/403", errback=self.again, dont_filter=True)

    def parse(self, response, path):
        if path == "/item/1":
            raise RuntimeError("an errback does not hear of this")
        yield {"found": path}

    def failed(self, failure):
        note(self, failure.request.url, failure.request.cb_kwargs, failure.check(HttpError) is not None)
        if failure.check(HttpError):
            yield {"status": failure.value.response.status, "body": failure.value.response.css("h1::text").get()}
        else:
            yield {"error": failure.type.__name__}

    def again(self, failure):
        return failure.request.replace(url=f"{SHOP}/item/2", callback=self.found, errback=None)

    def found(self, response):
        return {"replaced": response.url}


class FailingErrback(scrapy.Spider):
    name = "failing_errback"
    custom_settings = {"RETRY_ENABLED": False}

    def start_requests(self):
        yield scrapy.Request(f"{SHOP}/status/410", errback=self.failed)
        yield scrapy.Request(f"{SHOP}/refused", errback=self.failed)
        yield scrapy.Request(f"{SHOP}/refused?without")

    def failed(self, failure):
        raise LookupError("in the errback")


class Closes(scrapy.Spider):
    name = "closes"
    in_order = True
    custom_settings = {"CONCURRENT_REQUESTS": 1}
    start_urls = [f"{SHOP}/page/1"]

    def parse(self, response):
        yield {"before": response.url}
        yield response.follow("/page/2")
        raise CloseSpider("enough")

    def closed(self, reason):
        note(self, "closed", reason)


class Ignores(scrapy.Spider):
    name = "ignores"
    start_urls = [f"{SHOP}/page/1"]

    def parse(self, response):
        yield {"before": 1}
        raise IgnoreRequest("from a callback")


class AsyncioCallbacks(scrapy.Spider):
    """Awaits what asyncio offers without sockets."""

    name = "asyncio_callbacks"
    start_urls = [f"{SHOP}/item/1"]

    async def parse(self, response):
        queue = asyncio.Queue()
        task = asyncio.create_task(self.fill(queue))
        first = await queue.get()
        names = await asyncio.gather(self.later("a", 0.02), self.later("b", 0.01))
        number = await asyncio.to_thread(int, "7")
        yield {"first": first, "task": await task, "names": names, "number": number}

    async def fill(self, queue):
        await asyncio.sleep(0.01)
        await queue.put("put")
        return "done"

    async def later(self, name, seconds):
        await asyncio.sleep(seconds)
        return name
