"""Header lines that browsers accept and libcurl rejects."""

from __future__ import annotations

import gzip
import ssl

import httpx
import pytest
import trio
import trio.testing
import trustme
from support.faults.server import fault_server
from support.proxies import http_proxy, socks_proxy
from support.rawserver import answers, descriptors, get, ok, until

from crawler import Refused, Settings, Spider, crawl
from crawler.http.address_guard import AddressGuard
from crawler.transport.curl import CurlTransport, TransportStatistics
from crawler.transport.wire import EXTENSION, WireOptions, failure_of

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


async def test_an_unsafe_request_is_not_sent_twice(serve, transport):
    server = await serve(answers(RUBBISH))
    with pytest.raises(httpx.RemoteProtocolError, match="without colon"):
        await get(transport, server.url, method="POST", content=b"x")
    assert len(server.heads) == 1


async def test_a_request_is_sent_once_more_and_reported_each_time(serve, transport):
    server = await serve(answers(RUBBISH))
    told = []
    request = httpx.Request("GET", server.url, extensions={EXTENSION: WireOptions(on_sent=lambda _at: told.append(1))})
    await (await transport.handle_async_request(request)).aread()
    assert (len(server.heads), told) == (2, [1, 1])


async def test_on_a_lane_with_a_pace_the_second_has_a_turn_of_its_own(serve):
    server = await serve(answers(RUBBISH))
    settings = Settings(obey_robots=False, delay=0.01, backoff_base=0.0)
    report = await crawl(One(start_urls=[server.url]), settings=settings)
    assert (report.pages, report.retries, report.requests, len(server.heads)) == (1, 1, 2, 2)


async def test_a_turn_of_its_own_is_for_the_same_request_only(serve, transport):
    """It is not for requests with a proxy, with a body, or to an address that is no longer allowed."""
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
async def test_a_broken_response_is_still_an_error(serve, transport, second, kind):
    given = [RUBBISH, second]

    async def handler(peer):
        await peer.request()
        await peer.send(given.pop(0))

    server = await serve(handler)
    with trio.fail_after(3), pytest.raises(kind) as caught:
        await get(transport, server.url)
    assert failure_of(caught.value).sent is True
    assert "\n" not in str(caught.value)


async def test_silence_and_a_reset_are_reported(serve, transport):
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


async def test_a_closed_server_is_reported(nursery, transport):
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


async def test_closing_while_another_task_reads_is_an_error_there(serve, nursery):
    async def handler(peer):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nrubbish\r\nContent-Length: 9\r\n\r\nok")
        await trio.sleep_forever()

    server = await serve(handler)
    for closes_transport in (False, True):
        transport = CurlTransport()
        response = await transport.handle_async_request(httpx.Request("GET", server.url))
        assert transport.statistics().transfers == 1
        errors = []

        async def read(stream=response.stream, errors=errors):
            try:
                async for _ in stream:
                    pass
            except httpx.RequestError as error:
                errors.append(type(error))

        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked(0.05)
        await (transport if closes_transport else response).aclose()
        await until(lambda errors=errors: errors)
        assert errors == [httpx.CloseError if closes_transport else httpx.ReadError]
        assert transport.statistics().transfers == 0
        await transport.aclose()


async def test_a_deadline_ends_a_body_that_never_pauses(serve, transport):
    async def handler(peer):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nrubbish\r\n\r\n")
        while True:
            await peer.send(b"x" * 1_000_000)

    server = await serve(handler)
    response = await transport.handle_async_request(httpx.Request("GET", server.url))
    with trio.move_on_after(0.1) as scope:
        async for _ in response.stream:
            pass
    assert scope.cancelled_caught
    assert response.stream.received > 0
    await response.aclose()
    assert transport.statistics().transfers == 0


async def test_the_handle_serves_other_requests_afterwards(serve, transport):
    server = await serve(answers(RUBBISH))
    other = await serve(answers(ok(b"other")))
    for _ in range(3):
        assert (await get(transport, server.url)).content == b"ok"
        assert (await get(transport, other.url)).content == b"other"
    assert other.connections == 1
    assert transport.statistics() == TransportStatistics(transfers=0, idle_handles=1, driving=True)


async def test_its_connection_survives_more_connections_than_are_kept(serve):
    body = b"x" * 3_000_000
    server = await serve(answers(ok(body, "rubbish")))
    others = [await serve(answers(ok())) for _ in range(3)]
    async with CurlTransport(max_connections=1) as transport:
        response = await transport.handle_async_request(httpx.Request("GET", server.url))
        for other in others:
            await get(transport, other.url)
        assert await response.aread() == body


async def test_a_get_with_a_body_is_not_sent_twice(serve, transport):
    server = await serve(answers(RUBBISH))
    with pytest.raises(httpx.RemoteProtocolError, match="without colon"):
        await get(transport, server.url, content=b"x")
    assert len(server.heads) == 1


async def test_bytes_go_through_a_socks_proxy(serve, transport):
    server = await serve(answers(RUBBISH))
    proxy = await serve(socks_proxy())
    response = await get(
        transport, f"http://site.test:{server.port}/", extensions={"proxy": f"socks5h://127.0.0.1:{proxy.port}"}
    )
    assert (response.content, proxy.heads) == (b"ok", [b"site.test", b"site.test"])


async def test_an_http_proxy_without_a_tunnel_is_left_to_libcurl(serve, transport):
    proxy = await serve(answers(RUBBISH))
    with pytest.raises(httpx.RemoteProtocolError, match="without colon"):
        await get(transport, "http://site.test/", extensions={"proxy": f"http://127.0.0.1:{proxy.port}"})
    assert len(proxy.heads) == 1


async def test_a_tunnel_refused_with_such_a_line_is_an_error(serve, transport):
    proxy = await serve(answers(RUBBISH))
    with pytest.raises(httpx.RequestError):
        await get(transport, "https://site.test/", extensions={"proxy": f"http://127.0.0.1:{proxy.port}"})
    assert len(proxy.heads) == 1


@pytest.fixture
def behind_tls(serve, tmp_path):
    """Return a function that starts a server whose connections use TLS, each with the next of these names."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")

    async def start(handler, *names):
        contexts = []
        for name in names:
            contexts.append(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH))
            contexts[-1].set_alpn_protocols(["http/1.1"])
            authority.issue_cert(name).configure_cert(contexts[-1])

        async def encrypted(peer):
            context = contexts.pop(0) if len(contexts) > 1 else contexts[0]
            peer.stream = trio.SSLStream(peer.stream, context, server_side=True, https_compatible=True)
            await handler(peer)

        return await serve(encrypted)

    return start


@pytest.mark.parametrize("response", [RUBBISH, b"HTTP/1.1 200 OK\r\nrubbish\r\n\r\nok"])
async def test_tls_goes_through_the_tunnel_of_a_proxy(serve, behind_tls, tmp_path, response):
    """The second response ends with the connection, without a TLS close_notify."""
    server = await behind_tls(answers(response, then_close=True), "site.test")
    proxy = await serve(http_proxy(password=b"Basic bWU6c2VjcmV0"))
    url = f"https://site.test:{server.port}/a"
    async with CurlTransport(tls_verify=tmp_path / "ca.pem") as transport:
        response = await get(transport, url, extensions={"proxy": f"http://me:secret@127.0.0.1:{proxy.port}"})
    assert (response.content, response.http_version) == (b"ok", "HTTP/1.1")
    assert len(server.heads) == 2
    assert b"Proxy-Authorization" not in server.head
    assert [head.split()[0] for head in proxy.heads] == [b"CONNECT", b"CONNECT"]


async def test_certificates_are_verified_unless_the_transport_says_otherwise(behind_tls, tmp_path):
    for verify, is_accepted in ((tmp_path / "ca.pem", False), (False, True)):
        server = await behind_tls(answers(RUBBISH), "localhost", "other.test")
        async with CurlTransport(tls_verify=verify) as transport:
            url = f"https://localhost:{server.port}/"
            if is_accepted:
                assert (await get(transport, url)).content == b"ok"
            else:
                with pytest.raises(httpx.ConnectError) as caught:
                    await get(transport, url)
                assert (failure_of(caught.value).kind, failure_of(caught.value).sent) == ("tls_host", False)
        assert len(server.heads) == 1 + is_accepted


async def test_a_spider_sees_the_page():
    async with fault_server() as server:
        report = await crawl(One(start_urls=[server.url("line-no-colon")]))
    assert (report.items, report.failed) == (1, 0)
