"""TLS, and the HTTP versions negotiated in it: 1.1, 2 and 3."""

from __future__ import annotations

import socket
import ssl
from functools import partial

import httpx
import pytest
import trio
import trustme
from hypercorn.config import Config
from hypercorn.trio import serve as serve_hypercorn
from support.rawserver import answers, descriptors, get, ok, start

from crawler.errors import ConnectFailed
from crawler.transport.curl import CurlTransport
from crawler.transport.errors import translate
from crawler.transport.wire import EXTENSION, WireOptions, failure_of


async def app(scope, receive, send):
    """Responds with the HTTP version and the body of the request."""
    if scope["type"] == "lifespan":
        for event in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{event}.complete"})
        return
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    headers = [(b"x-protocol", scope["http_version"].encode()), (b"x-host", dict(scope["headers"]).get(b"host", b"-"))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body or b"hello"})


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def files(authority, tmp_path):
    """Return files with the certificate of an authority, and with one for ``localhost`` and its key."""
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    return tmp_path


class OwnSockets(Config):
    """Keeps the sockets it makes: hypercorn leaves those of QUIC open."""

    def create_sockets(self):
        self.sockets = super().create_sockets()
        return self.sockets


@pytest.fixture
async def hypercorn(files):
    """A server that speaks HTTP/1.1, 2 and 3 on one port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    config = OwnSockets()
    config.bind = config.quic_bind = [address]
    config.certfile, config.keyfile = str(files / "cert.pem"), str(files / "key.pem")
    config.errorlog = None
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(serve_hypercorn, app, config))
        yield f"https://localhost:{address.partition(':')[2]}/"
        nursery.cancel_scope.cancel()
    for opened in config.sockets.quic_sockets:
        opened.close()


@pytest.fixture
def serve_tls(authority, nursery):
    """Return a function that starts the raw server behind TLS, with HTTP/1.1 only; it may take a certificate."""

    async def serve(handler, *names, **options):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.set_alpn_protocols(["http/1.1"])
        authority.issue_cert(*(names or ("localhost",)), **options).configure_cert(context)

        async def encrypted(peer):
            peer.stream = trio.SSLStream(peer.stream, context, server_side=True, https_compatible=True)
            await handler(peer)

        return await start(nursery, encrypted)

    return serve


async def test_http_2_is_agreed_upon(hypercorn, files):
    async with CurlTransport(tls_verify=files / "ca.pem") as transport:
        response = await get(transport, hypercorn, headers=[("X-Case", "a")])
    assert response.http_version == "HTTP/2"
    assert response.headers["x-protocol"] == "2"
    assert response.content == b"hello"
    assert response.extensions["reason_phrase"] == b""


async def test_the_stages_of_a_new_and_of_a_kept_connection_are_measured(serve_tls, files):
    server = await serve_tls(answers(ok(), ok()))
    async with CurlTransport(tls_verify=files / "ca.pem") as transport:
        new, kept = {}, {}
        for stages in (new, kept):
            await get(
                transport, f"https://localhost:{server.port}/", extensions={EXTENSION: WireOptions(stages=stages)}
            )
    assert set(new) == {"dns", "connect", "tls"}
    assert set(kept) == {"dns"}
    assert all(0 <= seconds < 30 for seconds in new.values())
    assert new["tls"] > 0


async def test_many_requests_share_one_connection_of_http_2(hypercorn, files):
    before = descriptors()
    async with CurlTransport(tls_verify=files / "ca.pem") as transport:
        await get(transport, hypercorn)
        opened = descriptors()
        bodies = []

        async def one(number):
            bodies.append((await get(transport, hypercorn, method="POST", content=b"%d" % number)).content)

        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(one, number)
        assert descriptors() == opened > before
    assert sorted(bodies, key=int) == [b"%d" % number for number in range(20)]


async def test_a_stream_of_http_2_is_cancelled_without_harm_to_the_others(hypercorn, files):
    async with CurlTransport(tls_verify=files / "ca.pem") as transport:
        body = bytes(200_000)
        response = await transport.handle_async_request(httpx.Request("POST", hypercorn, content=body))
        other = await transport.handle_async_request(httpx.Request("POST", hypercorn, content=body))
        await response.aclose()
        assert await other.aread() == body


async def test_http_1_over_tls_is_not_serialised(serve_tls, files):
    arrived = 0
    everybody = trio.Event()

    async def handler(peer):
        nonlocal arrived
        while await peer.request():
            arrived += 1
            if arrived == 5:
                everybody.set()
            await everybody.wait()
            await peer.send(ok())

    server = await serve_tls(handler)
    async with CurlTransport(tls_verify=files / "ca.pem") as transport:
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                for _ in range(5):
                    nursery.start_soon(get, transport, f"https://localhost:{server.port}/")
    assert server.connections == 5


async def test_http_3_on_request(hypercorn, files):
    async with CurlTransport(tls_verify=files / "ca.pem", http3=True) as transport:
        for _ in range(3):
            response = await get(transport, hypercorn, method="POST", content=b"over QUIC")
    assert response.http_version == "HTTP/3"
    assert response.headers["x-protocol"] == "3"
    assert response.content == b"over QUIC"


async def test_http_3_falls_back_if_the_server_lacks_it(serve_tls, files):
    server = await serve_tls(answers(ok()))
    async with CurlTransport(tls_verify=files / "ca.pem", http3=True) as transport:
        response = await get(transport, f"https://localhost:{server.port}/")
    assert response.http_version == "HTTP/1.1"


UNTRUSTED = {
    "an authority that nobody knows": ((), {}, True, "unable to get local issuer certificate"),
    "another host": (("other.example",), {}, None, "localhost"),
}


@pytest.mark.parametrize("case", UNTRUSTED)
async def test_a_certificate_that_does_not_verify_is_an_error_for_good(serve_tls, files, case):
    names, options, verify, words = UNTRUSTED[case]
    server = await serve_tls(answers(ok()), *names, **options)
    async with CurlTransport(tls_verify=verify or files / "ca.pem") as transport:
        with pytest.raises(httpx.ConnectError) as caught:
            await get(transport, f"https://localhost:{server.port}/")
    error = translate(caught.value)
    assert isinstance(error, ConnectFailed)
    assert str(error).startswith(f"TLS with localhost:{server.port} failed: ")
    assert words in str(error)
    assert error.retryable is False
    assert failure_of(caught.value).sent is False
    assert server.heads == []


async def test_verification_can_be_turned_off(serve_tls):
    server = await serve_tls(answers(ok()), "other.example")
    async with CurlTransport(tls_verify=False) as transport:
        assert (await get(transport, f"https://localhost:{server.port}/")).content == b"ok"


async def test_a_server_that_speaks_no_tls(serve, transport):
    async def plain(peer):
        await peer.receive()
        await peer.send(ok())

    server = await serve(plain)
    with pytest.raises(httpx.ConnectError, match=f"TLS with localhost:{server.port} failed") as caught:
        await get(transport, f"https://localhost:{server.port}/")
    assert translate(caught.value).retryable is True
    assert failure_of(caught.value).sent is False


async def test_a_new_connection_resumes_the_tls_session_of_another_handle(files, nursery):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files / "cert.pem", files / "key.pem")
    resumed = []
    all_here = trio.Event()

    async def handler(stream):
        received = b""
        while b"\r\n\r\n" not in received:
            received += await stream.receive_some()
        resumed.append(stream.session_reused)
        if len(resumed) == 3:
            all_here.set()
        if len(resumed) > 1:
            await all_here.wait()  # so that two requests have handles of their own
        await stream.send_all(ok(b"ok", "Connection: close"))
        await stream.aclose()

    serve = partial(trio.serve_ssl_over_tcp, handler, 0, context, host="127.0.0.1", https_compatible=True)
    port = (await nursery.start(serve))[0].transport_listener.socket.getsockname()[1]
    async with CurlTransport(tls_verify=files / "ca.pem") as transport, trio.open_nursery() as requests:
        with trio.fail_after(20):
            await get(transport, f"https://127.0.0.1:{port}/")
            for _ in range(2):
                requests.start_soon(get, transport, f"https://127.0.0.1:{port}/")
            await all_here.wait()
    assert resumed == [False, True, True]
