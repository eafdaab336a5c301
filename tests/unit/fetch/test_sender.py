"""`HttpxSender`: when a request counts as sent, how its exceptions are translated, and bodies left at any point."""

from __future__ import annotations

import gzip

import httpx
import pytest
import trio
from support.downloads import URL, Site, downloader

from crawler import Request
from crawler.errors import BrokenExchange, ConnectFailed, FetchError
from crawler.fetch.sender import HttpxStream


@pytest.mark.parametrize(
    ("raised", "kind", "sent"),
    [
        (httpx.ConnectError("refused"), ConnectFailed, 0),
        (httpx.ReadError("reset"), BrokenExchange, 1),
        (httpx.ProxyError("no"), ConnectFailed, 0),
        (KeyError("a bug"), FetchError, 1),
    ],
)
async def test_exceptions_are_translated_and_sending_is_reported_unless_it_never_began(raised, kind, sent):
    times = []
    with pytest.raises(kind) as caught:
        await downloader(Site(raised)).fetch(Request(URL), on_sent=times.append)
    assert caught.value.request.url == URL
    assert caught.value.__cause__ is raised
    assert len(times) == sent


class Chunks(httpx.AsyncByteStream):
    """A body in pieces that notes when it is closed, and whether its generator ended."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = pieces
        self.closed = self.ended = False

    async def __aiter__(self):
        try:
            for piece in self.pieces:
                await trio.lowlevel.checkpoint()
                yield piece
        finally:
            self.ended = True

    async def aclose(self) -> None:
        self.closed = True


class NeverClosed(httpx.AsyncByteStream):
    """A body without end that cannot be closed."""

    def __aiter__(self):
        return self

    async def __anext__(self):
        return b"x"

    async def aclose(self) -> None:
        await trio.sleep_forever()


async def test_pieces_come_undecoded_and_closing_ends_every_generator():
    body = Chunks(gzip.compress(b"a"), b"b", b"c")
    stream = HttpxStream(httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=body))
    async for piece in stream:
        assert piece == gzip.compress(b"a")
        break
    await stream.aclose()
    assert (body.closed, body.ended) == (True, True)


async def test_a_body_that_httpx_has_read_is_decoded():
    response = httpx.Response(200, headers={"Content-Encoding": "gzip"}, content=gzip.compress(b"page"))
    stream = HttpxStream(response)
    assert b"".join([piece async for piece in stream]) == b"page"
    await stream.aclose()


@pytest.mark.parametrize(("body", "seconds"), [(Chunks(b"a", b"b"), 0), (NeverClosed(), 1)])
async def test_closing_takes_a_second_at_most_and_works_in_a_cancelled_scope(autojump_clock, body, seconds):
    stream = HttpxStream(httpx.Response(200, stream=body))
    started = trio.current_time()
    with trio.CancelScope() as scope:
        async for _ in stream:
            scope.cancel()
            break
        await stream.aclose()
    assert trio.current_time() - started == seconds
    assert getattr(body, "closed", True)
