"""`Downloader` over transports of httpx: requests, responses, and the limits of both.

Bodies over real sockets and libcurl are in tests/unit/transport/test_bodies.py.
"""

from __future__ import annotations

import zlib

import httpx
import pytest
import trio
from support.downloads import URL, Site, downloader
from support.rawserver import answers, ok, until

from crawler import Request, Settings
from crawler.errors import FetchTimeout
from crawler.fetch.auth import OriginAuth
from crawler.fetch.downloader import Downloader
from crawler.fetch.proxies import Proxies
from crawler.transport.curl import CurlTransport
from crawler.transport.wire import wire_options


async def test_a_response_keeps_every_field_line_and_the_decoded_body():
    fields = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2; Path=/"), ("Content-Encoding", "gzip")]
    packed = zlib.compressobj(wbits=31)
    body = packed.compress(b"page" * 100) + packed.flush()

    site = Site(lambda: httpx.Response(203, headers=fields, stream=httpx.ByteStream(body)))
    response = await downloader(site).fetch(Request(URL), attempt=3)
    assert (response.status, response.body, response.attempt) == (203, b"page" * 100, 3)
    assert response.headers.get_list("set-cookie") == ["a=1", "b=2; Path=/"]
    assert response.request.url == response.url == URL


def test_a_flow_is_for_the_origins_that_have_one():
    flow = httpx.DigestAuth("me", "secret")
    loader = downloader(Site(), credentials=OriginAuth({"https://site.test": flow, "https://b.test": "Bearer b"}))
    assert loader.auth_flow(Request(URL)) is flow
    assert loader.auth_flow(Request("https://b.test/")) is None
    assert loader.auth_flow(Request(URL, auth="Bearer own")) is None
    assert loader.auth_flow(Request(URL, headers={"Authorization": "x"})) is None
    assert downloader(Site()).auth_flow(Request(URL)) is None


async def test_the_deadline_counts_for_everything(autojump_clock):
    async def slow(_request):
        await trio.sleep(100)

    loader = Downloader(httpx.MockTransport(slow), Settings(request_deadline=5), lambda: 0.0)
    for timeout, waited in ((None, 5), (2, 2)):
        began = trio.current_time()
        with pytest.raises(FetchTimeout, match=f"no complete response within {waited} s") as caught:
            await loader.fetch(Request(URL, timeout=timeout))
        assert (caught.value.kind, caught.value.request.url) == ("deadline", URL)
        assert trio.current_time() - began == waited


@pytest.mark.parametrize("wants", [True, False])
async def test_the_stages_of_an_exchange_are_measured_if_they_are_wanted(serve, wants):
    server = await serve(answers(ok(b"x")))
    async with CurlTransport() as transport:
        settings = Settings(private_network=True)
        loader = Downloader(transport, settings, lambda: 0.0, wants_stages=wants)
        response = await loader.fetch(Request(server.url))
    if not wants:
        assert response.stages is None
        return
    assert list(response.stages) == ["dns", "connect", "first_byte", "body"]
    assert sum(response.stages.values()) <= response.elapsed + 0.01
    assert response.replace(status=404).stages == response.stages


async def test_the_proxy_of_a_request_goes_before_that_of_the_crawl():
    site = Site()
    settings = Settings(proxies="http://a.test:1")
    loader = downloader(site, settings, proxies=Proxies.from_settings(settings, {}))
    for proxy in (None, "http://own.test:2", "direct"):
        await loader.fetch(Request(URL, proxy=proxy))
    assert [request.extensions.get("proxy") for request in site.requests] == [
        "http://a.test:1",
        "http://own.test:2",
        None,
    ]
    assert dict(loader.proxies.requests) == {"a.test:1": 1}


@pytest.mark.parametrize(("private_network", "guards"), [(None, True), (False, True), (True, False)])
async def test_a_transport_around_the_libcurl_one_is_given_the_guard(private_network, guards):
    site = Site()
    loader = downloader(site, Settings(private_network=private_network))
    await loader.fetch(Request(URL))
    await loader.fetch(Request(URL).replace(depth=1))
    start, link = map(wire_options, site.requests)
    assert (start.address_guard is not None) is guards
    assert start.address_guard is loader.address_guard
    assert (start.is_start_page, link.is_start_page) == (guards, False)
    assert start.on_sent is None


async def test_a_start_page_that_a_plugin_answered_opens_its_network():
    loader = downloader(Site())
    loader.note_start_page(Request("http://intern.test/"))
    assert loader.address_guard.check("intern.test", ("10.0.0.1",)) == ("10.0.0.1",)


async def test_networks_of_an_earlier_run_stay_open():
    first = downloader(Site())
    first.address_guard.check("intern.test", ("10.0.0.1",), is_start_page=True)
    second = downloader(Site())
    second.address_guard.restore(first.address_guard.take_unsaved(whole=True))
    assert second.address_guard.allows("10.0.0.7")


async def stalls(peer):
    await peer.request()
    await peer.send(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nContent-Length: 100\r\n\r\nbegun")
    while await peer.receive():  # until the client disconnects
        pass


async def is_silent(peer):
    await peer.request()
    while await peer.receive():
        pass


async def drips_rubbish(peer):
    await peer.request()
    await peer.send(b"HTTP/1.1 200 OK\r\nrubbish\r\n\r\n")
    while True:
        await peer.send(b"x")
        await trio.sleep(0.005)


@pytest.mark.parametrize("handler", [stalls, is_silent, drips_rubbish])
async def test_libcurl_keeps_the_deadline_wherever_the_response_stops(serve, transport, handler):
    server = await serve(handler)
    loader = Downloader(transport, Settings(request_deadline=30, private_network=True), lambda: 0.0)
    sent = []
    with trio.fail_after(20), pytest.raises(FetchTimeout, match=r"no complete response within 0\.1 s") as caught:
        await loader.fetch(Request(server.url, timeout=0.1), on_sent=sent.append)
    assert (caught.value.kind, caught.value.retryable) == ("deadline", True)
    assert sent
    assert len(loader.cookies) == (handler is stalls)
    assert transport.statistics().transfers == 0


async def test_the_deadline_includes_the_lookup_of_the_name():
    class Hanging:
        async def resolve(self, host, port):
            await trio.sleep_forever()

    async with CurlTransport(resolver=Hanging()) as transport:
        loader = Downloader(transport, Settings(), lambda: 0.0)
        with trio.fail_after(20), pytest.raises(FetchTimeout, match=r"no complete response within 0\.05 s") as caught:
            await loader.fetch(Request(URL, timeout=0.05))
    assert caught.value.kind == "deadline"


async def test_a_request_out_of_time_is_neither_repeated_nor_blamed_on_its_proxy(serve, transport):
    server = await serve(is_silent)
    settings = Settings(proxies=(f"http://127.0.0.1:{server.port}", f"http://localhost:{server.port}"))
    loader = Downloader(transport, settings, lambda: 0.0, proxies=Proxies.from_settings(settings, {}))
    with trio.fail_after(20), pytest.raises(FetchTimeout) as caught:
        await loader.fetch(Request(URL, timeout=0.1))
    assert caught.value.kind == "deadline"
    assert [entry["failures"] for entry in loader.proxies.report().values()] == [0]


async def test_cookies_are_stored_if_the_caller_is_cancelled_during_the_body(serve, transport):
    server = await serve(stalls)
    loader = Downloader(transport, Settings(private_network=True), lambda: 0.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(loader.fetch, Request(server.url))
        await until(lambda: len(loader.cookies))
        nursery.cancel_scope.cancel()
    assert loader.cookies.header("", server.url, 0.0) == "a=1"


async def test_the_time_of_the_first_byte_is_not_that_of_the_last(serve, transport):
    async def handler(peer):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na")
        await trio.sleep(0.2)
        await peer.send(b"b")

    server = await serve(handler)
    response = await Downloader(transport, Settings(private_network=True), lambda: 0.0).fetch(Request(server.url))
    assert response.body == b"ab"
    assert response.first_byte < response.elapsed - 0.15
