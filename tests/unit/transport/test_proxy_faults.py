"""Where a request through a proxy failed, with real proxies on loopback."""

from __future__ import annotations

import ssl

import httpx
import pytest
import trio
import trustme
from support.proxies import http_proxy, socks_proxy
from support.rawserver import answers, get, ok

from crawler.transport.curl import CurlTransport
from crawler.transport.proxy_faults import fault_of, proxy_response_fault
from crawler.transport.wire import failure_of

NO = b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
def authority(tmp_path):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return authority


@pytest.fixture
async def transport(tmp_path, authority):
    async with CurlTransport(tls_verify=tmp_path / "ca.pem", connect_timeout=0.5) as opened:
        yield opened


def behind_tls(handler, authority, *names):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*names).configure_cert(context)

    async def encrypted(peer):
        peer.stream = trio.SSLStream(peer.stream, context, server_side=True, https_compatible=True)
        await handler(peer)

    return encrypted


async def closed_port():
    (closed,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = closed.socket.getsockname()[1]
    await closed.aclose()
    return port


async def hang(peer):
    await trio.sleep_forever()


async def shut(peer):
    return


async def shut_when_asked(peer):
    await peer.request()


async def cut_off(peer):
    await peer.request()
    await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx")


async def failure(transport, url, proxy):
    with pytest.raises(httpx.RequestError) as caught:
        await get(transport, url, extensions={"proxy": proxy})
    assert failure_of(caught.value).sent is False
    return caught.value


@pytest.mark.parametrize(
    ("handler", "scheme", "whose"),
    [
        pytest.param(http_proxy(answer=NO % 407), "http", "proxy", id="407"),
        pytest.param(http_proxy(password=b"Basic x"), "http", "proxy", id="password"),
        pytest.param(http_proxy(answer=NO % 502), "http", "beyond", id="502"),
        pytest.param(http_proxy(answer=NO % 503), "http", "beyond", id="503"),
        pytest.param(http_proxy(answer=NO % 504), "http", "beyond", id="504"),
        pytest.param(http_proxy(answer=NO % 403), "http", None, id="403"),
        pytest.param(http_proxy(), "http", "beyond", id="honest"),
        pytest.param(shut, "http", "proxy", id="shut"),
        pytest.param(shut_when_asked, "http", "proxy", id="shut-when-asked"),
        pytest.param(hang, "http", "beyond", id="hang"),
        pytest.param(shut, "socks5h", "proxy", id="socks-shut"),
        pytest.param(hang, "socks5h", "beyond", id="socks-hang"),
        pytest.param(socks_proxy(), "socks5h", "beyond", id="socks-honest"),
        pytest.param(socks_proxy(reply=1), "socks5h", "beyond", id="socks-failure"),
        pytest.param(socks_proxy(reply=4), "socks5", "beyond", id="socks-unreachable"),
        pytest.param(socks_proxy(password=(b"me", b"secret")), "socks5h", "proxy", id="socks-password"),
        pytest.param(socks_proxy(password=(b"me", b"secret")), "socks5h://me:wrong@", "proxy", id="socks-wrong"),
    ],
)
async def test_a_site_that_does_not_listen_or_a_proxy_that_does_not_help(serve, transport, handler, scheme, whose):
    proxy = await serve(handler)
    site = f"https://127.0.0.1:{await closed_port()}/"
    error = await failure(transport, site, f"{scheme if '@' in scheme else f'{scheme}://'}127.0.0.1:{proxy.port}")
    assert fault_of(error) == whose
    assert "secret" not in str(error)
    assert f"the proxy 127.0.0.1:{proxy.port}" in str(error)


@pytest.mark.parametrize("scheme", ["http", "https", "socks5", "socks5h"])
@pytest.mark.parametrize("site", ["http://site.test/", "https://site.test/"])
async def test_a_proxy_that_is_not_there(transport, scheme, site):
    port = await closed_port()
    if scheme == "socks5":
        site = site.replace("site.test", "127.0.0.9")
    error = await failure(transport, site, f"{scheme}://me:secret@127.0.0.1:{port}")
    assert (fault_of(error), str(error)) == ("proxy", f"connection refused by the proxy 127.0.0.1:{port}")


async def test_a_name_without_an_address_is_of_whom_it_names(transport):
    error = await failure(transport, "http://site.test/", "http://proxy.invalid:1")
    assert (type(error), fault_of(error)) == (httpx.ProxyError, "proxy")
    error = await failure(transport, "http://site.invalid/", "socks5://127.0.0.1:1")
    assert (type(error), fault_of(error)) == (httpx.ConnectError, None)


@pytest.mark.parametrize("scheme", ["http", "https", "socks5h"])
async def test_a_certificate_of_the_site_is_not_the_proxys_fault(serve, transport, authority, scheme):
    handler = socks_proxy() if scheme == "socks5h" else http_proxy()
    proxy = await serve(behind_tls(handler, authority, "127.0.0.1") if scheme == "https" else handler)
    site = await serve(behind_tls(answers(ok()), authority, "other.test"))
    error = await failure(transport, f"https://site.test:{site.port}/", f"{scheme}://127.0.0.1:{proxy.port}")
    assert fault_of(error) is None
    if scheme != "https":  # there libcurl does not say with which peer
        assert str(error).startswith(f"TLS with site.test:{site.port} failed")


@pytest.mark.parametrize("site", ["http://site.test/", "https://site.test/"])
async def test_a_certificate_of_the_proxy_is(serve, transport, authority, site):
    proxy = await serve(behind_tls(http_proxy(), authority, "other.test"))
    error = await failure(transport, site, f"https://127.0.0.1:{proxy.port}")
    assert fault_of(error) == "proxy"
    assert str(error).startswith(f"TLS with the proxy 127.0.0.1:{proxy.port} failed")


async def test_later_failures_and_those_without_a_proxy_are_not_blamed_on_it(serve, transport):
    cut = await serve(cut_off)
    with pytest.raises(httpx.RequestError) as caught:
        await get(transport, "http://site.test/", extensions={"proxy": f"http://127.0.0.1:{cut.port}"})
    assert fault_of(caught.value) is None
    assert fault_of(None) is None
    assert fault_of(httpx.ConnectError("x")) is None


def test_other_transports_say_it_by_their_kind_of_error():
    assert fault_of(httpx.ProxyError("x")) == "proxy"


@pytest.mark.parametrize(
    ("status", "fields", "whose"),
    [
        (407, {}, "proxy"),
        (502, {"Proxy-Status": "p.test; error=destination_unavailable"}, "beyond"),
        (504, {"Proxy-Status": "p.test;error=connection_timeout, q.test"}, "beyond"),
        (503, {"X-Squid-Error": "ERR_CONNECT_FAIL 111"}, "beyond"),
        (502, {}, None),
        (503, {"Retry-After": "5"}, None),
        (503, {"Proxy-Status": "p.test; received-status=503"}, None),
        (200, {"Proxy-Status": "p.test"}, None),
        (404, {"X-Squid-Error": "x"}, None),
    ],
)
def test_which_answers_are_a_proxys_own(status, fields, whose):
    assert proxy_response_fault(httpx.Response(status, headers=fields)) == whose
