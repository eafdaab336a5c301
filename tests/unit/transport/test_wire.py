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
from crawler.transport.wire import (
    EXTENSION,
    STALE,
    LeanRequest,
    Target,
    TransportFailure,
    WireOptions,
    failure_of,
    origin_of,
    set_failure,
    target_of,
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


FIELDS = [(b"User-Agent", b"a"), (b"X-Twice", b"1"), (b"X-Twice", b"2")]


async def test_a_lean_request_shows_the_attributes_of_an_httpx_request():
    lean = LeanRequest("POST", "https://h.test:8443/a?b=c", FIELDS, b"body", {"proxy": None})
    whole = httpx.Request("POST", "https://h.test:8443/a?b=c", headers=FIELDS, content=b"body")
    assert isinstance(lean, httpx.Request)
    assert (lean.method, lean.url, await lean.aread()) == (whole.method, whole.url, b"body")
    assert lean.headers.multi_items() == [("user-agent", "a"), ("x-twice", "1"), ("x-twice", "2")]
    assert b"".join([chunk async for chunk in lean.stream]) == b"body"
    assert lean.extensions == {"proxy": None}


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://h.test/a", Target("http", "h.test", 80)),
        ("https://h.test/a", Target("https", "h.test", 443)),
        ("https://h.test:8443/", Target("https", "h.test", 8443)),
        ("http://[::1]:81/", Target("http", "::1", 81)),
        ("http://xn--bcher-kva.test/", Target("http", "xn--bcher-kva.test", 80)),
    ],
)
def test_both_kinds_of_requests_go_to_the_same_place(url, target):
    assert target_of(LeanRequest("GET", url, [], b"", {})) == target == target_of(httpx.Request("GET", url))


@pytest.mark.parametrize("url", ["ftp://h.test/", "http:///path", "/path"])
def test_a_request_without_a_web_url_is_refused(url):
    with pytest.raises(ValueError, match="not an http or https URL"):
        target_of(httpx.Request("GET", url))


def test_the_origin_of_a_url_that_httpx_finds_too_long():
    url = "https://h.test:8443/" + "a" * 70_000
    assert origin_of(LeanRequest("GET", url, [], b"", {})) == "https://h.test:8443"
    assert origin_of(httpx.Request("GET", "https://h.test:8443/a")).host == "h.test"
