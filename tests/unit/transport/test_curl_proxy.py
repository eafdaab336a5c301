"""Proxies named by a request; those of the environment are ignored."""

from __future__ import annotations

import ssl

import httpx
import pytest
import trio
import trustme
from support.proxies import socks_proxy, tunnel
from support.rawserver import answers, get, ok

from crawler.transport.curl import CurlTransport
from crawler.transport.errors import translate
from crawler.transport.wire import failure_of


async def http_proxy(peer):
    """Connects every CONNECT to loopback, and answers everything else itself."""
    while head := await peer.request():
        method, target, _ = head.split(b"\r\n")[0].split()
        if method != b"CONNECT":
            await peer.send(ok(b"by the proxy: " + target))
            continue
        await tunnel(peer, target)
        return


def through(server, scheme="http", user=""):
    return {"proxy": f"{scheme}://{user}127.0.0.1:{server.port}"}


async def test_http_is_passed_on_with_the_whole_url(serve, transport):
    proxy = await serve(http_proxy)
    response = await get(transport, "http://site.test/a?b", extensions=through(proxy), headers=[("X-A", "b")])
    assert response.content == b"by the proxy: http://site.test/a?b"
    assert b"X-A: b" in proxy.head
    assert b"Host: site.test" in proxy.head
    assert (await get(transport, proxy.url)).content == b"by the proxy: /"  # the same handle connects directly again


async def test_percent_encoded_bytes_keep_the_case_of_their_digits(serve, transport):
    proxy = await serve(http_proxy)
    response = await get(transport, "http://site.test/%c3%a9?%2f", extensions=through(proxy))
    assert response.content == b"by the proxy: http://site.test/%c3%a9?%2f"
    assert (await get(transport, "http://site.test/x", extensions=through(proxy))).content.endswith(b"/x")


async def test_a_proxy_given_as_a_url_of_httpx_with_a_password(serve, transport):
    proxy = await serve(http_proxy)
    extensions = {"proxy": httpx.URL(through(proxy, user="me:secret@")["proxy"])}
    await get(transport, "http://site.test/", extensions=extensions)
    assert b"Proxy-Authorization: Basic bWU6c2VjcmV0" in proxy.head


@pytest.fixture
async def secure(nursery, tmp_path):
    """Return a function that puts a server behind TLS for ``site.test``, and the file of its authority."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("site.test", "127.0.0.1").configure_cert(context)

    def behind_tls(handler):
        async def encrypted(peer):
            peer.stream = trio.SSLStream(peer.stream, context, server_side=True, https_compatible=True)
            await handler(peer)

        return encrypted

    return behind_tls, tmp_path / "ca.pem"


async def test_https_goes_through_a_tunnel_and_the_proxys_own_answer_is_not_ours(serve, secure):
    behind_tls, authority = secure
    server = await serve(behind_tls(answers(ok(b"secret", "X-Site: yes"))))
    proxy = await serve(http_proxy)
    async with CurlTransport(tls_verify=authority) as transport:
        for _ in range(2):
            fields = {"Authorization": "Bearer x", "User-Agent": "me", "Cookie": "a=b"}
            url = f"https://site.test:{server.port}/%c3%a9"
            response = await get(transport, url, extensions=through(proxy), headers=fields)
            assert response.content == b"secret"
            assert server.head.startswith(b"GET /%c3%a9 HTTP/1.1\r\n")
            assert "x-proxy" not in response.headers
            assert response.headers["x-site"] == "yes"
    authority = f"site.test:{server.port}"
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}", "Proxy-Connection: Keep-Alive"]
    assert proxy.head.decode().split("\r\n") == lines, "nothing that is meant for the site"
    assert (proxy.connections, server.connections) == (1, 1)


@pytest.mark.parametrize("field", [b"Content-Length: 5", b"Transfer-Encoding: chunked"])
async def test_a_tunnel_begins_after_the_header_section_of_any_2xx_even_with_a_content_length(serve, secure, field):
    behind_tls, authority = secure
    server = await serve(behind_tls(answers(ok(b"secret"))))

    async def odd(peer):
        target = (await peer.request()).split()[1]
        await tunnel(peer, target, told=b"HTTP/1.1 204 Fine\r\n%b\r\n\r\n" % field)

    proxy = await serve(odd)
    async with CurlTransport(tls_verify=authority) as transport:
        response = await get(transport, f"https://site.test:{server.port}/", extensions=through(proxy))
    assert response.content == b"secret"


@pytest.mark.parametrize("http3", [False, True])
async def test_a_tunnel_is_not_shared_by_users_of_the_proxy(serve, secure, http3):
    behind_tls, authority = secure
    server = await serve(behind_tls(answers(ok(b"secret"))))
    proxy = await serve(http_proxy)
    async with CurlTransport(tls_verify=authority, http3=http3) as transport:
        for user in "aab":
            url = f"https://site.test:{server.port}/"
            await get(transport, url, extensions=through(proxy, user=f"{user}:1@"))
    assert [head.split(b"\r\n")[2] for head in proxy.heads] == [
        b"Proxy-Authorization: Basic YTox", b"Proxy-Authorization: Basic Yjox",
    ]  # fmt: skip


async def test_a_proxy_over_tls(serve, secure):
    behind_tls, authority = secure
    proxy = await serve(behind_tls(http_proxy))
    async with CurlTransport(tls_verify=authority) as transport:
        response = await get(transport, "http://site.test/", extensions=through(proxy, "https"))
    assert response.content == b"by the proxy: http://site.test/"


@pytest.mark.parametrize(("scheme", "told"), [("socks5h", b"site.test"), ("socks5", b"127.0.0.9")])
async def test_socks_with_names_resolved_there_or_here(serve, scheme, told):
    class Table:
        async def resolve(self, host, port):
            return ("127.0.0.9",) if host == "site.test" else (host,)

    server = await serve(answers(ok()))
    proxy = await serve(socks_proxy())
    async with CurlTransport(resolver=Table()) as transport:
        response = await get(transport, f"http://site.test:{server.port}/", extensions=through(proxy, scheme))
    assert response.content == b"ok"
    assert proxy.heads == [told]


async def test_a_proxy_by_name_is_resolved_by_our_resolver(serve):
    class Table:
        async def resolve(self, host, port):
            return {"proxy.test": ("127.0.0.1",)}[host]

    proxy = await serve(http_proxy)
    async with CurlTransport(resolver=Table()) as transport:
        extensions = {"proxy": f"http://proxy.test:{proxy.port}"}
        response = await get(transport, "http://site.test/", extensions=extensions)
    assert response.content == b"by the proxy: http://site.test/"


async def test_the_environment_names_no_proxy_and_excepts_none(serve, transport, monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1/")
    server = await serve(answers(ok()))
    assert (await get(transport, server.url)).content == b"ok"
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("NO_PROXY", "*")
    proxy = await serve(http_proxy)
    response = await get(transport, server.url, extensions=through(proxy))
    assert response.content.startswith(b"by the proxy")


async def test_a_refused_proxy_is_named(transport):
    (closed,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = closed.socket.getsockname()[1]
    await closed.aclose()
    with pytest.raises(httpx.ConnectError) as caught:
        await get(transport, "http://site.test/", extensions={"proxy": f"http://127.0.0.1:{port}"})
    assert str(caught.value) == f"connection refused by the proxy 127.0.0.1:{port}"
    assert failure_of(caught.value).sent is False


async def test_a_proxy_that_declines_the_tunnel_is_a_proxy_error_and_nothing_was_sent(serve, transport):
    proxy = await serve(answers(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"))
    with pytest.raises(httpx.ProxyError, match="403") as caught:
        await get(transport, "https://site.test/", extensions=through(proxy))
    assert failure_of(caught.value).sent is False
    assert str(translate(caught.value)).startswith(f"the proxy 127.0.0.1:{proxy.port}: ")


@pytest.mark.parametrize("proxy", ["ftp://127.0.0.1:1", "127.0.0.1:1", "", "http://", 7])
async def test_an_invalid_proxy_is_refused(transport, proxy):
    with pytest.raises(httpx.UnsupportedProtocol, match="not a proxy") as caught:
        await get(transport, "http://127.0.0.1/", extensions={"proxy": proxy})
    assert failure_of(caught.value).sent is False
