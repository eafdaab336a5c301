"""`Scraper`: callbacks, errbacks, and statuses that a spider does not handle."""

from __future__ import annotations

import httpx
import pytest
import scrapy
from crawler_plugins.scrapy import scraper
from scrapy import signals
from scrapy.logformatter import LogFormatter
from scrapy.spidermiddlewares.httperror import HttpError
from support.scrapy_site import SITE, run_scrapy
from twisted.internet.error import ConnectionRefusedError as TwistedRefused
from twisted.python.failure import Failure

PAGES = {"/": "a", "/moved": httpx.Response(302, headers={"location": "/"}), "/gone": httpx.Response(410)}


class Lost(scrapy.Spider):
    name = "lost"
    path = "/gone"

    def start_requests(self):
        yield scrapy.Request(SITE + self.path, errback=self.lost, meta=getattr(self, "meta", None))

    def parse(self, response):
        yield {"status": response.status, "redirects": response.meta.get("redirect_urls")}

    def lost(self, failure):
        response = getattr(failure.value, "response", None)
        yield {"error": type(failure.value).__name__, "status": getattr(response, "status", None)}


async def test_an_errback_gets_an_http_error_with_the_response():
    class Checks(Lost):
        def lost(self, failure):
            if failure.check(HttpError):
                yield {"status": failure.value.response.status, "url": failure.request.url}

    ran = await run_scrapy(Checks, PAGES)
    assert ran.items == [{"status": 410, "url": f"{SITE}/gone"}]


async def test_a_refused_status_without_errback_is_counted():
    class Plain(scrapy.Spider):
        name = "plain"
        start_urls = [f"{SITE}/gone"]

    ran = await run_scrapy(Plain, PAGES)
    assert ran.stats["httperror/response_ignored_status_count/410"] == 1
    assert ran.stats["response_received_count"] == 1


async def test_an_errback_gets_the_exceptions_of_twisted(autojump_clock):
    def refuse(request):
        raise httpx.ConnectError("[Errno 111] Connection refused", request=request)

    class Checks(Lost):
        path = "/"

        def lost(self, failure):
            yield {"refused": failure.check(TwistedRefused) is not None, "kind": type(failure.value).__name__}

    [item] = (await run_scrapy(Checks, {"/": refuse})).items
    assert item["kind"].startswith("Download")


async def test_redirects_are_followed_unless_the_request_says_no():
    class Moved(Lost):
        path = "/moved"

    class Stays(Moved):
        meta = {"dont_redirect": True, "handle_httpstatus_list": [302]}

    class Refused(Moved):
        meta = {"dont_redirect": True}

    assert (await run_scrapy(Moved, PAGES)).items == [{"status": 200, "redirects": [f"{SITE}/moved"]}]
    assert (await run_scrapy(Stays, PAGES)).items == [{"status": 302, "redirects": None}]
    assert (await run_scrapy(Refused, PAGES)).items == [{"error": "HttpError", "status": 302}]
    disabled = await run_scrapy(Moved, PAGES, {"REDIRECT_ENABLED": False})
    assert disabled.items == [{"error": "HttpError", "status": 302}]


async def test_too_many_redirects_are_an_ignored_request():
    class Loop(Lost):
        path = "/1"

    pages = {f"/{n}": httpx.Response(302, headers={"location": f"/{n + 1}"}) for n in range(1, 5)}
    ran = await run_scrapy(Loop, pages, {"REDIRECT_MAX_TIMES": 2})
    assert ran.items == [{"error": "IgnoreRequest", "status": None}]


async def test_statuses_of_the_settings_reach_callbacks():
    for settings in ({"HTTPERROR_ALLOWED_CODES": [410]}, {"HTTPERROR_ALLOW_ALL": True}):
        assert (await run_scrapy(Lost, PAGES, settings)).items == [{"status": 410, "redirects": None}]


async def test_an_errback_may_return_its_failure_or_raise(caplog):
    class Returns(Lost):
        def lost(self, failure):
            return failure

    class Raises(Lost):
        def lost(self, failure):
            raise KeyError("in errback")

    assert "spider_exceptions/count" not in (await run_scrapy(Returns, PAGES)).stats
    assert (await run_scrapy(Raises, PAGES)).stats["spider_exceptions/KeyError"] == 1


async def test_an_exception_is_sent_as_a_signal_with_the_page():
    class Broken(scrapy.Spider):
        name = "broken"
        start_urls = [f"{SITE}/"]

        async def parse(self, response):
            yield {"n": 1}
            raise ValueError("async")

    failures: list[tuple[Failure, str]] = []

    def note(failure, response):
        failures.append((failure, response.url))

    def listen(bridged):
        bridged.scrapy.signals.connect(note, signals.spider_error)

    ran = await run_scrapy(Broken, PAGES, prepare=listen)
    assert ran.items == [{"n": 1}]
    [(failure, url)] = failures
    assert (str(failure.value), url) == ("async", f"{SITE}/")


async def test_a_value_that_is_not_an_item_is_logged(caplog):
    class Wrong(scrapy.Spider):
        name = "wrong"
        start_urls = [f"{SITE}/"]

        def parse(self, response):
            yield None
            yield 3

    assert (await run_scrapy(Wrong, PAGES)).items == []
    assert "outputs take no item of type 'int', from <200 https://site.test/>" in caplog.text


async def test_what_is_no_item_is_refused_before_scrapy_takes_any_value(caplog, monkeypatch):
    class Wrong(scrapy.Spider):
        name = "wrong"
        start_urls = [f"{SITE}/"]

        def parse(self, response):
            yield 3

    monkeypatch.setattr(scraper, "ANY_ITEM", False)
    assert (await run_scrapy(Wrong, PAGES)).items == []
    assert "Spider must return request, item, or None, got 'int'" in caplog.text


def _refuse(request):
    raise httpx.ConnectError("[Errno 111] Connection refused", request=request)


class Unnoted(scrapy.Spider):
    name = "unnoted"
    custom_settings = {"RETRY_ENABLED": False}
    errback = None

    def start_requests(self):
        yield scrapy.Request(f"{SITE}/refused", errback=self.errback)


class Returned(Unnoted):
    def errback(self, failure):
        return failure


class Raising(Unnoted):
    def errback(self, failure):
        raise ValueError("in the errback")


class Handling(Unnoted):
    def errback(self, failure):
        return None


@pytest.mark.parametrize(("kind", "errors"), [(Unnoted, 1), (Returned, 1), (Raising, 2), (Handling, 0)])
async def test_a_download_error_that_no_errback_handles_is_logged_as_an_error(kind, errors, autojump_clock, caplog):
    ran = await run_scrapy(kind, {"/refused": _refuse})
    noted = [record for record in caplog.records if record.name == "scrapy.core.scraper"]
    assert [record.levelname for record in noted] == ["ERROR"] * errors
    assert ran.stats.get("log_count/ERROR", 0) == errors
    begun = [f"Error downloading <GET {SITE}/refused>: ", f"Spider error processing <GET {SITE}/refused> (referer"]
    for record, beginning in zip(noted, begun, strict=False):
        assert record.getMessage().startswith(beginning)
        assert (record.exc_info is None) == (record is noted[0])
        assert record.spider is ran.spider


class Formatter(LogFormatter):
    def download_error(self, failure, request, spider, errmsg=None):
        return {"level": 35, "msg": "own: %s", "args": (type(failure.value).__name__,)}


async def test_the_log_formatter_of_a_project_says_how_a_download_error_is_logged(autojump_clock, caplog):
    await run_scrapy(Unnoted, {"/refused": _refuse}, {"LOG_FORMATTER": Formatter})
    [record] = [record for record in caplog.records if record.name == "scrapy.core.scraper"]
    assert record.levelno == 35
    assert record.getMessage().startswith("own: Download")


class Breaking:
    def process_request(self, request):
        raise ValueError("of the project")


async def test_what_a_middleware_raises_is_a_download_error_whose_traceback_is_logged_once(caplog):
    await run_scrapy(Unnoted, {}, {"DOWNLOADER_MIDDLEWARES": {Breaking: 500}})
    [record] = [record for record in caplog.records if record.name == "scrapy.core.scraper"]
    assert record.getMessage() == f"Error downloading <GET {SITE}/refused>: ValueError: of the project"
    assert caplog.text.count("in process_request") == 1


class Elsewhere:
    """Answers with the response to another request, which has no depth."""

    def process_response(self, request, response):
        return response.replace(request=request.replace(meta={}, url=f"{request.url}#other"))


@pytest.mark.parametrize("settings", [{}, {"SPIDER_MIDDLEWARES": {Breaking: 500}}])
async def test_a_response_to_another_request_reaches_its_callback(settings):
    class Links(scrapy.Spider):
        name = "links"
        start_urls = [f"{SITE}/"]

        def parse(self, response):
            yield {"url": response.url, "depth": response.meta["depth"]}
            yield scrapy.Request(f"{SITE}/b")

    given = {"DOWNLOADER_MIDDLEWARES": {Elsewhere: 500}, **settings}
    ran = await run_scrapy(Links, {"/": "a", "/b": "b"}, given)
    assert ran.items == [{"url": f"{SITE}/", "depth": 0}, {"url": f"{SITE}/b", "depth": 0}]
    assert not ran.stats.get("spider_exceptions/count")
