"""`WireOptions` on their way to a transport, and the `TransportFailure` of its exceptions."""

from __future__ import annotations

import math
import pickle

import httpx
import pytest
import trio
from msgspec.structs import replace
from support.rawserver import answers, get, ok

from crawler.transport.curl import CurlTransport
from crawler.transport.extensions import (
    EXTENSION,
    STALE,
    TransportFailure,
    WireOptions,
    failure_of,
    set_failure,
    wire_options,
)


def test_a_request_without_options_is_sent_with_the_defaults():
    options = wire_options(httpx.Request("GET", "http://site.test/", extensions={"timeout": {"read": 1}}))
    assert options == WireOptions()
    assert (options.on_sent, options.address_guard, options.max_body, options.resend) == (None, None, math.inf, True)


def test_options_reach_the_transport_through_a_client_of_httpx():
    seen = []

    def handler(request):
        seen.append(wire_options(request))
        return httpx.Response(200)

    given = WireOptions(max_body=7, resend=False)

    async def main():
        async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as http:
            await http.get("http://site.test/", extensions={EXTENSION: given})

    trio.run(main)
    assert seen == [given]


def test_an_exception_of_another_origin_has_no_failure():
    assert failure_of(None) is None
    assert failure_of(httpx.ReadError("x")) is None
    assert failure_of(ValueError("x")) is None


def test_a_failure_is_replaced_and_survives_pickling():
    error = httpx.ReadError("x")
    set_failure(error, TransportFailure(sent=True, kind=STALE))
    set_failure(error, replace(failure_of(error), retryable=True))
    for copy in (error, pickle.loads(pickle.dumps(error))):
        assert failure_of(copy) == TransportFailure(sent=True, retryable=True, kind=STALE)
        assert failure_of(copy).is_stale


@pytest.mark.parametrize("field", TransportFailure.__struct_fields__)
def test_a_failure_does_not_change(field):
    with pytest.raises(AttributeError):
        setattr(TransportFailure(sent=True), field, None)


async def test_another_transport_ignores_the_options_of_ours(serve):
    server = await serve(answers(ok(b"page")))
    extensions = {EXTENSION: WireOptions(max_body=1)}
    async with httpx.AsyncHTTPTransport() as transport:
        assert (await get(transport, server.url, extensions=extensions)).content == b"page"


async def test_every_exception_of_the_libcurl_transport_says_whether_the_request_was_sent(serve):
    async def cut_off(peer):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx")

    server = await serve(cut_off)
    async with CurlTransport() as transport:
        for url, sent in ((server.url, True), ("http://127.0.0.1:1/", False), ("gopher://site.test/", False)):
            with pytest.raises(httpx.RequestError) as caught:
                await get(transport, url)
            assert failure_of(caught.value).sent is sent
