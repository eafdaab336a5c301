"""Bodies as real servers send them: content codings, wrong lengths, missing ends, and decompression bombs."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import brotli
import httpx
import pytest
import trio
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st
from support.rawserver import Handler, Peer, Serve, answers, ok

from crawler import (
    BodyTooLarge,
    BrokenExchange,
    Produced,
    Request,
    Response,
    Settings,
    Spider,
    crawl,
)
from crawler.fetch.downloader import Downloader
from crawler.testing import Asked, Reply, Wire
from crawler.transport.curl import CurlTransport

TEXT = b"<p>hello</p>" * 50
BR = bytes.fromhex("1b5702f81da7c19a9b1f53cdc3f606a75ed0caa72c0a8c0534c0d630")
BR_OF_GZIP = bytes.fromhex("0b13801f8b0800000000000003b329b0cb48cdc9c9b7d12fb0b319658fb2a9c40600e9aaa5d45802000003")
MIB = 1024 * 1024


def raw_deflate(data: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflater.compress(data) + deflater.flush()


def bomb(mebibytes: int) -> bytes:
    """A gzip of that many MiB of zeros, made of one block over and over."""
    deflater = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    block = deflater.compress(bytes(MIB)) + deflater.flush(zlib.Z_FULL_FLUSH)
    return gzip.compress(b"")[:10] + block * mebibytes + b"\x03\x00" + bytes(8)


@pytest.fixture
async def fetch(transport: CurlTransport) -> Callable[..., Any]:
    """Return a function that fetches one URL as a crawl does."""

    async def fetch(url: str, *, resend: bool = True, **options: Any) -> Response:
        downloader = Downloader(transport, Settings(request_deadline=20), lambda: 0.0)
        return await downloader.fetch(Request(url, **options), resend=resend)

    return fetch


# ---- content codings -------------------------------------------------------------------------------------------------

CODED = {
    "gzip": (gzip.compress(TEXT), ["gzip"]),
    "x-gzip": (gzip.compress(TEXT), ["x-gzip"]),
    "deflate as zlib": (zlib.compress(TEXT), ["deflate"]),
    "deflate without a header": (raw_deflate(TEXT), ["deflate"]),
    "gzip upon gzip": (gzip.compress(gzip.compress(TEXT)), ["gzip, gzip"]),
    "gzip upon deflate": (gzip.compress(zlib.compress(TEXT)), ["deflate, gzip"]),
    "in two fields": (gzip.compress(zlib.compress(TEXT)), ["deflate", "gzip"]),
    "an odd case and blanks": (gzip.compress(TEXT), ["\t GZip  "]),
    "empty elements": (gzip.compress(TEXT), [", gzip ,,"]),
    "identity": (TEXT, ["identity"]),
    "identity beside another": (gzip.compress(TEXT), ["gzip, Identity"]),
    "none": (TEXT, ["none"]),
    "an empty field": (TEXT, [""]),
    "something behind the end": (gzip.compress(TEXT) + b"garbage", ["gzip"]),
    "zeros behind the end": (gzip.compress(TEXT) + bytes(600), ["gzip"]),
    "something behind the end that begins like gzip": (gzip.compress(TEXT) + b"\x1f\x8b", ["gzip"]),
    "something behind the end of deflate": (zlib.compress(TEXT) + b"garbage", ["deflate"]),
    "br": (BR, ["br"]),
    "br upon gzip": (BR_OF_GZIP, ["gzip, br"]),
    "something behind the end of br": (BR + b"garbage", ["br"]),
    "zstd": (zstd.compress(TEXT), ["zstd"]),
    "zstd in several frames": (zstd.compress(TEXT[:99]) + zstd.compress(TEXT[99:]), ["zstd"]),
    "something behind the end of zstd": (zstd.compress(TEXT) + b"garbage", ["zstd"]),
    "zstd upon br": (zstd.compress(BR), ["br, zstd"]),
}
UNKNOWN = {
    "a charset": (TEXT, ["utf-8"]),
    "a word": (TEXT, ["binary"]),
    "gzip under an unknown one": (gzip.compress(TEXT), ["gzip, aws-chunked"]),
    "a parameter": (gzip.compress(TEXT), ["gzip;q=1"]),
    "quoted": (gzip.compress(TEXT), ['"gzip"']),
}
UNDECODABLE = {
    "a page": (TEXT, ["gzip"]),
    "a page as deflate": (TEXT, ["deflate"]),
    "a wrong check": (gzip.compress(TEXT)[:-8] + b"12345678", ["gzip"]),
    "gzip once where twice is said": (gzip.compress(TEXT), ["gzip, gzip"]),
}


def fields(codings: list[str]) -> list[str]:
    return [f"Content-Encoding: {coding}" for coding in codings]


@pytest.mark.parametrize("case", CODED)
async def test_a_coded_body_is_decoded_whatever_the_coding(serve: Serve, fetch: Any, case: str) -> None:
    body, codings = CODED[case]
    server = await serve(answers(ok(body, *fields(codings), "Content-Type: text/html")))
    response = await fetch(server.url)
    assert response.body == TEXT
    assert response.css("p::text").get() == "hello"
    assert response.headers.get_list("content-encoding") == [coding.strip() for coding in codings]


MEMBERS = b"".join(gzip.compress(TEXT[at : at + 100]) for at in range(0, len(TEXT), 100))


@pytest.mark.parametrize("path", ["log.gz", "page"])
@pytest.mark.parametrize("rest", [b"", b"garbage", bytes(600)])
async def test_of_gzip_all_members_are_read(serve: Serve, fetch: Any, path: str, rest: bytes) -> None:
    """As Apache sends packed files by ``AddEncoding x-gzip .gz``."""
    server = await serve(answers(ok(MEMBERS + rest, "Content-Encoding: x-gzip")))
    assert (await fetch(server.url + path)).body == TEXT
    assert len(server.heads) == 1


async def test_a_packed_file_of_a_wrong_member_is_an_error(serve: Serve, fetch: Any) -> None:
    server = await serve(answers(ok(MEMBERS[:-8] + bytes(8), "Content-Encoding: gzip")))
    with pytest.raises(BrokenExchange, match="the body is not gzip") as caught:
        await fetch(f"{server.url}all.gz")
    assert caught.value.retryable


@pytest.mark.parametrize("case", UNKNOWN)
async def test_a_body_in_an_unknown_coding_is_handed_on_as_it_came(serve: Serve, fetch: Any, case: str) -> None:
    body, codings = UNKNOWN[case]
    server = await serve(answers(ok(body, *fields(codings))))
    response = await fetch(server.url)
    assert response.body == body
    assert response.headers.get_list("content-encoding") == codings
    assert len(server.heads) == 1


@pytest.mark.parametrize("case", CODED)
async def test_after_an_unknown_coding_the_known_ones_are_still_decoded(serve: Serve, fetch: Any, case: str) -> None:
    body, codings = CODED[case]
    server = await serve(answers(ok(TEXT, "Content-Encoding: utf-8"), ok(body, *fields(codings))))
    await fetch(server.url)
    response = await fetch(server.url)
    assert response.body == TEXT
    assert response.headers.get_list("content-encoding") == [coding.strip() for coding in codings]


async def test_a_request_that_changes_something_is_sent_once_whatever_the_coding(serve: Serve, fetch: Any) -> None:
    server = await serve(answers(ok(TEXT, "Content-Encoding: utf-8")))
    assert (await fetch(server.url, method="POST", body=b"x")).body == TEXT
    assert server.bodies == [b"x"]


async def test_an_httpx_client_gets_the_same_body_as_over_its_own_transport(
    serve: Serve, transport: CurlTransport
) -> None:
    coded = ok(gzip.compress(TEXT), "Content-Encoding: gzip")
    server = await serve(answers(ok(TEXT, "Content-Encoding: utf-8"), coded))
    async with httpx.AsyncClient(transport=transport) as client:
        for coding in ("utf-8", "gzip"):
            response = await client.get(server.url)
            assert response.content == TEXT
            assert (b"Content-Encoding", coding.encode()) in response.extensions["wire_headers"]


@pytest.mark.parametrize("case", UNDECODABLE)
async def test_a_body_with_a_wrong_coding_is_an_error_worth_another_attempt(
    serve: Serve, fetch: Any, case: str
) -> None:
    body, codings = UNDECODABLE[case]
    server = await serve(answers(ok(body, *fields(codings))))
    with pytest.raises(BrokenExchange) as caught:
        await fetch(server.url)
    assert (caught.value.retryable, caught.value.kind) == (True, "bad_coding")
    assert len(server.heads) == 1


@pytest.mark.parametrize("case", {**CODED, **UNKNOWN, **UNDECODABLE})
async def test_other_transports_are_decoded_alike(nursery: trio.Nursery, case: str) -> None:
    body, codings = {**CODED, **UNKNOWN, **UNDECODABLE}[case]

    async def handler(asked: Asked) -> Reply:  # noqa: ASYNC124
        return Reply([body[:7], body[7:8], body[8:]], headers=[("Content-Encoding", one.strip()) for one in codings])

    downloader = Downloader(Wire(nursery, handler).transport, Settings(), lambda: 0.0)
    if case in UNDECODABLE:
        with pytest.raises(BrokenExchange, match="the body is not") as caught:
            await downloader.fetch(Request("https://site.test/"))
        assert caught.value.retryable
    else:
        response = await downloader.fetch(Request("https://site.test/"))
        assert response.body == (TEXT if case in CODED else body)
    nursery.cancel_scope.cancel()


async def test_too_many_codings_are_refused(serve: Serve, fetch: Any) -> None:
    server = await serve(answers(ok(TEXT, "Content-Encoding: gzip, gzip, gzip, gzip, gzip, gzip")))
    with pytest.raises(BrokenExchange, match="limit of 5 content encodings") as caught:
        await fetch(server.url)
    assert not caught.value.retryable


@pytest.mark.parametrize("coding", ["gzip", "br", "utf-8", "identity"])
@pytest.mark.parametrize(
    ("status", "method", "body"),
    [(204, "GET", b""), (304, "GET", b""), (200, "HEAD", b""), (204, "GET", b"nothing that belongs here")],
)
async def test_an_answer_without_a_body_may_name_any_coding(
    serve: Serve, fetch: Any, coding: str, status: int, method: str, body: bytes
) -> None:
    head = f"HTTP/1.1 {status} X\r\nContent-Encoding: {coding}\r\nContent-Length: {len(body) or 1000}\r\n\r\n"
    server = await serve(answers(head.encode() + body, then_close=True))
    response = await fetch(server.url, method=method)
    assert (response.status, response.body) == (status, b"")
    assert response.headers["content-encoding"] == coding
    assert len(server.heads) == 1


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "identity"])
async def test_an_empty_body_needs_no_decoding(serve: Serve, fetch: Any, coding: str) -> None:
    server = await serve(answers(ok(b"", f"Content-Encoding: {coding}")))
    assert (await fetch(server.url)).body == b""


async def test_a_crawl_is_spared_all_of_this(serve: Serve) -> None:
    pages = {
        b"/": ok(b"<a href=/gzip>1</a><a href=/utf8>2</a><a href=/br>3</a><a href=/bad>4</a><a href=/bomb>5</a>"),
        b"/gzip": ok(gzip.compress(TEXT), "Content-Encoding: gzip"),
        b"/utf8": ok(TEXT, "Content-Encoding: utf-8"),
        b"/br": ok(BR, "Content-Encoding: br"),
        b"/bad": ok(TEXT, "Content-Encoding: gzip"),
        b"/bomb": ok(bomb(1024), "Content-Encoding: gzip"),
    }

    async def handler(peer: Peer) -> None:
        while head := await peer.request():
            page = pages.get(head.split()[1], b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")
            await peer.send(page.replace(b"200 OK", b"200 OK\r\nContent-Type: text/html"))

    server = await serve(handler)
    found: dict[str, bytes] = {}

    class All(Spider):
        def parse(self, response: Response) -> Produced:
            found[response.url.removeprefix(server.url)] = response.body
            yield from response.follow_all()

    report = await crawl(All(start_urls=[server.url]), settings=Settings(per_host=1, slow_start=False))
    assert (found["gzip"], found["utf8"], found["br"]) == (TEXT, TEXT, TEXT)
    assert (report.pages, report.failures) == (4, {"broken_exchange": 1, "body_too_large": 1})


# ---- lengths and ends ------------------------------------------------------------------------------------------------

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
WHOLE = {
    "more than its length": HEAD + b"Content-Length: 5\r\n\r\nhello and more",
    "the same length twice": HEAD + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "the same length in a list": HEAD + b"Content-Length: 5, 5\r\n\r\nhello",
    "a length that cannot be": HEAD + b"Content-Length: 99999999999999999999999\r\n\r\nhello",
    "no length, and the end of the connection": HEAD + b"\r\nhello",
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\n\r\nhello",
    "chunks": CHUNKED + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
    "chunks with extensions and trailers": CHUNKED + b'5;a="b"\r\nhello\r\n0;x\r\nT: x\r\n\r\n',
    "chunks by line feeds": CHUNKED + b"5\nhello\n0\n\n",
    "blanks behind the size of a chunk": CHUNKED + b"5  \r\nhello\r\n0\r\n\r\n",
    "chunks and a length": HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "a transfer coding that is none": HEAD + b"Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello",
}
CUT = {
    "less than its length": (HEAD + b"Content-Length: 1005\r\n\r\nhello", "1000 bytes missing"),
    "nothing of its length": (HEAD + b"Content-Length: 1000\r\n\r\n", "1000 bytes missing"),
    "less than its length, coded": (
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: 100\r\n\r\n" + gzip.compress(b"hello")[:20],
        "80 bytes missing",
    ),
    "chunks without end": (CHUNKED + b"5\r\nhello\r\n", "outstanding read data remaining"),
    "an end inside of a chunk": (CHUNKED + b"ff\r\nhello", "outstanding read data remaining"),
    "chunks that are none": (CHUNKED + b"5\r\nhelloXX\r\n", "chunk"),
}
LARGE = b"".join(b"<a href=/%d>page</a>" % number for number in range(2000))
PACKED = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress, "zstd": zstd.compress}
FRAMED = {
    "a length": lambda body, coding: ok(body, f"Content-Encoding: {coding}"),
    "chunks": lambda body, coding: (
        HEAD
        + f"Content-Encoding: {coding}\r\nTransfer-Encoding: chunked\r\n\r\n{len(body):x}\r\n".encode()
        + body
        + b"\r\n0\r\n\r\n"
    ),
    "the end of the connection": lambda body, coding: HEAD + f"Content-Encoding: {coding}\r\n\r\n".encode() + body,
}
UNREADABLE = {
    "two lengths": HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "a negative length": HEAD + b"Content-Length: -5\r\n\r\nhello",
}


@pytest.mark.parametrize("case", WHOLE)
async def test_a_body_ends_where_its_framing_says(serve: Serve, fetch: Any, case: str) -> None:
    server = await serve(answers(WHOLE[case], then_close=True))
    assert (await fetch(server.url)).body == b"hello"


@pytest.mark.parametrize("case", CUT)
async def test_a_body_that_is_cut_is_an_error_worth_another_attempt(serve: Serve, fetch: Any, case: str) -> None:
    answer, words = CUT[case]
    server = await serve(answers(answer, then_close=True))
    with pytest.raises(BrokenExchange, match=words) as caught:
        await fetch(server.url)
    assert caught.value.retryable
    assert caught.value.kind == ("bad_chunk" if case == "chunks that are none" else "incomplete")


@pytest.mark.parametrize("coding", PACKED)
@pytest.mark.parametrize("framing", FRAMED)
@pytest.mark.parametrize("left", [1, 5, 9, 1000])
async def test_a_coded_body_that_stops_is_incomplete_whatever_its_framing(
    serve: Serve, fetch: Any, coding: str, framing: str, left: int
) -> None:
    body = PACKED[coding](LARGE)[:-left]
    server = await serve(answers(FRAMED[framing](body, coding), then_close=True))
    with pytest.raises(
        BrokenExchange, match=f"stopped after {len(body)} bytes: its coding {coding} has no end"
    ) as caught:
        await fetch(server.url)
    assert (caught.value.kind, caught.value.retryable, caught.value.has_response) == ("incomplete", True, True)


@pytest.mark.parametrize("coding", PACKED)
@pytest.mark.parametrize("framing", FRAMED)
async def test_a_coded_body_that_is_whole_is_decoded_whatever_its_framing(
    serve: Serve, fetch: Any, coding: str, framing: str
) -> None:
    server = await serve(answers(FRAMED[framing](PACKED[coding](LARGE), coding), then_close=True))
    assert (await fetch(server.url)).body == LARGE


@pytest.mark.parametrize("coding", PACKED)
async def test_a_part_that_was_asked_for_need_not_have_the_end_of_its_coding(
    serve: Serve, fetch: Any, coding: str
) -> None:
    body = PACKED[coding](LARGE)[:2000]
    server = await serve(answers(ok(body, f"Content-Encoding: {coding}").replace(b"200 OK", b"206 Partial Content")))
    found = (await fetch(server.url, headers={"Range": "bytes=0-1999"})).body
    assert LARGE.startswith(found)


@pytest.mark.parametrize("coding", PACKED)
async def test_a_client_of_httpx_is_told_of_a_coded_body_that_stops(
    serve: Serve, transport: CurlTransport, coding: str
) -> None:
    body = PACKED[coding](LARGE)
    server = await serve(answers(*(ok(sent, f"Content-Encoding: {coding}") for sent in (body, body[:-5]))))
    async with httpx.AsyncClient(transport=transport) as client:
        response = await client.get(server.url)
        assert (response.content, "content-encoding" in response.headers) == (LARGE, False)
        with pytest.raises(httpx.DecodingError, match="has no end"):
            await client.get(server.url)


@pytest.mark.parametrize("case", UNREADABLE)
async def test_an_invalid_length_is_a_permanent_error(serve: Serve, fetch: Any, case: str) -> None:
    server = await serve(answers(UNREADABLE[case], then_close=True))
    with pytest.raises(BrokenExchange, match="Content-Length") as caught:
        await fetch(server.url)
    assert not caught.value.retryable


# ---- bombs -----------------------------------------------------------------------------------------------------------


def counted(body: bytes, *codings: str) -> tuple[Handler, list[int]]:
    """Return a handler that sends a body in pieces, and a function that returns how much was sent."""
    sent: list[int] = []

    async def handler(peer: Peer) -> None:
        while await peer.request():
            head = "".join(f"Content-Encoding: {coding}\r\n" for coding in codings)
            await peer.send(HEAD + f"{head}Content-Length: {len(body)}\r\n\r\n".encode())
            for start in range(0, len(body), 16384):
                await peer.send(body[start : start + 16384])
                sent.append(len(body[start : start + 16384]))

    return handler, sent


BOMBS = {
    "a gigabyte of zeros": (bomb(1024), ["gzip"]),
    "a gigabyte in a gigabyte": (gzip.compress(bomb(1024)), ["gzip, gzip"]),
    "64 MiB in 106 bytes": (
        bytes.fromhex(
            "cbffff3ff82700e2b14020f7fe8fffff7ff04f00c4611180eefd1fffffffe09f0088c30200ddfb3ffeffffc13f0110870500baf77f"
            "fcffff837f02200e0b0074effff8ffff07ff04401c1600e8defff1ffff0ffe0980382c00d0bdffcbffff3ffc1300715800a07bff07"
        ),
        ["br"],
    ),
}


@pytest.mark.parametrize("most", [2 * MIB, 32 * MIB])
@pytest.mark.parametrize("case", BOMBS)
async def test_of_a_bomb_no_more_is_held_than_is_allowed(serve: Serve, fetch: Any, case: str, most: int) -> None:
    body, codings = BOMBS[case]
    handler, _ = counted(body, *codings)
    server = await serve(handler)
    tracemalloc.start()
    try:
        with pytest.raises(BodyTooLarge, match=f"larger than {most} bytes|a decompression bomb") as caught:
            await fetch(server.url, max_body=most)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert not caught.value.retryable
    assert peak < 1.2 * most + MIB


@pytest.mark.parametrize("case", BOMBS)
async def test_a_bomb_is_given_up_early_however_much_is_allowed(serve: Serve, fetch: Any, case: str) -> None:
    body, codings = BOMBS[case]
    handler, sent = counted(body, *codings)
    server = await serve(handler)
    with pytest.raises(BodyTooLarge, match="a decompression bomb"):
        await fetch(server.url, max_body=10_000 * MIB)
    assert sum(sent) <= len(body)


@pytest.mark.parametrize("case", ["a gigabyte of zeros", "a gigabyte in a gigabyte"])
@pytest.mark.parametrize(("most", "words"), [(2 * MIB, "larger than 2097152"), (10_000 * MIB, "a decompression bomb")])
async def test_bombs_are_held_back_on_other_transports_too(
    nursery: trio.Nursery, case: str, most: int, words: str
) -> None:
    body, codings = BOMBS[case]

    async def handler(asked: Asked) -> Reply:  # noqa: ASYNC124
        return Reply(body, headers=[("Content-Encoding", coding) for coding in codings])

    downloader = Downloader(Wire(nursery, handler).transport, Settings(), lambda: 0.0)
    tracemalloc.start()
    try:
        with pytest.raises(BodyTooLarge, match=words):
            await downloader.fetch(Request("https://site.test/", max_body=most))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 64 * MIB
    nursery.cancel_scope.cancel()


async def test_a_large_body_is_held_once_and_good_compression_is_not_a_bomb(serve: Serve, fetch: Any) -> None:
    content = b"".join(b"%07d,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0\n" % line for line in range(400_000))
    handler, _ = counted(gzip.compress(content), "gzip")
    server = await serve(handler)
    tracemalloc.start()
    try:
        body = (await fetch(server.url)).body
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert body == content
    assert peak < 1.2 * len(content) + MIB


@pytest.mark.parametrize("accepted", [None, "identity", "gzip"])
@pytest.mark.parametrize("most", [600, 599, 100 * MIB])
async def test_the_maximum_size_of_a_body_holds_whichever_side_decodes_it(
    serve: Serve, fetch: Any, accepted: str | None, most: int
) -> None:
    headers = {} if accepted is None else {"Accept-Encoding": accepted}
    coded = gzip.compress(TEXT, 0)  # stored without compression, so that it is larger than its content
    assert len(TEXT) == 600 < len(coded)
    server = await serve(answers(ok(coded, "Content-Encoding: gzip")))
    if most < len(TEXT):
        with pytest.raises(BodyTooLarge):
            await fetch(server.url, headers=headers, max_body=most)
    else:
        assert (await fetch(server.url, headers=headers, max_body=most)).body == TEXT


async def test_a_body_that_never_ends_is_left_when_it_is_too_large(serve: Serve, fetch: Any) -> None:
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED)
        while True:
            await peer.send(b"4000\r\n" + bytes(0x4000) + b"\r\n")

    server = await serve(handler)
    with pytest.raises(BodyTooLarge, match="larger than 1000000 bytes"):
        await fetch(server.url, max_body=1_000_000)


# ---- any bytes -------------------------------------------------------------------------------------------------------


class Pieces(httpx.AsyncByteStream):
    """A body in these pieces."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = iter(pieces)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        for piece in self.pieces:
            return piece
        raise StopAsyncIteration


def canned(pieces: list[bytes], codings: list[str]) -> httpx.AsyncBaseTransport:
    fields = [("Content-Encoding", coding) for coding in codings]
    return httpx.MockTransport(lambda _: httpx.Response(200, headers=fields, stream=Pieces(pieces)))


CODING = st.sampled_from(["gzip", "x-gzip", "deflate", "identity", "br", "x", "", "GZIP", " deflate "])
PIECES = st.lists(
    st.binary(max_size=20) | st.sampled_from([gzip.compress(TEXT), zlib.compress(TEXT), raw_deflate(TEXT), TEXT]),
    max_size=5,
)


@given(PIECES, st.lists(CODING, max_size=3), st.integers(1, 1000))
def test_any_bytes_under_any_coding_are_a_body_or_a_documented_error(
    pieces: list[bytes], codings: list[str], most: int
) -> None:
    downloader = Downloader(canned(pieces, codings), Settings(max_body=most), lambda: 0.0)
    try:
        response = trio.run(downloader.fetch, Request("https://site.test/"))
    except (BodyTooLarge, BrokenExchange):
        return
    assert len(response.body) <= most
