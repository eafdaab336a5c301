"""Download handlers of a project for ``http`` and ``https``, over real connections to loopback."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import scrapy
import trio
from scrapy import signals
from scrapy.core.downloader.handlers.http11 import HTTP11DownloadHandler
from scrapy.exceptions import DownloadFailedError
from scrapy.http import HtmlResponse
from support.scrapy_site import run_scrapy

ROBOTS = b"User-agent: *\nDisallow: /secret\n"


class Site(BaseHTTPRequestHandler):
    """Answers, and remembers the paths and header fields of requests."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.seen.append((self.path, dict(self.headers.items())))
        self.server.counts[self.path] += 1
        is_busy = self.path == "/busy" and self.server.counts[self.path] == 1
        body = ROBOTS if self.path == "/robots.txt" else f"page {self.path}".encode()
        self.send_response(503 if is_busy else 302 if self.path == "/moved" else 200)
        self.send_header("Content-Type", "text/plain" if self.path == "/robots.txt" else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Set-Cookie", "seen=1")
        if self.path == "/moved":
            self.send_header("Location", "/b")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Print nothing."""


@pytest.fixture
def site():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    server.seen, server.counts = [], Counter()
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


class Own:
    """A handler with the sockets and the timeouts of asyncio."""

    lazy = False
    closed = 0

    @classmethod
    def from_crawler(cls, crawler):
        return cls()

    async def download_request(self, request):
        if request.url.endswith("/broken"):
            raise DownloadFailedError("of the handler")
        place = request.url.partition("://")[2]
        host, _, port = place.partition("/")[0].partition(":")
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection(host, int(port))
            fields = "".join(
                f"{name.decode()}: {value.decode()}\r\n" for name, values in request.headers.items() for value in values
            )
            path = f"/{place.partition('/')[2]}"
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{fields}\r\n".encode())
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            writer.close()
            await writer.wait_closed()
        status, *lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        return HtmlResponse(request.url, int(status.split()[1]), headers, body, ["own"], request)

    async def close(self):
        Own.closed += 1


class Extending(HTTP11DownloadHandler):
    """A handler that adds a flag to what the connections of Twisted bring."""

    async def download_request(self, request):
        return (await super().download_request(request)).replace(flags=["extended"])


class Pages(scrapy.Spider):
    name = "pages"
    paths = ("/a",)

    async def start(self):
        for path in self.paths:
            yield scrapy.Request(f"{self.origin}{path}", errback=self.failed, meta={"own": path})

    def parse(self, response):
        yield {"path": response.url.removeprefix(self.origin), "flags": response.flags, "own": response.meta["own"]}

    def failed(self, failure):
        yield {"error": f"{type(failure.value).__name__}: {failure.value}"}


async def crawled(site, kind, paths, **settings):
    given = {"DOWNLOAD_HANDLERS": {"http": kind}, "RETRY_TIMES": 1, **settings}
    ran = await run_scrapy(type("Pages", (Pages,), {"paths": paths, "origin": site.url}), {}, given)
    assert ran.visits == []  # nothing goes over the network of the crawl
    return ran


@pytest.mark.parametrize(("kind", "flag"), [(Own, "own"), (Extending, "extended")])
async def test_a_handler_of_the_project_brings_the_pages(site, kind, flag):
    ran = await crawled(site, kind, ("/a", "/moved"))
    assert sorted(ran.items, key=str) == [
        {"path": "/a", "flags": [flag], "own": "/a"},
        {"path": "/b", "flags": [flag], "own": "/moved"},
    ]
    assert ran.report.pages == 2
    assert ran.stats["downloader/request_count"] == ran.stats["downloader/response_count"] == 3


async def test_a_handler_may_stand_in_the_settings_of_the_spider(site):
    given = {"paths": ("/a",), "origin": site.url, "custom_settings": {"DOWNLOAD_HANDLERS": {"http": Own}}}
    ran = await run_scrapy(type("Pages", (Pages,), given), {})
    assert [item["flags"] for item in ran.items] == [["own"]]


async def test_a_handler_is_closed_at_the_end(site):
    before = Own.closed
    await crawled(site, Own, ("/a",))
    assert Own.closed == before + 1


async def test_the_crawl_asks_for_robots_txt_through_the_handler_and_follows_it(site):
    ran = await crawled(site, Own, ("/a", "/secret"), ROBOTSTXT_OBEY=True)
    assert {path for path, _ in site.seen} == {"/robots.txt", "/a"}
    assert {"error": "IgnoreRequest: Forbidden by robots.txt"} in ran.items
    assert ran.stats["robotstxt/forbidden"] == 1


async def test_the_crawl_repeats_a_request_of_the_handler(site):
    ran = await crawled(site, Own, ("/busy",))
    assert site.counts["/busy"] == 2
    assert ran.stats["retry/count"] == 1
    assert [item["path"] for item in ran.items] == ["/busy"]


async def test_what_the_handler_raises_is_repeated_and_reaches_the_errback(site):
    ran = await crawled(site, Own, ("/broken",))
    assert ran.items == [{"error": "DownloadFailedError: of the handler"}]
    assert ran.stats["downloader/request_count"] == 2
    assert ran.stats["retry/max_reached"] == 1


async def test_the_handler_gets_cookies_and_default_fields(site):
    class Next(Pages):
        origin = site.url

        def parse(self, response):
            if not response.url.endswith("/b"):
                yield scrapy.Request(f"{site.url}/b", cookies={"mine": "2"})

    await run_scrapy(Next, {}, {"DOWNLOAD_HANDLERS": {"http": Own}, "USER_AGENT": "me"})
    (_, first), (_, second) = site.seen
    assert first["User-Agent"] == second["User-Agent"] == "me"
    assert "Cookie" not in first
    assert sorted(second["Cookie"].split("; ")) == ["mine=2", "seen=1"]


async def test_the_delay_between_requests_holds_for_a_handler(site):
    began = trio.current_time()
    await crawled(site, Own, ("/a", "/b", "/c"), DOWNLOAD_DELAY=0.3, RANDOMIZE_DOWNLOAD_DELAY=False)
    assert trio.current_time() - began >= 0.6


class Waiting(Own):
    """A handler that is ready when the engine has started, and that does not close."""

    ready = False

    @classmethod
    def from_crawler(cls, crawler):
        made = cls()
        crawler.signals.connect(made.start, signals.engine_started)
        return made

    def start(self):
        self.ready = True

    async def download_request(self, request):
        assert self.ready
        return await super().download_request(request)

    async def close(self):
        raise OSError("not today")


async def test_a_handler_that_is_not_lazy_exists_when_the_engine_starts_and_may_fail_to_close(site, caplog):
    ran = await crawled(site, Waiting, ("/a",))
    assert [item["path"] for item in ran.items] == ["/a"]
    assert ran.report.finished == "finished"
    assert "OSError: not today" in caplog.text
