"""Streams of HTTP/2 that the server has certainly not processed are sent again, whatever the method; no others are."""

from __future__ import annotations

import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import attrs
import httpx
import pytest
import trio
import trustme
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, RequestReceived

from crawler.errors import FetchError
from crawler.transport.curl import CurlTransport
from crawler.transport.errors import translate

Behaviour = Callable[["Exchange"], Awaitable[None]]
GONE = (trio.BrokenResourceError, trio.ClosedResourceError)


@attrs.define(eq=False)
class Exchange:
    """One request, as the server sees it."""

    protocol: H2Connection
    stream: trio.SSLStream[trio.SocketStream]
    stream_id: int
    path: str
    number: int
    """Of the request on its connection, from 1."""
    connection: int
    """Number of the connection, from 1."""

    async def reply(self) -> None:
        """Send a good response."""
        self.protocol.send_headers(self.stream_id, [(":status", "200")])
        self.protocol.send_data(self.stream_id, self.path.encode(), end_stream=True)
        await self.flush()

    async def reset(self, code: ErrorCodes) -> None:
        """Reset the stream."""
        self.protocol.reset_stream(self.stream_id, code)
        await self.flush()

    async def go_away(self, last_stream: int, code: ErrorCodes = ErrorCodes.NO_ERROR) -> None:
        """Announce that streams after `last_stream` are not processed (RFC 9113 section 6.8)."""
        payload = last_stream.to_bytes(4, "big") + code.to_bytes(4, "big")
        await self.stream.send_all(len(payload).to_bytes(3, "big") + b"\x07\x00" + bytes(4) + payload)

    async def flush(self) -> None:
        await self.stream.send_all(self.protocol.data_to_send())


class Server:
    """Serves HTTP/2 with a behaviour, and counts the requests that arrive."""

    def __init__(self, behave: Behaviour, context: ssl.SSLContext) -> None:
        self.behave = behave
        self.context = context
        self.connections = 0
        self.seen: Counter[str] = Counter()

    async def accept(self, socket: trio.SocketStream) -> None:
        self.connections += 1
        stream = trio.SSLStream(socket, self.context, server_side=True, https_compatible=True)
        try:
            await self.serve(stream, self.connections)
        except GONE:
            pass
        finally:
            await trio.aclose_forcefully(stream)

    async def serve(self, stream: trio.SSLStream[trio.SocketStream], connection: int) -> None:
        protocol = H2Connection(H2Configuration(client_side=False))
        protocol.initiate_connection()
        await stream.send_all(protocol.data_to_send())
        number = 0
        while received := await stream.receive_some(65_536):
            events = protocol.receive_data(received)
            await stream.send_all(protocol.data_to_send())
            for event in events:
                if isinstance(event, DataReceived) and event.flow_controlled_length:
                    protocol.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                if isinstance(event, RequestReceived):
                    number += 1
                    path = dict(event.headers)[b":path"].decode()
                    self.seen[path] += 1
                    await self.behave(Exchange(protocol, stream, event.stream_id, path, number, connection))


@asynccontextmanager
async def served(folder: Path, behave: Behaviour) -> AsyncIterator[tuple[Server, CurlTransport, str]]:
    """Serve a behaviour. Yield the server, a transport that trusts it, and its origin."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    context.set_alpn_protocols(["h2"])
    server = Server(behave, context)
    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, server.accept, 0, host="127.0.0.1"))
        async with CurlTransport(tls_verify=folder / "ca.pem") as transport:
            yield server, transport, f"https://localhost:{listener.socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


async def refuses_first(exchange: Exchange) -> None:
    if exchange.connection == 1:
        await exchange.reset(ErrorCodes.REFUSED_STREAM)
    else:
        await exchange.reply()


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
async def test_a_refused_stream_is_sent_again_on_a_new_connection(tmp_path: Path, method: str) -> None:
    async with served(tmp_path, refuses_first) as (server, transport, origin):
        response = await transport.handle_async_request(httpx.Request(method, f"{origin}/a", content=b"body"))
        assert (response.status_code, await response.aread()) == (200, b"/a")
        assert (server.seen["/a"], server.connections) == (2, 2)


@pytest.mark.parametrize("code", [ErrorCodes.INTERNAL_ERROR, ErrorCodes.CANCEL, ErrorCodes.ENHANCE_YOUR_CALM])
async def test_a_post_that_may_have_been_processed_is_not_sent_again(tmp_path: Path, code: ErrorCodes) -> None:
    async def behave(exchange: Exchange) -> None:
        await exchange.reset(code)

    async with served(tmp_path, behave) as (server, transport, origin):
        with pytest.raises(httpx.TransportError):
            await transport.handle_async_request(httpx.Request("POST", f"{origin}/a", content=b"body"))
        assert server.seen["/a"] == 1


@pytest.mark.parametrize("is_whole_connection", [False, True])
async def test_enhance_your_calm_is_reported_as_a_refusal(tmp_path: Path, is_whole_connection: bool) -> None:
    async def behave(exchange: Exchange) -> None:
        if is_whole_connection:
            await exchange.go_away(0, ErrorCodes.ENHANCE_YOUR_CALM)
        else:
            await exchange.reset(ErrorCodes.ENHANCE_YOUR_CALM)

    async with served(tmp_path, behave) as (_, transport, origin):
        with pytest.raises(httpx.RemoteProtocolError) as caught:
            await transport.handle_async_request(httpx.Request("GET", f"{origin}/a"))
    error = translate(caught.value)
    assert (error.full_reason, error.retryable) == ("broken_exchange.enhance_your_calm", True)
    assert isinstance(error, FetchError)
    assert error.is_refusal


async def test_of_the_posts_before_a_goaway_those_after_its_last_stream_are_sent_again(tmp_path: Path) -> None:
    posts: list[Exchange] = []

    async def behave(exchange: Exchange) -> None:
        """Process the first three posts of the first connection, but close it before the third response."""
        if exchange.connection > 1 or exchange.path == "/first":
            await exchange.reply()
            return
        posts.append(exchange)
        if len(posts) == 5:
            await exchange.go_away(posts[2].stream_id)
            await posts[0].reply()
            await posts[1].reply()
            await trio.sleep(0.1)  # until the client has read that
            raise trio.ClosedResourceError

    results: dict[str, int | str] = {}
    async with served(tmp_path, behave) as (server, transport, origin):

        async def post(path: str) -> None:
            try:
                response = await transport.handle_async_request(httpx.Request("POST", f"{origin}{path}", content=b"x"))
                results[path] = (await response.aread()).decode()
            except httpx.TransportError as error:
                results[path] = type(error).__name__

        await transport.handle_async_request(httpx.Request("GET", f"{origin}/first"))  # now there is a connection
        async with trio.open_nursery() as nursery:
            for number in range(5):
                nursery.start_soon(post, f"/{number}")
        arrived = [exchange.path for exchange in posts]
        assert len(arrived) == 5
        lost = arrived[2]
        assert results.pop(lost) not in results, "the server had it, and closed the connection"
        assert results == {path: path for path in arrived if path != lost}
        assert [server.seen[path] for path in arrived] == [1, 1, 1, 2, 2]
