"""`Reception`: what arrives of a response is reported, and no more is read than receivers of signals want."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
import scrapy
from scrapy import signals
from scrapy.exceptions import StopDownload
from support.scrapy_site import run_scrapy


class Pieces(httpx.AsyncByteStream):
    """A body in four pieces."""

    def __init__(self) -> None:
        self.was_read = 0
        self.is_closed = False

    async def aclose(self) -> None:
        self.is_closed = True

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in (b"<p>on", b"e</p>", b"<p>two", b"</p>"):
            if self.is_closed:
                raise httpx.StreamClosed
            self.was_read += 1
            yield piece


class Stopping(scrapy.Spider):
    name = "stopping"
    start_urls = ["https://site.test/page"]
    signal = signals.bytes_received
    stop_at = 0
    fail = False

    @classmethod
    def from_crawler(cls, crawler, *args, **kwargs):
        spider = super().from_crawler(crawler, *args, **kwargs)
        spider.heard = []
        crawler.signals.connect(spider.hear, cls.signal)
        return spider

    def start_requests(self):
        yield scrapy.Request(self.start_urls[0], errback=self.failed)

    def hear(self, request, spider, data=None, headers=None, body_length=None):
        self.heard.append(data if headers is None else (headers["X-Field"], body_length))
        if len(self.heard) == self.stop_at:
            raise StopDownload(fail=self.fail)

    def parse(self, response):
        yield {"body": response.text, "flags": response.flags, "protocol": response.protocol}

    def failed(self, failure):
        response = failure.value.response
        yield {"error": type(failure.value).__name__, "body": response.text, "flags": response.flags}


async def stopped(**attributes):
    """Return the items of a crawl, what was heard, and how many pieces of the body were read."""
    body = Pieces()
    page = httpx.Response(200, headers={"X-Field": "a", "Content-Type": "text/html"}, stream=body)
    page.extensions["http_version"] = b"HTTP/2"
    ran = await run_scrapy(type("Some", (Stopping,), attributes), {"/page": page})
    return ran.items, ran.spider.heard, body.was_read


async def test_a_body_is_reported_as_it_arrives():
    items, heard, _ = await stopped()
    assert heard == [b"<p>on", b"e</p>", b"<p>two", b"</p>"]
    assert items == [{"body": "<p>one</p><p>two</p>", "flags": [], "protocol": "h2"}]


async def test_the_rest_of_a_stopped_download_is_not_read():
    items, heard, was_read = await stopped(stop_at=2)
    assert items == [{"body": "<p>one</p>", "flags": ["download_stopped"], "protocol": "h2"}]
    assert (len(heard), was_read) == (2, 2)


@pytest.mark.parametrize(("stop_at", "body", "read"), [(1, "", 0), (0, "<p>one</p><p>two</p>", 4)])
async def test_a_download_can_be_stopped_after_its_fields(stop_at, body, read):
    items, heard, was_read = await stopped(stop_at=stop_at, signal=signals.headers_received)
    assert items == [{"body": body, "flags": ["download_stopped"] * stop_at, "protocol": "h2"}]
    assert (heard, was_read) == ([(b"a", -1)], read)


async def test_a_stopped_download_fails_if_the_receiver_says_so():
    items, _, was_read = await stopped(stop_at=1, fail=True)
    assert items == [{"error": "StopDownload", "body": "<p>on", "flags": ["download_stopped"]}]
    assert was_read == 1
