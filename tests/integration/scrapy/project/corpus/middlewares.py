"""Downloader and spider middlewares."""

from __future__ import annotations

import scrapy
from scrapy.downloadermiddlewares.retry import RetryMiddleware
from scrapy.exceptions import IgnoreRequest
from scrapy.http import HtmlResponse
from scrapy.http.request import NO_CALLBACK
from scrapy.utils.defer import maybe_deferred_to_future
from twisted.internet.defer import succeed

from corpus.recorder import note


class Base:
    """Keeps the crawler."""

    def __init__(self, crawler):
        self.crawler = crawler

    @classmethod
    def from_crawler(cls, crawler):
        return cls(crawler)


class AddHeader(Base):
    """Changes requests in place, and sees each response."""

    def process_request(self, request, spider):
        request.headers.setdefault("X-Middleware", type(self).__name__)
        request.meta["middleware"] = True

    def process_response(self, request, response, spider):
        note(spider, type(self).__name__, response.status, response.url)
        return response


class Token(Base):
    """Fetches a token before the first request."""

    token = ""

    async def process_request(self, request, spider):
        if request.meta.get("is_token"):
            return
        if not self.token:
            self.token = "fetching"
            asked = scrapy.Request("https://shop.test/item/7", callback=NO_CALLBACK, meta={"is_token": True})
            response = await maybe_deferred_to_future(self.crawler.engine.download(asked))
            self.token = response.css("h1::text").get().strip()
        request.headers["X-Token"] = self.token if "?1" in request.url else "other"


class RetryTeapots(RetryMiddleware):
    """Retries what Scrapy does, and a status of its own."""

    def process_response(self, request, response):
        if response.status == 418:
            return self._retry(request, "a teapot") or response
        return super().process_response(request, response)


class Answers(Base):
    """Answers some requests itself, replaces others and ignores the rest."""

    def process_request(self, request, spider):
        if "answered" in request.url:
            return HtmlResponse(request.url, body=b"<h1>Made here</h1>", encoding="utf-8", request=request)
        if "replaced" in request.url:
            return request.replace(url="https://shop.test/item/5")
        if "ignored" in request.url:
            raise IgnoreRequest("by a middleware")
        if "broken" in request.url:
            raise RuntimeError("in a middleware")
        return None


class Changes(Base):
    """Changes responses, asks again, and ignores."""

    def process_response(self, request, response, spider):
        if "changed" in request.url:
            return response.replace(body=b"<h1>Changed</h1>")
        if response.status == 429:
            return request.replace(url="https://shop.test/item/6", dont_filter=True)
        if response.status == 418:
            raise IgnoreRequest("a teapot")
        return response


class Rescues(Base):
    """Handles exceptions of the download."""

    def process_exception(self, request, exception, spider):
        note(spider, type(exception).__name__, request.url)
        if "refused" in request.url:
            return HtmlResponse(request.url, status=200, body=b"<h1>Rescued</h1>", encoding="utf-8", request=request)
        if "timeout" in request.url:
            return scrapy.Request("https://shop.test/item/7", callback=request.callback, dont_filter=True)
        return None


class Asynchronous(Base):
    """Every method is a coroutine that awaits a Deferred."""

    async def process_request(self, request, spider):
        request.headers["X-Async"] = await maybe_deferred_to_future(succeed("yes"))

    async def process_response(self, request, response, spider):
        await maybe_deferred_to_future(succeed(None))
        return response.replace(flags=[*response.flags, "async"])


class Order(Base):
    """Writes down when it runs."""

    def process_request(self, request, spider):
        note(spider, "request", type(self).__name__)

    def process_response(self, request, response, spider):
        note(spider, "response", type(self).__name__)
        return response


class First(Order):
    pass


class Second(Order):
    pass


class SpiderOrder(Base):
    """The same of a spider middleware."""

    def process_spider_input(self, response, spider):
        note(spider, "input", type(self).__name__)

    def process_spider_output(self, response, result, spider):
        note(spider, "output", type(self).__name__)
        for one in result:
            if isinstance(one, dict):
                one["through"] = [*one.get("through", []), type(self).__name__]
            yield one


class SpiderFirst(SpiderOrder):
    pass


class SpiderSecond(SpiderOrder):
    pass


class Filters(Base):
    """Leaves out items and requests, and adds some."""

    def process_spider_output(self, response, result, spider):
        for one in result:
            if isinstance(one, scrapy.Request) and "page/3" in one.url:
                continue
            if isinstance(one, dict) and one.get("secret"):
                continue
            yield one
        yield {"added": response.url}


class AsyncOutput(Base):
    """An async generator over the output."""

    async def process_spider_output(self, response, result, spider):
        async for one in result:
            if isinstance(one, dict):
                one["async"] = True
            yield one


class Universal(Base):
    """Both forms, as for Scrapy 2.7 to 2.12."""

    def process_spider_output(self, response, result, spider):
        for one in result:
            yield one | {"form": "universal"} if isinstance(one, dict) else one

    async def process_spider_output_async(self, response, result, spider):
        async for one in result:
            yield one | {"form": "universal"} if isinstance(one, dict) else one


class RefusesInput(Base):
    """Raises before the callback is called."""

    def process_spider_input(self, response, spider):
        if "item/2" in response.url:
            raise IgnoreRequest("not this page")
        if "item/3" in response.url:
            raise ValueError("bad input")


class SavesErrors(Base):
    """Replaces the output of a callback that raised."""

    def process_spider_exception(self, response, exception, spider):
        note(spider, "exception", type(exception).__name__)
        if isinstance(exception, ValueError):
            return [{"saved": str(exception)}, scrapy.Request("https://shop.test/item/8", callback=spider.rest)]
        return None


class Starts(Base):
    """Changes the start of a spider."""

    async def process_start(self, start):
        async for one in start:
            yield one
        yield scrapy.Request("https://shop.test/item/9")
