"""Bodies within their limits: size, compression, memory.

Bodies over real sockets and libcurl are in tests/unit/transport/test_bodies.py.
"""

from __future__ import annotations

import gc

import httpx
import pytest
import trio
from support.downloads import URL, Site, downloader
from support.rawserver import answers, ok

from crawler import Drop, Request, Settings
from crawler.errors import BodyTooLarge, BrokenExchange
from crawler.fetch.body_reader import BodyHandling
from crawler.fetch.body_receiver import BodyReceiver
from crawler.fetch.downloader import Downloader
from crawler.transport.curl import CurlTransport


async def test_a_body_may_be_as_large_as_the_request_or_the_settings_say():
    site = Site(lambda: httpx.Response(200, stream=httpx.ByteStream(b"x" * 101)))
    for settings, limit in ((Settings(max_body=100), None), (Settings(), 100)):
        with pytest.raises(BodyTooLarge, match="the body is larger than 100 bytes"):
            await downloader(site, settings).fetch(Request(URL, max_body=limit))
    assert len((await downloader(site, Settings(max_body=100)).fetch(Request(URL, max_body=101))).body) == 101


@pytest.mark.parametrize("fields", [{}, {"Accept-Encoding": "identity"}], ids=["any", "identity"])
async def test_libcurl_delivers_a_body_while_the_server_still_sends_it(serve, fields):
    class Writer:
        size = 0

        async def write(self, data):
            self.size += len(data)
            if self.size == 50_000:
                half.set()

    async def halves(peer):
        await peer.request()
        await peer.send(ok(b"x" * 100_000)[:-50_000])
        await half.wait()
        await peer.send(b"x" * 50_000)

    async def receive(response):
        assert (response.status, response.headers["content-length"], response.body) == (200, "100000", b"")
        return writer

    half, writer = trio.Event(), Writer()
    server = await serve(halves)
    async with CurlTransport() as transport:
        loader = Downloader(transport, Settings(private_network=True, request_deadline=5.0), lambda: 0.0)
        response = await loader.fetch(
            Request(server.url, headers=fields), body=BodyHandling(receiver=BodyReceiver(receive))
        )
    assert (response.body, writer.size) == (b"", 100_000)


async def test_libcurl_sends_nothing_more_after_a_body_was_dropped(serve):
    async def receive(response):
        return Drop("enough")

    server = await serve(answers(ok(b"x" * 3_000_000)))
    async with CurlTransport() as transport:
        loader = Downloader(transport, Settings(private_network=True), lambda: 0.0)
        for _ in range(2):
            response = await loader.fetch(Request(server.url), body=BodyHandling(receiver=BodyReceiver(receive)))
            assert (response.status, response.body) == (200, b"")
    assert server.connections == 2


async def test_a_cut_body_is_never_too_large_and_its_rest_is_not_read(serve):
    server = await serve(answers(ok(b"x" * 3_000_000)))
    settings = Settings(max_body=5, private_network=True)
    async with httpx.AsyncHTTPTransport() as transport:
        response = await Downloader(transport, settings, lambda: 0.0).fetch(
            Request(server.url), body=BodyHandling(truncate_at=25)
        )
    assert 25 < len(response.body) < 1_000_000
    gc.collect()  # no generator of httpx is left open


class EmptyBlocks(httpx.AsyncByteStream):
    """A gzip header, then empty blocks without end."""

    def __init__(self):
        self.begins = True

    def __aiter__(self):
        return self

    async def __anext__(self):
        await trio.lowlevel.checkpoint()
        if self.begins:
            self.begins = False
            return b"\x1f\x8b\x08" + bytes(7)
        return b"\0\0\0\xff\xff" * 10_000


async def test_compressed_data_without_content_ends_the_exchange():
    site = Site(httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=EmptyBlocks()))
    with trio.fail_after(60), pytest.raises(BrokenExchange) as caught:
        await downloader(site).fetch(Request(URL))
    assert caught.value.kind == "endless"
