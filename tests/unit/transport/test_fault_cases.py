"""A fault case: what it consists of, and how its bytes are made and sent."""

from __future__ import annotations

import zlib
from functools import partial

import pytest
import trio
from support.cases import each
from support.faults.bodies import raw_deflate
from support.faults.case import GOOD, MAX_HEAD, FaultCase, Peer, page, response
from support.faults.server import FAULT_CASES, FaultServer

ALWAYS_WITH_A_RESPONSE = {"bad_redirect", "body_too_large", "redirect_loop", "too_many_redirects"}
"""Failures that follow a response, whose status is known."""
CLOSING = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@each("name", FAULT_CASES)
def test_every_case_has_a_description_and_one_outcome(name):
    case = FAULT_CASES[name]
    assert case.name == name == name.lower()
    assert case.about
    assert "\n" not in case.about
    follows_a_response = case.error.startswith("status_") or case.error in ALWAYS_WITH_A_RESPONSE
    assert bool(case.status) != bool(case.error) or case.or_fails or follows_a_response
    assert case.answer is None or case.accept is None


@pytest.mark.parametrize(
    ("case", "words", "hangs"),
    [
        (FaultCase(name="a", about="a", status=200), "status 200", False),
        (FaultCase(name="a", about="a", status=200, text="x" * 99), f"status 200: {'x' * 40}", False),
        (FaultCase(name="a", about="a", error="broken_exchange"), "broken_exchange", False),
        (FaultCase(name="a", about="a", error="fetch_timeout", kind="deadline"), "fetch_timeout.deadline", True),
        (
            FaultCase(name="a", about="a", status=200, error="broken_exchange", or_fails=True),
            "status 200, or broken_exchange",
            False,
        ),
    ],
)
def test_the_outcome_in_words(case, words, hangs):
    assert (case.expected, case.hangs) == (words, hangs)


def test_a_response_is_correct_by_default():
    assert response("A: b", body="ü") == "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 2\r\n\r\nü".encode()
    assert response(b"\xff: b", body=b"x", length=False) == b"HTTP/1.1 200 OK\r\n\xff: b\r\n\r\nx"
    assert response(status="HTTP/1.0 404 Not Found", body=None) == b"HTTP/1.0 404 Not Found\r\n"
    assert page("A: b").endswith(b"\r\n\r\n" + GOOD.encode())
    assert page(status=b"HTTP/1.1 299 Odd").startswith(b"HTTP/1.1 299 Odd\r\nContent-Type: text/html\r\n")


def test_raw_deflate_has_no_wrapper():
    assert zlib.decompress(raw_deflate(b"abc"), wbits=-zlib.MAX_WBITS) == b"abc"
    with pytest.raises(zlib.error):
        zlib.decompress(raw_deflate(b"abc"))


async def served(reply, *requests):
    """Send requests on one connection to a `Peer` that answers with `reply`; return what arrives."""
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    received = b""

    async def handler(stream):
        await Peer(stream, FaultServer()).serve(reply)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(trio.serve_listeners, handler, [listener]))
        stream = await trio.open_tcp_stream(*listener.socket.getsockname())
        async with stream:
            for request in requests:
                await stream.send_all(request)
            await stream.send_eof()
            async for chunk in stream:
                received += bytes(chunk)
        nursery.cancel_scope.cancel()
    return received


GET = b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n"


async def test_bytes_are_sent_and_the_connection_is_closed():
    assert await served(CLOSING, GET % 1, GET % 2) == CLOSING


async def test_a_handler_sees_each_request_and_may_keep_the_connection():
    seen = []

    async def handler(peer):
        seen.append((peer.count, peer.method, peer.target))
        peer.keep = peer.count < 2
        await peer.send(b"o", b"k", pause=0.001)

    assert await served(handler, GET % 1 + GET % 2, GET % 3) == b"okok"
    assert seen == [(1, "GET", "/1"), (2, "GET", "/2")]


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\n", b"x" * (2 * MAX_HEAD)])
async def test_without_a_complete_head_there_is_no_response(sent):
    assert await served(CLOSING, sent) == b""


async def test_a_reset_breaks_the_connection_after_the_sent_bytes():
    async def handler(peer):
        await peer.send(b"half")
        await peer.reset()

    with pytest.raises(ExceptionGroup) as caught:
        await served(handler, GET % 1)
    assert caught.group_contains(trio.BrokenResourceError)
