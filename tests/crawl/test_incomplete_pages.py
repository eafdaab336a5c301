"""A page whose body was cut is no page: it is fetched again. After the last attempt it fails, or is kept by wish."""

from __future__ import annotations

import gzip
import zlib
from functools import partial
from random import Random
from typing import Any

import brotli
import pytest
import trio
from backports import zstd
from support.rawserver import Peer, Serve, ok, start

from crawler import Produced, Response, Settings, Spider, crawl

LINKS = 2000
WORDS = Random(1).randbytes(50 * LINKS).hex()  # several blocks of zstd
PAGE = "".join(f"<a href=/{at}>{WORDS[at * 100 : at * 100 + 100]}</a>\n" for at in range(LINKS)).encode()
PACKED: dict[str, Any] = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress, "zstd": zstd.compress}
FRAMES = ("length", "chunks", "close")


@pytest.fixture
def serve(nursery: trio.Nursery) -> Serve:
    """Return a function that starts a server, which runs until the end of the test."""
    return partial(start, nursery)


def reply(body: bytes, coding: str, framing: str) -> bytes:
    """Return a whole response by its framing, whatever its body is."""
    if framing == "length":
        return ok(body, f"Content-Encoding: {coding}", "Content-Type: text/html")
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: {coding}\r\n".encode()
    if framing == "chunks":
        return head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    return head + b"\r\n" + body


class Links(Spider):
    """Collects the links of one page."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.links: set[str] = set()
        self.complete: list[bool] = []

    def parse(self, response: Response) -> Produced:
        self.complete.append(response.complete)
        self.links = {link.url for link in response.links()}
        yield {"links": len(self.links)}


async def crawled(serve: Serve, coding: str, framing: str, cut: int, **settings: Any) -> tuple[Links, Any, str]:
    """Crawl a page whose first `cut` responses stop in the middle."""
    body = PACKED[coding](PAGE)
    sent = 0

    async def handler(peer: Peer) -> None:
        nonlocal sent
        while await peer.request():
            sent += 1
            await peer.send(reply(body[: len(body) * 3 // 4] if sent <= cut else body, coding, framing))
            if framing == "close":
                return

    server = await serve(handler)
    spider = Links(start_urls=[server.url])
    usual = {"obey_robots": False, "backoff_base": 0.0, "private_network": True}
    report = await crawl(spider, settings=Settings(**usual | settings))
    return spider, report, server.url


@pytest.mark.parametrize("framing", FRAMES)
@pytest.mark.parametrize("coding", PACKED)
async def test_a_page_that_stops_once_is_fetched_again_and_has_all_its_links(
    serve: Serve, coding: str, framing: str
) -> None:
    spider, report, _ = await crawled(serve, coding, framing, 1)
    assert len(spider.links) == LINKS
    assert (report.pages, report.failed, report.retries) == (1, 0, 1)


@pytest.mark.parametrize("framing", FRAMES)
@pytest.mark.parametrize("coding", PACKED)
async def test_a_page_that_always_stops_fails_as_incomplete(serve: Serve, coding: str, framing: str) -> None:
    spider, report, url = await crawled(serve, coding, framing, 99)
    assert spider.links == set()
    assert (report.pages, report.failed, report.exit_code()) == (0, 1, 4)
    assert report.kinds == {"broken_exchange.incomplete": 1}
    assert report.samples["broken_exchange.incomplete"] == [url]


@pytest.mark.parametrize("framing", FRAMES)
@pytest.mark.parametrize("coding", PACKED)
async def test_what_came_of_a_page_is_handled_by_wish_and_counted(serve: Serve, coding: str, framing: str) -> None:
    spider, report, url = await crawled(serve, coding, framing, 99, incomplete="keep")
    assert 0 < len(spider.links) < LINKS
    assert spider.complete == [False]
    assert (report.pages, report.failed, report.items, report.incomplete) == (1, 0, 1, 1)
    assert report.samples["incomplete"] == [url]


async def test_a_page_that_came_whole_at_last_is_complete(serve: Serve) -> None:
    spider, report, _ = await crawled(serve, "gzip", "length", 2, incomplete="keep")
    assert (len(spider.links), spider.complete, report.incomplete) == (LINKS, [True], 0)


@pytest.mark.parametrize("keeps", [False, True])
async def test_a_body_that_is_shorter_than_its_length_is_incomplete_too(serve: Serve, keeps: bool) -> None:
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 99999\r\n\r\n<a href=/1>1</a>")

    server = await serve(handler)
    spider = Links(start_urls=[server.url])
    settings = Settings(
        obey_robots=False, backoff_base=0.0, private_network=True, incomplete="keep" if keeps else "fail"
    )
    report = await crawl(spider, settings=settings)
    assert (report.incomplete, report.failed, spider.complete) == ((1, 0, [False]) if keeps else (0, 1, []))


async def test_a_copy_of_a_response_stays_incomplete() -> None:
    response = Response("https://site.test/")
    response.complete = False
    assert not response.replace(body=b"x").complete
