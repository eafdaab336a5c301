"""`DownloaderMiddlewares`: the middlewares of a project around an attempt."""

from __future__ import annotations

import httpx
import pytest
import scrapy
from scrapy.downloadermiddlewares.retry import RetryMiddleware, get_retry_request
from scrapy.exceptions import IgnoreRequest
from scrapy.http import HtmlResponse
from support.scrapy_site import SITE, run_scrapy

PAGES = {"/": "<p>a</p>", "/b": "<p>b</p>", "/moved": httpx.Response(301, headers={"location": "/b"})}
seen: list[str] = []


@pytest.fixture(autouse=True)
def clean():
    seen.clear()


class One(scrapy.Spider):
    name = "one"
    start_urls = [f"{SITE}/"]

    def parse(self, response):
        yield {"url": response.url, "status": response.status, "text": response.css("p::text").get()}


class Lost(One):
    def start_requests(self):
        yield scrapy.Request(f"{SITE}/", errback=self.lost)

    def lost(self, failure):
        yield {"error": type(failure.value).__name__, "url": failure.request.url}


async def crawl(spider, *middlewares, pages=PAGES, **settings):
    order = {middleware: place for place, middleware in enumerate(middlewares, 801)}
    return await run_scrapy(spider, pages, {"DOWNLOADER_MIDDLEWARES": order, **settings})


async def test_a_middleware_changes_the_request_that_is_sent():
    class Header:
        def process_request(self, request, spider):
            request.headers["X-Mine"] = "1"
            request.meta["seen"] = True

    class Seen(One):
        def parse(self, response):
            yield {"seen": response.meta["seen"], "header": response.request.headers["X-Mine"]}

    ran = await crawl(Seen, Header)
    assert ran.visits[0].headers["x-mine"] == "1"
    assert ran.items == [{"seen": True, "header": "1"}]


async def test_a_middleware_answers_without_the_network():
    class Cached:
        def process_request(self, request):
            return HtmlResponse(request.url, body=b"<p>cached</p>", encoding="utf-8")

    ran = await crawl(One, Cached)
    assert ran.items == [{"url": f"{SITE}/", "status": 200, "text": "cached"}]
    assert ran.visits == []


async def test_a_middleware_sends_another_request_instead():
    class Elsewhere:
        def process_request(self, request):
            return request.replace(url=f"{SITE}/b") if request.url.endswith("/") else None

    ran = await crawl(One, Elsewhere)
    assert ran.items == [{"url": f"{SITE}/b", "status": 200, "text": "b"}]


async def test_responses_pass_from_the_server_to_the_engine():
    def noting(word):
        def process_response(self, request, response, spider):
            seen.append(word)
            return response.replace(body=response.body + f"<p>{word}</p>".encode())

        return type(word, (), {"process_response": process_response})

    class All(One):
        def parse(self, response):
            yield {"all": response.css("p::text").getall()}

    ran = await crawl(All, noting("first"), noting("second"))
    assert seen == ["second", "first"]
    assert ran.items == [{"all": ["a", "second", "first"]}]


async def test_a_redirect_is_seen_next_to_the_server_only():
    def noting(word):
        def process_response(self, request, response):
            seen.append(f"{word} {response.status}")
            return response

        return type(word, (), {"process_response": process_response})

    class Moved(One):
        start_urls = [f"{SITE}/moved"]

    order = {noting("engine"): 100, noting("server"): 900}
    ran = await run_scrapy(Moved, PAGES, {"DOWNLOADER_MIDDLEWARES": order})
    assert seen == ["server 301", "server 200", "engine 200"]
    assert ran.items[0]["url"] == f"{SITE}/b"


async def test_an_ignored_request_calls_its_errback():
    class Ignoring:
        def process_request(self, request):
            raise IgnoreRequest("not today")

    assert (await crawl(One, Ignoring)).items == []
    ran = await crawl(Lost, Ignoring)
    assert ran.items == [{"error": "IgnoreRequest", "url": f"{SITE}/"}]
    assert ran.report.failed == 0


async def test_an_exception_of_a_middleware_calls_the_errback():
    class Failing:
        def process_request(self, request):
            raise KeyError("token")

    assert (await crawl(Lost, Failing)).items == [{"error": "KeyError", "url": f"{SITE}/"}]


async def test_an_exception_may_be_replaced_by_a_response(autojump_clock):
    class Saving:
        def process_exception(self, request, exception, spider):
            seen.append(type(exception).__name__)
            return HtmlResponse(request.url, body=b"<p>saved</p>", encoding="utf-8")

    def refuse(request):
        raise httpx.ConnectError("refused", request=request)

    ran = await crawl(One, Saving, pages={"/": refuse})
    assert ran.items == [{"url": f"{SITE}/", "status": 200, "text": "saved"}]
    assert len(seen) == 1


async def test_a_retry_middleware_of_the_project_repeats_a_page():
    class Patient(RetryMiddleware):
        def process_response(self, request, response, spider=None):
            if b"busy" in response.body:
                return get_retry_request(request, spider=self.crawler.spider, reason="busy", max_retry_times=3)
            return response

        @classmethod
        def from_crawler(cls, crawler):
            made = cls(crawler.settings)
            made.crawler = crawler
            return made

    answers = iter(["busy", "busy", "<p>at last</p>"])
    ran = await crawl(One, Patient, pages={"/": lambda _: next(answers)})
    assert [item["text"] for item in ran.items] == ["at last"]
    assert ran.stats["retry/reason_count/busy"] == 2


async def test_a_wrong_result_is_named(caplog):
    class Wrong:
        def process_response(self, request, response):
            return None

    ran = await crawl(Lost, Wrong)
    assert ran.items == [{"error": "TypeError", "url": f"{SITE}/"}]


def _set(request):
    request.headers["User-Agent"] = "mine/1"


def _default(request):
    request.headers.setdefault("User-Agent", "mine/1")


def _if_missing(request):
    if "User-Agent" not in request.headers:
        request.headers[b"User-Agent"] = b"mine/1"


@pytest.mark.parametrize("choose", [_set, _default, _if_missing])
@pytest.mark.parametrize("callback", ["parse", "own"])
async def test_a_middleware_in_the_place_of_the_user_agent_middleware_chooses_one(choose, callback):
    class Agents:
        def process_request(self, request):
            choose(request)

    class Asks(scrapy.Spider):
        name = "asks"

        async def start(self):
            yield scrapy.Request(f"{SITE}/", callback=self.parse if callback == "parse" else lambda _: None)

        def parse(self, response):
            yield {"agent": response.request.headers.get("User-Agent")}

    places = {"scrapy.downloadermiddlewares.useragent.UserAgentMiddleware": None, Agents: 400}
    settings = {"DOWNLOADER_MIDDLEWARES": places, "DEFAULT_REQUEST_HEADERS": {"Host": "other.test", "Accept": "*/*"}}
    ran = await run_scrapy(Asks, PAGES, settings)
    assert [visit.headers["user-agent"] for visit in ran.visits] == ["mine/1"]
    assert ran.visits[0].headers["host"] == "other.test"
    assert ran.items == ([{"agent": "mine/1"}] if callback == "parse" else [])
    ran = await run_scrapy(Asks, PAGES, settings | {"DOWNLOADER_MIDDLEWARES": dict.fromkeys(list(places)[:1])})
    assert not ran.visits[0].headers.get("user-agent")
