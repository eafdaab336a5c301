"""A server on loopback that sends scripted bytes, for responses that a well-behaved server does not send."""

from __future__ import annotations

import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path

import attrs
import httpx
import trio


@attrs.define(eq=False)
class Peer:
    """A connection on the side of the server."""

    stream: trio.SocketStream
    server: Server
    received: bytes = b""

    async def request(self) -> bytes:
        """Read the next request and return its head; return nothing if the client has disconnected."""
        while b"\r\n\r\n" not in self.received:
            if not await self.receive():
                return b""
        head, _, self.received = self.received.partition(b"\r\n\r\n")
        fields = [line.partition(b":") for line in head.split(b"\r\n")[1:]]
        lengths = [int(value) for name, _, value in fields if name.lower() == b"content-length"]
        while len(self.received) < sum(lengths):
            if not await self.receive():
                return b""
        body, self.received = self.received[: sum(lengths)], self.received[sum(lengths) :]
        self.server.heads.append(head)
        self.server.bodies.append(body)
        return head

    async def receive(self) -> bytes:
        chunk = bytes(await self.stream.receive_some(65536))
        self.received += chunk
        return chunk

    async def send(self, data: bytes) -> None:
        await self.stream.send_all(data)

    def reset(self) -> None:
        """Close the connection with RST."""
        self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.stream.socket.close()


Handler = Callable[[Peer], Awaitable[None]]


@attrs.define(eq=False)
class Server:
    """The address of a scripted server and the requests that it has received."""

    host: str
    port: int = 0
    connections: int = 0
    heads: list[bytes] = attrs.Factory(list)
    bodies: list[bytes] = attrs.Factory(list)

    @property
    def url(self) -> str:
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}/"

    @property
    def head(self) -> bytes:
        """Return the head of the last request."""
        return self.heads[-1]


def answers(*responses: bytes, then_close: bool = False) -> Handler:
    """Return a handler that sends these responses in turn on each connection, and repeats the last one."""

    async def handler(peer: Peer) -> None:
        left = list(responses)
        while await peer.request():
            await peer.send(left[0])
            if len(left) > 1:
                left.pop(0)
            elif then_close:
                return

    return handler


def ok(body: bytes = b"ok", *lines: str) -> bytes:
    """Return a complete response with these header lines."""
    head = "".join(f"{line}\r\n" for line in ("HTTP/1.1 200 OK", *lines, f"Content-Length: {len(body)}"))
    return head.encode("latin-1") + b"\r\n" + body


Serve = Callable[..., Awaitable[Server]]


async def start(nursery: trio.Nursery, handler: Handler, host: str = "127.0.0.1", port: int = 0) -> Server:
    """Start a server that runs until the nursery is cancelled."""
    (listener,) = await trio.open_tcp_listeners(port, host=host)
    server = Server(host, listener.socket.getsockname()[1])

    async def connection(stream: trio.SocketStream) -> None:
        server.connections += 1
        try:
            await handler(Peer(stream, server))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return  # the client or the handler closed the connection

    nursery.start_soon(trio.serve_listeners, connection, [listener])
    return server


async def get(transport: httpx.AsyncBaseTransport, url: str, **kwargs: object) -> httpx.Response:
    """Send a request through a bare transport and return the response with its body."""
    response = await transport.handle_async_request(httpx.Request(kwargs.pop("method", "GET"), url, **kwargs))
    await response.aread()
    return response


def descriptors() -> int:
    """Return the number of open file descriptors of this process."""
    return len(list(Path("/proc/self/fd").iterdir()))


async def until(condition: Callable[[], object]) -> None:
    """Wait up to 20 seconds for a condition that another task, a thread or a server fulfils."""
    with trio.fail_after(20):
        while not condition():  # noqa: ASYNC110 - there is no event to wait for
            await trio.sleep(0.001)
