"""`DecodedBody`: a coded body is read to the end of its coding; test_bodies.py has whole responses."""

from __future__ import annotations

import gzip

import httpx
import pytest

from crawler.transport.decoded_body import DecodedBody
from crawler.transport.decoding import CodingError, make_decoder
from crawler.transport.wire import failure_of

TEXT = b"<p>hello</p>" * 50
EMPTY_BLOCK = bytes.fromhex("000000ffff")


class Pieces(httpx.AsyncByteStream):
    def __init__(self, pieces):
        self.pieces = iter(pieces)
        self.closed = False

    def __aiter__(self):
        return self

    async def __anext__(self):
        for piece in self.pieces:
            return piece
        raise StopAsyncIteration

    async def aclose(self):
        self.closed = True


def body(*pieces, status=200):
    coded = Pieces(pieces)
    return DecodedBody(coded, make_decoder(["gzip"]), status, httpx.Request("GET", "https://site.test/")), coded


async def read(stream):
    return b"".join([piece async for piece in stream])


async def test_a_body_is_decoded_and_closed():
    packed = gzip.compress(TEXT)
    stream, coded = body(packed[:9], b"", packed[9:])
    assert await read(stream) == TEXT
    assert stream.received == len(packed)
    await stream.aclose()
    assert coded.closed


async def test_a_body_without_its_end_raises_unless_it_is_a_part():
    with pytest.raises(CodingError, match="has no end") as caught:
        await read(body(gzip.compress(TEXT)[:-1])[0])
    assert failure_of(caught.value).kind == "incomplete"
    assert str(caught.value.request.url) == "https://site.test/"
    assert await read(body(gzip.compress(TEXT)[:-1], status=206)[0]) == TEXT


async def test_empty_blocks_without_end_are_given_up():
    head = gzip.compress(b"")[:10]
    with pytest.raises(CodingError, match="without content and without end") as caught:
        await read(body(head, *[EMPTY_BLOCK * 10_000] * 30)[0])
    assert failure_of(caught.value).kind == "endless"
