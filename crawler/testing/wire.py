"""`Wire`: the real httpx client with a real HTTP/1.1 server, over streams in memory.

It simulates what a `FakeSite` cannot: connections that are kept alive, bodies that arrive slowly, servers that hang or
break the connection, responses that are not HTTP. In virtual time, a timeout of 30 seconds takes no time.
"""

from __future__ import annotations

import ssl
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import aclosing, closing, nullcontext
from typing import Any, TypeAlias

import attrs
import h11
import httpcore
import httpx
import trio
from trio.testing import MemoryReceiveStream, MemorySendStream, memory_stream_one_way_pair

from crawler.headers import Headers

__all__ = ["Asked", "Connection", "Reply", "Steps", "Wire", "WireHandler"]

Steps: TypeAlias = Iterable[bytes | float | None] | AsyncIterable[bytes | float | None]
"""The steps of sending: bytes, seconds to wait (infinite means forever), or `None` to break the connection."""
CHUNK = 65536


@attrs.frozen(kw_only=True)
class Asked:
    """A request that the server of a `Wire` received."""

    method: str
    """HTTP method."""
    target: str
    """Path and query."""
    headers: Headers
    """The header fields as they were sent."""
    body: bytes
    """The body."""


@attrs.frozen
class Reply:
    """A valid HTTP response."""

    body: bytes | Steps = b""
    """The body. Steps are sent as chunks."""
    status: int = 200
    """HTTP status code."""
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = attrs.field(default=(), kw_only=True)
    """The header fields. ``Content-Length`` or ``Transfer-Encoding`` is added."""


WireHandler: TypeAlias = "Callable[[Asked], Awaitable[Reply | Steps | None]]"
"""The server of a `Wire`: a function of a request that returns a `Reply`; raw steps, after which the connection is
closed; or `None` to break the connection."""


@attrs.define(eq=False)
class Connection:
    """A connection of a `Wire`."""

    host: str
    """Host name."""
    port: int
    """Port."""
    at: float
    """When it was opened, in seconds of trio's clock."""
    requests: list[Asked] = attrs.field(factory=list)
    """The requests on it, in order."""
    is_open: bool = True
    """Whether neither side has closed it."""
    broken: bool = False
    """Whether the server broke it."""


class Wire:
    r"""A transport of the real httpx and httpcore, whose connections end at a function::

        async def handler(asked: Asked) -> Reply:
            return Reply(f"you asked for {asked.target}".encode())

        wire = Wire(nursery, handler)
        async with httpx.AsyncClient(transport=wire.transport) as client:
            response = await client.get("https://site.test/hello")
        assert response.text == "you asked for /hello"
        assert len(wire.connections) == 1

    The handler may wait, hang (`trio.sleep_forever`), send slowly (``Reply([b"<p>", 4.0, b"text"])``), break the
    connection halfway (``Reply([b"half", None])``) or at once (``return None``), and send any bytes:
    ``return [b"HTTP/1.1 200 OK\r\n"]``. Every host is served, ``https`` without TLS. An exception in the handler ends
    the nursery.

    Parameters:
        nursery: The nursery in which the server's side of each connection runs. Cancel it at the end.
        handler: Returns the response to each request.
    """

    def __init__(self, nursery: trio.Nursery, handler: WireHandler) -> None:
        self.connections: list[Connection] = []
        """All connections, in the order in which they were opened."""
        self.transport: httpx.AsyncBaseTransport = _Transport(_Network(nursery, handler, self.connections))
        """A transport for `crawl` or `httpx.AsyncClient`."""


# ---- the client's side ----------------------------------------------------------------------------------------------


class _Transport(httpx.AsyncHTTPTransport):
    """The transport of httpx over a network in memory."""

    def __init__(self, network: httpcore.AsyncNetworkBackend) -> None:
        super().__init__(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        self._pool = httpcore.AsyncConnectionPool(network_backend=network, max_connections=None)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.stream = _Once(await request.aread())
        return await super().handle_async_request(request)


class _Once(httpx.AsyncByteStream):
    """The body of a request. That of httpx is an async generator, which is not closed if sending is cancelled."""

    def __init__(self, content: bytes) -> None:
        self._content: bytes | None = content

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._content is None:
            raise StopAsyncIteration
        content, self._content = self._content, None
        return content


class _Network(httpcore.AsyncNetworkBackend):
    """Provides httpcore with streams in memory."""

    def __init__(self, nursery: trio.Nursery, handler: WireHandler, connections: list[Connection]) -> None:
        self._nursery = nursery
        self._handler = handler
        self._connections = connections

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        await trio.lowlevel.checkpoint()
        connection = Connection(host, port, trio.current_time())
        self._connections.append(connection)
        to_server, from_client = memory_stream_one_way_pair()
        to_client, from_server = memory_stream_one_way_pair()
        self._nursery.start_soon(_Server(connection, from_client, to_client).serve, self._handler)
        return _Stream(connection, from_server, to_server)

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)


class _Stream(httpcore.AsyncNetworkStream):
    """The client's end of a connection."""

    def __init__(self, connection: Connection, receiving: MemoryReceiveStream, sending: MemorySendStream) -> None:
        self._connection = connection
        self._receiving = receiving
        self._sending = sending

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        try:
            with trio.fail_after(float("inf") if timeout is None else timeout):
                data = bytes(await self._receiving.receive_some(max_bytes))
        except trio.TooSlowError as error:
            raise httpcore.ReadTimeout("no data received") from error
        except trio.ClosedResourceError as error:
            raise httpcore.ReadError("the connection is closed") from error
        if not data and self._connection.broken:
            raise httpcore.ReadError("connection reset by peer")
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        try:
            await self._sending.send_all(buffer)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise httpcore.WriteError("connection reset by peer") from error

    async def aclose(self) -> None:
        self._connection.is_open = False
        self._sending.close()
        self._receiving.close()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        return self

    def get_extra_info(self, info: str) -> Any:
        """Return whether the peer has closed the connection (httpcore asks before reusing it); otherwise `None`."""
        return not self._connection.is_open if info == "is_readable" else None


# ---- the server's side ----------------------------------------------------------------------------------------------


class _Break(Exception):
    """Raised to break the connection."""


class _Server:
    """The server's end of a connection."""

    def __init__(self, connection: Connection, receiving: MemoryReceiveStream, sending: MemorySendStream) -> None:
        self._connection = connection
        self._receiving = receiving
        self._sending = sending
        self._http = h11.Connection(h11.SERVER)

    async def serve(self, handler: WireHandler) -> None:
        """Answer requests until one side closes the connection."""
        with closing(self._sending), closing(self._receiving):
            try:
                while (asked := await self._next()) is not None:
                    self._connection.requests.append(asked)
                    answer = await handler(asked)
                    if not isinstance(answer, Reply):
                        await self._send_raw(answer)
                        return
                    await self._send_reply(answer, asked)
                    if self._http.our_state is h11.MUST_CLOSE:
                        return
                    self._http.start_next_cycle()
            except _Break:
                self._connection.broken = True
            except trio.BrokenResourceError:
                pass  # the client has closed the connection
            finally:
                self._connection.is_open = False

    async def _next(self) -> Asked | None:
        """Read the next request; return `None` if the client has closed the connection or does not speak HTTP."""
        head: h11.Request | None = None
        body = bytearray()
        while True:
            await trio.lowlevel.checkpoint()
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError:
                return None
            if event is h11.NEED_DATA:
                self._http.receive_data(bytes(await self._receiving.receive_some(CHUNK)))
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                raw = head.headers.raw_items()
                return Asked(
                    method=head.method.decode(),
                    target=head.target.decode("latin-1"),
                    headers=Headers([(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw]),
                    body=bytes(body),
                )
            else:
                return None

    async def _send_reply(self, reply: Reply, asked: Asked) -> None:
        fields, body = Headers(reply.headers), reply.body
        if isinstance(body, bytes):
            if not {"content-length", "transfer-encoding"} & set(fields):
                fields = Headers([*fields.pairs, ("Content-Length", str(len(body)))])
            body = (body,)
        await self._send(h11.Response(status_code=reply.status, headers=list(fields.pairs)))
        if asked.method != "HEAD" and reply.status not in (204, 304):
            await _play(body, lambda data: self._send(h11.Data(data=data)))
        await self._send(h11.EndOfMessage())

    async def _send_raw(self, steps: Steps | None) -> None:
        await _play((None,) if steps is None else steps, self._sending.send_all)

    async def _send(self, event: h11.Event) -> None:
        await self._sending.send_all(self._http.send(event) or b"")


async def _play(steps: Steps, send: Callable[[bytes], Awaitable[None]]) -> None:
    """Send and wait, step by step."""
    if isinstance(steps, AsyncIterable):
        async with aclosing(steps) if isinstance(steps, AsyncGenerator) else nullcontext():
            async for step in steps:
                await _take(step, send)
    else:
        for step in steps:
            await _take(step, send)


async def _take(step: bytes | float | None, send: Callable[[bytes], Awaitable[None]]) -> None:
    if step is None:
        raise _Break
    if isinstance(step, bytes):
        await send(step)
    else:
        await trio.sleep(step)
