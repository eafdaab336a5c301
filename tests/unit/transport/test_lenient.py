"""Header lines that browsers accept and libcurl rejects."""

from __future__ import annotations

import gzip
import ssl

import httpx
import pytest
import trio
import trustme
from support.rawserver import answers, descriptors, get, ok, until

from crawler import Refused, Settings, Spider, crawl
from crawler.http.address_guard import AddressGuard
from crawler.testing import fault_server
from crawler.transport.curl import CurlTransport
from crawler.transport.extensions import EXTENSION, WireOptions, failure_of
from crawler.transport.lenient import tls_context

RUBBISH = ok(b"ok", "rubbish", "A: b")


class One(Spider):
    def parse(self, response):
        yield dict(response.headers)


@pytest.fixture
async def transport():
    async with CurlTransport() as transport:
        yield transport


async def test_the_lines_around_are_read(serve, transport):
    server = await serve(answers(RUBBISH))
    await get(transport, (await serve(answers(ok(), then_close=True))).url)
    before = descriptors()
    for _ in range(3):
        response = await get(transport, server.url + "a?b=c", headers={"X-Mine": "1", "Accept-Encoding": "br"})
        assert (response.status_code, response.content, response.headers["a"]) == (200, b"ok", "b")
        assert response.extensions["wire_headers"] == [(b"A", b"b"), (b"Content-Length", b"2")]
        assert response.extensions["primary_ip"] == "127.0.0.1"
        assert response.http_version == "HTTP/1.1"
    assert b"GET /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" % server.port in server.head
    assert b"X-Mine: 1\r\n" in server.head
    assert server.head.count(b"Accept-Encoding") == 1
    await until(lambda: descriptors() <= before)


async def test_the_body_is_decoded_and_read_as_it_comes(serve, transport):
    server = await serve(answers(ok(gzip.compress(b"hello"), "rubbish", "Content-Encoding: gzip")))
    assert (await get(transport, server.url)).content == b"hello"
    chunked = b"HTTP/1.1 200 OK\r\nrubbish\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    server = await serve(answers(chunked))
    response = await get(transport, server.url)
    assert response.content == b"ok"
    assert "transfer-encoding" not in response.headers


async def test_head_has_no_body(serve, transport):
    server = await serve(answers(b"HTTP/1.1 200 OK\r\nrubbish\r\nContent-Length: 5\r\n\r\n"))
    with trio.fail_after(3):
        assert (await get(transport, server.url, method="HEAD")).content == b""


async def test_what_changes_something_is_not_sent_twice(serve, transport):
    server = await serve(answers(RUBBISH))
    with pytest.raises(httpx.RemoteProtocolError, match="without colon"):
        await get(transport, server.url, method="POST", content=b"x")
    assert len(server.heads) == 1


async def test_it_is_sent_once_more_and_told_once(serve, transport):
    server = await serve(answers(RUBBISH))
    told = []
    request = httpx.Request("GET", server.url, extensions={EXTENSION: WireOptions(on_sent=lambda: told.append(1))})
    await (await transport.handle_async_request(request)).aread()
    assert (len(server.heads), told) == (2, [1])


async def test_on_a_lane_with_a_pace_the_second_has_a_turn_of_its_own(serve):
    server = await serve(answers(RUBBISH))
    settings = Settings(obey_robots=False, delay=0.01, backoff_base=0.0)
    report = await crawl(One(start_urls=[server.url]), settings=settings)
    assert (report.pages, report.retries, report.requests, len(server.heads)) == (1, 1, 2, 2)


async def test_a_turn_of_its_own_is_for_the_same_request_only(serve, transport):
    """It is not for requests with a proxy, with a body, or to an address that is not allowed any more."""
    given = [RUBBISH]

    async def handler(peer):
        while await peer.request():
            await peer.send(given.pop() if given else ok())

    server = await serve(handler)
    in_turn = {EXTENSION: WireOptions(resend=False)}
    with pytest.raises(httpx.RemoteProtocolError):
        await get(transport, server.url, extensions=in_turn)
    proxy = await serve(answers(ok(b"by proxy")))
    asked = await get(transport, server.url, extensions=in_turn | {"proxy": f"http://127.0.0.1:{proxy.port}"})
    assert (asked.content, len(proxy.heads), len(server.heads)) == (b"by proxy", 1, 1)
    await get(transport, server.url, method="POST", content=b"hello", extensions=in_turn)
    assert server.bodies[-1] == b"hello"
    assert b"Connection: close" not in server.head
    with pytest.raises(Refused):
        await get(
            transport, server.url, extensions={EXTENSION: WireOptions(resend=False, address_guard=AddressGuard())}
        )
    assert len(server.heads) == 2


@pytest.mark.parametrize(
    ("second", "kind"),
    [
        (b"", httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\nrubbish\r\nContent-Length: 9\r\n\r\nok", httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\nrubbish\r\nA: \0\r\n\r\n", httpx.RemoteProtocolError),
    ],
)
async def test_what_is_broken_is_an_error_all_the_same(serve, transport, second, kind):
    given = [RUBBISH, second]

    async def handler(peer):
        await peer.request()
        await peer.send(given.pop(0))

    server = await serve(handler)
    with trio.fail_after(3), pytest.raises(kind) as caught:
        await get(transport, server.url)
    assert failure_of(caught.value).sent is True
    assert "\n" not in str(caught.value)


async def test_silence_and_a_reset_are_told(serve, transport):
    async def handler(peer):
        await peer.request()
        if len(server.heads) % 2:
            await peer.send(RUBBISH)
        elif len(server.heads) == 2:
            await trio.sleep_forever()
        else:
            peer.reset()

    server = await serve(handler)
    with pytest.raises(httpx.ReadTimeout):
        await get(transport, server.url, extensions={"timeout": {"read": 0.1}})
    with pytest.raises(httpx.RemoteProtocolError) as caught:
        await get(transport, server.url)
    assert failure_of(caught.value).kind == "reset"


async def test_a_server_that_is_gone_is_told(nursery, transport):
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]

    async def serve_once():
        async with await listener.accept() as stream:
            await stream.receive_some(9999)
            await listener.aclose()
            await stream.send_all(RUBBISH)

    nursery.start_soon(serve_once)
    with pytest.raises(httpx.ConnectError) as caught:
        await get(transport, f"http://127.0.0.1:{port}/")
    assert failure_of(caught.value).sent is False


async def test_cancelling_closes_its_connection(serve, transport):
    async def handler(peer):
        await peer.request()
        if len(server.heads) == 1:
            await peer.send(RUBBISH)
        else:
            await trio.sleep_forever()

    server = await serve(handler)
    await get(transport, (await serve(answers(ok(), then_close=True))).url)
    before = descriptors()
    with trio.move_on_after(0.2) as scope:
        await get(transport, server.url)
    assert scope.cancelled_caught
    await until(lambda: descriptors() <= before + 1)  # the server's own end


def test_tls_is_verified_unless_it_is_said_otherwise(tmp_path):
    assert tls_context(True).verify_mode is ssl.CERT_REQUIRED
    assert tls_context(True).check_hostname
    assert tls_context(False).verify_mode is ssl.CERT_NONE
    authority = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(authority)
    assert tls_context(authority).verify_mode is ssl.CERT_REQUIRED
    assert len(tls_context(authority).get_ca_certs()) == 1


async def test_a_spider_sees_the_page():
    async with fault_server() as server:
        report = await crawl(One(start_urls=[server.url("line-no-colon")]))
    assert (report.items, report.failed) == (1, 0)
