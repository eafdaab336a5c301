"""`Downloader` over transports of httpx: requests, responses, and the limits of both.

Bodies over real sockets and libcurl are in tests/unit/transport/test_bodies.py.
"""

from __future__ import annotations

import base64
import gc
import zlib

import httpx
import pytest
import trio
from support.rawserver import answers, ok, until

from crawler import Drop, Request, Settings
from crawler.errors import BodyTooLarge, BrokenExchange, ConnectFailed, FetchError, FetchTimeout
from crawler.fetch.auth import OriginAuth
from crawler.fetch.body_receiver import BodyReceiver
from crawler.fetch.downloader import Downloader
from crawler.fetch.proxies import Proxies
from crawler.transport.curl import CurlTransport
from crawler.transport.extensions import wire_options

URL = "https://site.test/a?b"


class Site:
    """Records requests, and returns `response` or raises it."""

    def __init__(self, response=None):
        self.response = httpx.Response(200, content=b"page") if response is None else response
        self.requests = []

    async def __call__(self, request):
        self.requests.append(request)
        if isinstance(self.response, Exception):
            raise self.response
        return self.response() if callable(self.response) else self.response


def downloader(site, settings=None, **options):
    return Downloader(httpx.MockTransport(site), settings or Settings(user_agent="Bot/1"), lambda: 1000.0, **options)


def sent_fields(site):
    return [(name.decode(), value.decode()) for name, value in site.requests[-1].headers.raw]


async def test_a_request_has_the_fields_of_the_crawl_and_its_own_in_their_place():
    site = Site()
    loader = downloader(site, Settings(user_agent="Bot/1", headers={"X-All": "1", "Accept-Language": "de"}))
    await loader.fetch(Request(URL, headers={"accept-language": "en", "X-ALL": "", "X-Own": "2"}))
    fields = dict(sent_fields(site))
    assert fields["User-Agent"] == "Bot/1"
    assert fields["Accept"].startswith("text/html")
    assert (fields["accept-language"], fields["X-Own"]) == ("en", "2")
    assert "X-All" not in fields
    assert "X-ALL" not in fields


async def test_a_response_keeps_every_field_line_and_the_decoded_body():
    fields = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2; Path=/"), ("Content-Encoding", "gzip")]
    packed = zlib.compressobj(wbits=31)
    body = packed.compress(b"page" * 100) + packed.flush()

    site = Site(lambda: httpx.Response(203, headers=fields, stream=httpx.ByteStream(body)))
    response = await downloader(site).fetch(Request(URL), attempt=3)
    assert (response.status, response.body, response.attempt) == (203, b"page" * 100, 3)
    assert response.headers.get_list("set-cookie") == ["a=1", "b=2; Path=/"]
    assert response.request.url == response.url == URL


async def test_cookies_of_a_session_come_back_and_those_of_the_request_go_before():
    site = Site(lambda: httpx.Response(200, headers=[("Set-Cookie", "a=1; Path=/"), ("Set-Cookie", "b=2; Path=/")]))
    loader = downloader(site)
    await loader.fetch(Request(URL, session="me"))
    await loader.fetch(Request(URL, session="me", cookies={"b": "own", "c": "3"}))
    assert dict(sent_fields(site))["Cookie"] == "a=1; b=own; c=3"
    await loader.fetch(Request(URL, session="me", headers={"Cookie": "only=this"}))
    assert [value for name, value in sent_fields(site) if name.lower() == "cookie"] == ["only=this"]
    await loader.fetch(Request(URL, session="another"))
    assert "Cookie" not in dict(sent_fields(site))


async def test_credentials_go_to_their_origin_unless_the_request_has_its_own():
    site = Site()
    loader = downloader(site, credentials=OriginAuth({"https://site.test": ("me", "pä:ss")}))
    await loader.fetch(Request(URL))
    assert dict(sent_fields(site))["Authorization"] == "Basic " + base64.b64encode("me:pä:ss".encode()).decode()
    await loader.fetch(Request(URL, auth="Bearer own"))
    assert dict(sent_fields(site))["Authorization"] == "Bearer own"
    await loader.fetch(Request("https://other.test/"))
    assert "Authorization" not in dict(sent_fields(site))


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


@pytest.mark.parametrize(
    ("raised", "kind", "told"),
    [
        (httpx.ConnectError("refused"), ConnectFailed, 0),
        (httpx.ReadError("reset"), BrokenExchange, 1),
        (httpx.ProxyError("no"), ConnectFailed, 0),
        (KeyError("a bug"), FetchError, 1),
    ],
)
async def test_exceptions_are_translated_and_sending_is_reported_unless_it_never_began(raised, kind, told):
    times = []
    with pytest.raises(kind) as caught:
        await downloader(Site(raised)).fetch(Request(URL), on_sent=times.append)
    assert caught.value.request.url == URL
    assert caught.value.__cause__ is raised
    assert len(times) == told


async def test_a_body_may_be_as_large_as_the_request_or_the_settings_say():
    site = Site(lambda: httpx.Response(200, stream=httpx.ByteStream(b"x" * 101)))
    for settings, limit in ((Settings(max_body=100), None), (Settings(), 100)):
        with pytest.raises(BodyTooLarge, match="the body is larger than 100 bytes"):
            await downloader(site, settings).fetch(Request(URL, max_body=limit))
    assert len((await downloader(site, Settings(max_body=100)).fetch(Request(URL, max_body=101))).body) == 101


@pytest.mark.parametrize("fields", [{}, {"Accept-Encoding": "identity"}], ids=["any", "identity"])
async def test_libcurl_hands_out_a_body_while_the_server_still_sends_it(serve, fields):
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
        response = await loader.fetch(Request(server.url, headers=fields), receiver=BodyReceiver(receive))
    assert (response.body, writer.size) == (b"", 100_000)


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


async def test_libcurl_sends_nothing_more_after_a_body_was_dropped(serve):
    async def receive(response):
        return Drop("enough")

    server = await serve(answers(ok(b"x" * 3_000_000)))
    async with CurlTransport() as transport:
        loader = Downloader(transport, Settings(private_network=True), lambda: 0.0)
        for _ in range(2):
            response = await loader.fetch(Request(server.url), receiver=BodyReceiver(receive))
            assert (response.status, response.body) == (200, b"")
    assert server.connections == 2


async def test_a_cut_body_is_never_too_large_and_its_rest_is_not_read(serve):
    server = await serve(answers(ok(b"x" * 3_000_000)))
    settings = Settings(max_body=5, private_network=True)
    async with httpx.AsyncHTTPTransport() as transport:
        response = await Downloader(transport, settings, lambda: 0.0).fetch(Request(server.url), cut=25)
    assert 25 < len(response.body) < 1_000_000
    gc.collect()  # no generator of httpx is left open


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
    with trio.fail_after(2), pytest.raises(FetchTimeout, match=r"no complete response within 0\.1 s") as caught:
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
        with trio.fail_after(2), pytest.raises(FetchTimeout, match=r"no complete response within 0\.05 s") as caught:
            await loader.fetch(Request(URL, timeout=0.05))
    assert caught.value.kind == "deadline"


async def test_a_request_out_of_time_is_neither_repeated_nor_blamed_on_its_proxy(serve, transport):
    server = await serve(is_silent)
    settings = Settings(proxies=(f"http://127.0.0.1:{server.port}", f"http://localhost:{server.port}"))
    loader = Downloader(transport, settings, lambda: 0.0, proxies=Proxies.from_settings(settings, {}))
    with trio.fail_after(2), pytest.raises(FetchTimeout) as caught:
        await loader.fetch(Request(URL, timeout=0.1))
    assert caught.value.kind == "deadline"
    assert [entry["failures"] for entry in loader.proxies.report().values()] == [0]


async def test_cookies_are_stored_although_the_caller_gives_up_during_the_body(serve, transport):
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
