"""`Attempts`: what the crawl gets of an attempt through the downloader middlewares."""

from __future__ import annotations

import gc

import httpx
import pytest
import scrapy
from scrapy import signals
from scrapy.downloadermiddlewares.redirect import RedirectMiddleware
from scrapy.exceptions import IgnoreRequest
from scrapy.http import HtmlResponse, TextResponse
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


class Robots:
    """The robots.txt of a site, and the field of a middleware with which it is requested."""

    def __init__(self, *answers: httpx.Response) -> None:
        self.answers = list(answers)
        self.asked: list[str | None] = []

    def __call__(self, request):
        self.asked.append(request.headers.get("x-key"))
        return self.answers.pop(0)


ALL = httpx.Response(200, text="User-agent: *\nDisallow: /")
OTHERS = httpx.Response(200, text="User-agent: *\nDisallow: /b")


async def paths_with(robots, middleware):
    """Return the paths of pages that are fetched with a robots.txt and a middleware."""
    pages = PAGES | {"/robots.txt": robots, "/moved": OTHERS}
    settings = {"DOWNLOADER_MIDDLEWARES": {middleware: 900}, "ROBOTSTXT_OBEY": True}
    return (await run_scrapy(One, pages, settings)).paths


async def test_a_robots_txt_passes_the_middlewares(autojump_clock):
    class Key:
        passed = []

        def process_request(self, request):
            request.headers["X-Key"] = "1"

        def process_response(self, request, response):
            self.passed.append((response.status, request.url, request.meta.get("dont_obey_robotstxt")))
            return response

    robots = Robots(httpx.Response(503), OTHERS)
    assert await paths_with(robots, Key) == ["/"]
    assert robots.asked == ["1", "1"]
    url = f"{SITE}/robots.txt"
    assert Key.passed == [(503, url, True), (200, url, True), (200, f"{SITE}/", None)]


async def test_a_middleware_answers_a_robots_txt_or_sends_it_elsewhere():
    class Answers:
        def process_request(self, request):
            return TextResponse(request.url, body=ALL.content) if request.url.endswith("robots.txt") else None

    class Elsewhere:
        def process_response(self, request, response):
            return request.replace(url=f"{SITE}/moved") if response.status == 403 else response

    unused = Robots()
    assert await paths_with(unused, Answers) == []
    assert await paths_with(Robots(httpx.Response(403)), Elsewhere) == ["/moved", "/"]
    moved = httpx.Response(301, headers={"location": "/moved"})
    assert await paths_with(Robots(moved), Elsewhere) == ["/moved", "/"]


@pytest.mark.parametrize(("raised", "is_logged"), [(IgnoreRequest, False), (KeyError, True)])
async def test_a_robots_txt_at_which_a_middleware_raises_is_taken_as_missing(raised, is_logged, caplog):
    class Raises:
        def process_request(self, request):
            if request.url.endswith("robots.txt"):
                raise raised("no")

    assert await paths_with(Robots(), Raises) == ["/"]
    assert ("Error downloading <GET https://site.test/robots.txt>" in caplog.text) == is_logged


async def test_a_robots_txt_that_cannot_be_fetched_is_an_error_of_the_crawl(autojump_clock):
    class Nothing:
        def process_response(self, request, response):
            return response

    def refuse(request):
        raise httpx.ConnectError("refused")

    assert await paths_with(refuse, Nothing) == []


@pytest.mark.parametrize(("method", "sent"), [("GET", 3), ("POST", 1)])
async def test_a_middleware_next_to_the_engine_sees_the_last_exception(method, sent, autojump_clock):
    asked = []

    class Instead:
        def process_exception(self, request, exception):
            asked.append(type(exception).__name__)
            return HtmlResponse(request.url, body=b"<p>instead</p>", request=request)

    class Refused(One):
        def start_requests(self):
            yield scrapy.Request(f"{SITE}/", method=method)

    def refuse(request):
        asked.append("sent")
        raise httpx.ConnectError("refused")

    ran = await run_scrapy(Refused, {"/": refuse}, {"DOWNLOADER_MIDDLEWARES": {Instead: 543}})
    assert [item["url"] for item in ran.items] == [f"{SITE}/"]
    assert asked == ["sent"] * sent + ["DownloadFailedError"]
    assert (ran.stats.get("retry/count", 0), ran.stats["retry/max_reached"]) == (sent - 1, 1)
    assert ran.report.failed == 0


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


async def test_the_signals_of_an_exchange_are_sent_in_the_order_of_scrapy(autojump_clock):
    names = ("request_reached_downloader", "response_downloaded", "request_left_downloader", "response_received")
    heard = []

    def prepare(spider):
        for name in names:
            spider.scrapy.signals.connect(lambda name=name: heard.append(name), getattr(signals, name), weak=False)

    class One(scrapy.Spider):
        name = "one"
        start_urls = [f"{SITE}/"]

        def parse(self, response):
            return None

    await run_scrapy(One, {"/": "a"}, prepare=prepare)
    assert heard == list(names)
