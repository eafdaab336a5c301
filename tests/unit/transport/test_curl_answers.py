"""Responses of odd servers: interim responses, malformed header lines, wrong lengths, and other protocols."""

from __future__ import annotations

import gzip
import random

import httpx
import pytest
import trio
from support.rawserver import answers, get, ok

from crawler.transport.curl import CurlTransport
from crawler.transport.wire import failure_of

TOLERATED = {
    "no reason phrase": (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", []),
    "a reason phrase in Latin-1": (b"HTTP/1.1 200 \xe9t\xe9\r\nContent-Length: 2\r\n\r\nok", []),
    "line ends without CR": (b"HTTP/1.1 200 OK\nA: b\nContent-Length: 2\n\nok", [(b"A", b"b")]),
    "HTTP/1.0 until the end": (b"HTTP/1.0 200 OK\r\nA: b\r\n\r\nok", [(b"A", b"b")]),
    "a field without a name": (b"HTTP/1.1 200 OK\r\n: v\r\nContent-Length: 2\r\n\r\nok", []),
    "blanks before the colon": (b"HTTP/1.1 200 OK\r\nA : b\r\nContent-Length: 2\r\n\r\nok", [(b"A", b"b")]),
    "a line without a colon": (b"HTTP/1.1 200 OK\r\nrubbish\r\nA: b\r\nContent-Length: 2\r\n\r\nok", [(b"A", b"b")]),
    "CR in a line": (b"HTTP/1.1 200 OK\r\nA: b\rc\r\nContent-Length: 2\r\n\r\nok", [(b"A", b"b c")]),
    "any bytes": (b"HTTP/1.1 200 OK\r\nA\xe9 x: \xff\xfe\r\nContent-Length: 2\r\n\r\nok", [(b"A\xe9 x", b"\xff\xfe")]),
    "a folded line": (b"HTTP/1.1 200 OK\r\nA: b\r\n\t c\r\nContent-Length: 2\r\n\r\nok", [(b"A", b"b c")]),
    "continue": (b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n" + ok(b"ok", "A: b"), [(b"A", b"b")]),
    "early hints, twice": (b"HTTP/1.1 103 Hints\r\nLink: y\r\n\r\n" * 2 + ok(b"ok", "A: b"), [(b"A", b"b")]),
    "chunks and a trailer": (
        b"HTTP/1.1 200 OK\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1;x=y\r\nk\r\n0\r\nC: d\r\n\r\n",
        [(b"A", b"b"), (b"Transfer-Encoding", b"chunked")],
    ),
    "a length beside chunks": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        [(b"Transfer-Encoding", b"chunked")],
    ),
    "the same length twice": (ok(b"ok", "Content-Length: 2"), []),
    "an unknown status": (b"HTTP/1.1 299 Whatever\r\nContent-Length: 2\r\n\r\nok", []),
}


@pytest.mark.parametrize("case", TOLERATED)
async def test_deviations_that_browsers_tolerate_are_tolerated(serve, transport, case):
    answer, fields = TOLERATED[case]
    server = await serve(answers(answer, then_close=True))
    with trio.fail_after(3):
        response = await get(transport, server.url)
    assert response.content == b"ok"
    assert response.status_code in (200, 299)
    received = [pair for pair in response.extensions["wire_headers"] if pair[0] != b"Content-Length"]
    assert received == fields
    assert "transfer-encoding" not in response.headers


async def test_the_reason_phrase_comes_as_it_was_sent(serve, transport):
    server = await serve(answers(TOLERATED["a reason phrase in Latin-1"][0], TOLERATED["no reason phrase"][0]))
    assert (await get(transport, server.url)).extensions["reason_phrase"] == b"\xe9t\xe9"
    assert (await get(transport, server.url)).extensions["reason_phrase"] == b""


@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_that_has_no_body_ends_with_its_headers(serve, transport, status):
    server = await serve(answers(f"HTTP/1.1 {status} X\r\nA: b\r\n\r\n".encode()))
    with trio.fail_after(3):
        for _ in range(3):
            assert (await get(transport, server.url)).content == b""
    assert server.connections == 1


async def test_a_body_longer_than_its_length_is_cut_and_the_connection_is_not_used_again(serve, transport):
    server = await serve(answers(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nok"))
    assert (await get(transport, server.url)).content == b"o"
    assert (await get(transport, server.url)).content == b"o"
    assert server.connections == 2


@pytest.mark.parametrize(
    ("after", "more"), [(b"trailing junk", b""), (gzip.compress(b", world"), b", world")], ids=["junk", "member"]
)
async def test_bytes_after_a_compressed_body_are_ignored_unless_they_are_a_member(serve, transport, after, more):
    server = await serve(answers(ok(gzip.compress(b"hello") + after, "Content-Encoding: gzip")))
    assert (await get(transport, server.url)).content == b"hello" + more
    assert (await get(transport, server.url)).content == b"hello" + more


async def test_bytes_after_a_compressed_body_never_cost_a_slow_reader_a_part_of_it(serve):
    content = random.Random(1).randbytes(500_000)
    server = await serve(answers(ok(gzip.compress(content) + b"junk", "Content-Encoding: gzip")))
    body = bytearray()

    async def read(transport):
        body.clear()
        response = await transport.handle_async_request(httpx.Request("GET", server.url))
        async for chunk in response.stream:
            body.extend(chunk)
            await trio.lowlevel.checkpoint()

    async with CurlTransport(buffer=1_000_000) as roomy:
        await read(roomy)
        assert body == content
    async with CurlTransport(buffer=16_384) as tight:  # libcurl drops its buffer when it finds the junk
        for _ in range(10):
            try:
                await read(tight)
            except httpx.DecodingError:
                continue
            assert body == content


async def test_a_compressed_body_that_breaks_in_its_middle_is_an_error_also_for_a_reader_that_is_slow(serve):
    content = random.Random(1).randbytes(500_000)
    coded = gzip.compress(content)
    server = await serve(answers(ok(coded[:250_000] + bytes(100) + coded[250_100:], "Content-Encoding: gzip")))
    async with CurlTransport(buffer=16_384) as transport:
        response = await transport.handle_async_request(httpx.Request("GET", server.url))

        async def read():
            async for _ in response.stream:
                await trio.sleep(0.001)

        with pytest.raises(httpx.DecodingError):
            await read()
        assert transport.statistics().transfers == 0


BROKEN = {
    "nothing at all": (b"", httpx.RemoteProtocolError, None),
    "HTTP/0.9": (b"hello world\n" * 3, httpx.RemoteProtocolError, None),
    "another protocol": (b"SSH-2.0-OpenSSH_9.9\r\n", httpx.RemoteProtocolError, None),
    "HTTP of the future": (b"HTTP/1.7 200 OK\r\nContent-Length: 2\r\n\r\nok", httpx.RemoteProtocolError, None),
    "an end in the status line": (b"HTTP/1.1 2", httpx.RemoteProtocolError, None),
    "an end in the headers": (b"HTTP/1.1 200 OK\r\nContent-Le", httpx.RemoteProtocolError, None),
    "NUL in a header": (b"HTTP/1.1 200 OK\r\nA: \0\r\n\r\n", httpx.RemoteProtocolError, None),
    "two lengths": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\no",
        httpx.RemoteProtocolError,
        None,
    ),
    "a length that is none": (b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", httpx.RemoteProtocolError, None),
    "an end in the body": (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", httpx.RemoteProtocolError, b"ok"),
    "an end between chunks": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
        httpx.RemoteProtocolError,
        b"ok",
    ),
    "no chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", httpx.ReadError, b""),
    "gzip that is none": (ok(b"plain text", "Content-Encoding: gzip"), httpx.DecodingError, b""),
}


@pytest.mark.parametrize("case", BROKEN)
async def test_a_broken_response_raises_after_the_data_that_arrived(serve, transport, case):
    answer, kind, arrived = BROKEN[case]
    server = await serve(answers(answer, then_close=True))
    request = httpx.Request("GET", server.url)
    body = bytearray()

    async def read():
        response = await transport.handle_async_request(request)
        async for chunk in response.stream:
            body.extend(chunk)

    with trio.fail_after(3), pytest.raises(kind) as caught:
        await read()
    assert body == (arrived or b"")
    assert caught.value.request is request
    assert failure_of(caught.value).sent is True
    assert str(caught.value)
    assert "\n" not in str(caught.value)
    assert (await get(transport, (await serve(answers(ok()))).url)).content == b"ok"


async def test_a_reset_is_an_error_before_and_within_the_body(serve, transport):
    async def in_the_body(peer):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok")
        await trio.sleep(0.05)
        peer.reset()

    async def at_once(peer):
        await peer.request()
        peer.reset()

    server = await serve(in_the_body)
    response = await transport.handle_async_request(httpx.Request("GET", server.url))
    with pytest.raises(httpx.ReadError, match=f"127.0.0.1:{server.port}"):
        await response.aread()
    with pytest.raises(httpx.ReadError) as caught:
        await get(transport, (await serve(at_once)).url)
    assert failure_of(caught.value).sent is True


@pytest.mark.parametrize("line", [b"X-Bomb: " + b"a" * 60 + b"\r\n", b"Set-Cookie: a=b\r\n"])
async def test_headers_without_end_are_an_error_that_another_attempt_will_not_mend(serve, line):
    async def handler(peer):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n")
        while True:
            await peer.send(line)

    server = await serve(handler)
    async with CurlTransport(max_headers=10_000) as transport:
        with trio.fail_after(3), pytest.raises(httpx.RemoteProtocolError, match="more than 10000 bytes") as caught:
            await get(transport, server.url)
        assert failure_of(caught.value).retryable is False
        assert transport.statistics().transfers == 0


async def test_headers_are_limited_across_interim_answers(serve):
    async def handler(peer):
        await peer.request()
        while True:
            await peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")

    server = await serve(handler)
    async with CurlTransport(max_headers=10_000) as transport:
        with trio.fail_after(3), pytest.raises(httpx.RemoteProtocolError, match="more than 10000 bytes"):
            await get(transport, server.url)


async def test_a_header_line_that_is_too_long_for_libcurl_is_named(serve, transport):
    server = await serve(answers(b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 200_000 + b"\r\nContent-Length: 0\r\n\r\n"))
    with pytest.raises(httpx.RemoteProtocolError, match="a header line is longer than libcurl allows"):
        await get(transport, server.url)


async def test_a_refused_connection_says_who_refused_and_that_nothing_was_sent(serve, transport):
    server = await serve(answers(ok()))
    (closed,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = closed.socket.getsockname()[1]
    await closed.aclose()
    with pytest.raises(httpx.ConnectError) as caught:
        await get(transport, f"http://127.0.0.1:{port}/")
    assert str(caught.value) == f"connection refused by 127.0.0.1:{port}"
    assert failure_of(caught.value).sent is False
    assert (await get(transport, server.url)).content == b"ok"
