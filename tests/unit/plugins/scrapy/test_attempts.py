"""`Attempts`: what the crawl gets of an attempt through the downloader middlewares."""

from __future__ import annotations

import gc

import scrapy
from scrapy.http import HtmlResponse
from support.scrapy_site import SITE, run_scrapy

PAGES = {"/": "a", "/b": "b"}


class One(scrapy.Spider):
    name = "one"
    start_urls = [f"{SITE}/"]

    def parse(self, response):
        yield {"class": type(response).__name__, "flags": response.flags, "url": response.url}


class Own(HtmlResponse):
    """A response class of the project."""


class Replacing:
    def process_response(self, request, response):
        return response.replace(cls=Own, flags=["mine"])


async def test_the_callback_gets_the_object_that_a_middleware_returned():
    ran = await run_scrapy(One, PAGES, {"DOWNLOADER_MIDDLEWARES": {Replacing: 900}})
    assert ran.items == [{"class": "Own", "flags": ["mine"], "url": f"{SITE}/"}]


async def test_nothing_is_kept_for_pages_that_are_settled():
    class Refusing(One):
        start_urls = [f"{SITE}/", f"{SITE}/missing"]

    bridged = []
    await run_scrapy(Refusing, PAGES, {"DOWNLOADER_MIDDLEWARES": {Replacing: 900}}, prepare=bridged.append)
    gc.collect()
    assert bridged[0]._attempts._made == {}


async def test_robots_txt_is_asked_for_without_the_middlewares():
    asked = []

    class Noting:
        def process_request(self, request):
            asked.append(request.url)

    await run_scrapy(One, PAGES, {"DOWNLOADER_MIDDLEWARES": {Noting: 900}, "ROBOTSTXT_OBEY": True})
    assert asked == [f"{SITE}/"]


async def test_a_downloaded_page_passes_the_middlewares_too():
    class Inline(One):
        async def parse(self, response):
            other = await self.crawler.engine.download(scrapy.Request(f"{SITE}/b"))
            yield {"flags": other.flags}

    ran = await run_scrapy(Inline, PAGES, {"DOWNLOADER_MIDDLEWARES": {Replacing: 900}})
    assert ran.items == [{"flags": ["mine"]}]
