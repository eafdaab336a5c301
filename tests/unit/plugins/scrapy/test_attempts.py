"""`Attempts`: what the crawl gets of an attempt through the downloader middlewares."""

from __future__ import annotations

import gc

import httpx
import scrapy
from scrapy.downloadermiddlewares.redirect import RedirectMiddleware
from scrapy.http import HtmlResponse
from scrapy.spidermiddlewares.referer import RefererMiddleware
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


async def test_robots_txt_is_requested_without_the_middlewares():
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


class Redirected(scrapy.Spider):
    name = "redirected"
    start_urls = [f"{SITE}/"]

    def parse(self, response):
        yield {"path": response.url.removeprefix(SITE), "depth": response.meta["depth"]}


async def test_a_redirect_of_a_killed_job_is_followed_when_it_resumes(tmp_path, autojump_clock):
    class Stops(Redirected):
        async def start(self):
            yield scrapy.Request(f"{SITE}/", meta={"a": 1})

    def redirect(_request):
        bridged.crawl.stop("interrupted")  # after the redirect, before its target
        return httpx.Response(302, headers={"location": "/b"})

    def keep(spider):
        nonlocal bridged
        bridged = spider

    bridged = None
    first = await run_scrapy(Stops, {"/": redirect, "/b": "b"}, prepare=keep, job=tmp_path / "job")
    second = await run_scrapy(Stops, {"/b": "b"}, job=tmp_path / "job")
    assert (first.paths, first.items) == (["/"], [])
    assert (second.paths, second.items) == (["/b"], [{"path": "/b", "depth": 0}])


async def test_a_refresh_is_followed_unless_it_comes_late():
    soon = "<meta http-equiv='Refresh' content='0; url=/b'>"
    assert (await run_scrapy(Redirected, {"/": soon, "/b": "b"})).items == [{"path": "/b", "depth": 0}]
    late = "<meta http-equiv='refresh' content='500; url=/b'>"
    assert (await run_scrapy(Redirected, {"/": late, "/b": "b"})).items == [{"path": "/", "depth": 0}]


async def test_a_middleware_finds_the_others_of_the_crawl():
    class Looks(Redirected):
        def parse(self, response):
            kinds = (RedirectMiddleware, RefererMiddleware)
            found = self.crawler.get_downloader_middleware(kinds[0]), self.crawler.get_spider_middleware(kinds[1])
            yield {"found": [type(one).__name__ for one in found]}

    assert (await run_scrapy(Looks, {"/": "a"})).items == [{"found": ["RedirectMiddleware", "RefererMiddleware"]}]


async def test_what_a_middleware_raises_is_repeated_as_retry_exceptions_say(autojump_clock):
    class Flaky:
        calls = 0

        def process_request(self, request):
            Flaky.calls += 1
            if Flaky.calls < 3 or request.url.endswith("/never"):
                raise OSError("no proxy")

    class Two(scrapy.Spider):
        name = "two"

        def start_requests(self):
            yield scrapy.Request(f"{SITE}/", errback=self.failed)

        def parse(self, response):
            yield {"calls": Flaky.calls}
            yield scrapy.Request(f"{SITE}/never", errback=self.failed)
            yield scrapy.Request(f"{SITE}/once/never", errback=self.failed, meta={"dont_retry": True})

        def failed(self, failure):
            yield {"error": repr(failure.value)}

    ran = await run_scrapy(Two, {"/": "a"}, {"DOWNLOADER_MIDDLEWARES": {Flaky: 600}})
    assert ran.items == [{"calls": 3}, {"error": "OSError('no proxy')"}, {"error": "OSError('no proxy')"}]
    assert (ran.stats["retry/count"], ran.stats["retry/max_reached"]) == (4, 1)
    assert ran.stats["retry/reason_count/builtins.OSError"] == 4
    off = {"DOWNLOADER_MIDDLEWARES": {Flaky: 600}, "RETRY_EXCEPTIONS": ["builtins.KeyError"]}
    Flaky.calls = 0
    assert (await run_scrapy(Two, {"/": "a"}, off)).items == [{"error": "OSError('no proxy')"}]
